"""Recommendations: the most faithful method within a budget of time, and the check that one is of this model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from exegesis.core.errors import UsageError
from exegesis.protocols.model import Classifier
from exegesis.results.advice import trusted
from exegesis.results.evaluation import Evaluation
from exegesis.results.recommendation import Ranked, Recommendation
from exegesis.statistics.bootstrap import MIN_TEXTS


def recommended(
    model: Classifier,
    result: Evaluation,
    data: str,
    budget: float | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> Recommendation:
    """The highest-ranked of the methods that take at most ``budget`` ms per text; slower methods are not compared.

    Raises UsageError if no method is within the budget.
    """
    methods = [one for one in result.methods if not one.control]
    quick = [one.name for one in methods if budget is None or not one.seconds * 1000 > budget]
    if not quick:
        least = min(methods, key=lambda one: one.seconds)
        raise UsageError(
            f"no method takes at most {budget:g} ms per text: the quickest, {least.name}, takes "
            f"{least.seconds * 1000:.1f} ms; give a larger budget"
        )
    within = only(result, quick)
    order = within.ranking()
    late = [one.name for one in methods if one.name not in quick]
    seconds = {one.name: one.seconds for one in methods}
    ranked = [Ranked(name, *within.wins(name), seconds[name] * 1000, True) for name in order]
    ranked += [Ranked(name, 0, 0, seconds[name] * 1000, False) for name in late]
    return Recommendation(
        model=model.name,
        fingerprint=fingerprint(model),
        labels=tuple(model.labels),
        method=order[0],
        parameters=dict((parameters or {}).get(order[0], {})),
        data=data,
        texts=len(result.texts),
        measures=tuple(one.name for one in result.measures),
        ranking=tuple(ranked),
        sure=_sure(within, order),
        advice=within.advice(),
        lead=_lead(within, order),
        budget=budget,
        seed=result.seed,
    )


def only(result: Evaluation, names: Sequence[str]) -> Evaluation:
    """An evaluation restricted to some of its methods and the controls."""
    keep = [k for k, one in enumerate(result.methods) if one.control or one.name in names]
    own = [k for k in keep if not result.methods[k].control]
    return replace(
        result,
        methods=tuple(result.methods[k] for k in keep),
        values=result.values[:, keep],
        curves={name: curve[keep] for name, curve in result.curves.items()},
        agreement=result.agreement[np.ix_(own, own)],
        overlap=result.overlap[np.ix_(own, own)],
        contested=(),
    )


def _sure(result: Evaluation, order: Sequence[str]) -> bool:
    """True if the first is above random on most ranking measures, and wins more than it loses against each other."""
    best = order[0]
    return trusted(result, best) and all(result.tally(best, [name]).share > 0 for name in order[1:])


def _lead(result: Evaluation, order: Sequence[str]) -> str:
    """A sentence on the lead of the first over the next in rank, on the ranking measures that tell them apart."""
    if len(order) < 2 or result.distinct < MIN_TEXTS:
        return ""
    rank = {one.name for one in result.ranking_by if not result.favoured(one, *order[:2])}
    differences = [one for one in result.compare(order[0], order[1]) if one.measure in rank]
    told = [
        f"{one.measure} {one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f}, "
        f"{'better' if one.better == order[0] else 'worse'})"
        for one in differences
        if one.better
    ]
    if not told:
        return f"No measure tells {order[0]} from {order[1]}, the next in rank."
    return f"{order[0]} less {order[1]}, the next in rank: {'; '.join(told)}."


def fingerprint(model: Classifier) -> str:
    """SHA-256 of the names, shapes and values of a model's weights; empty for a model without a module."""
    module = getattr(model, "module", None)
    if not isinstance(module, nn.Module):
        return ""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        if isinstance(value, torch.Tensor):
            plain = value.detach().to("cpu").contiguous()
            digest.update(f"{name}\0{plain.dtype}\0{tuple(plain.shape)}\0".encode())
            digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def check_recommendation(recommendation: Recommendation, model: Classifier, where: str) -> None:
    """Raise UsageError for a recommendation that was measured on another model.

    Models are told apart by their weights (by name if these are not accessible) and by their labels.
    """
    mine = fingerprint(model)
    if recommendation.fingerprint or mine:
        same = recommendation.fingerprint == mine
    else:
        same = recommendation.model == model.name
    if not same or recommendation.labels != tuple(model.labels):
        raise UsageError(
            f"{where} recommends a method for another model ({recommendation.model!r}); run exegesis recommend on this "
            "one"
        )
