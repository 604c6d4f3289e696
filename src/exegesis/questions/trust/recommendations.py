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
    methods = [method for method in result.methods if not method.control]
    quick = [method.name for method in methods if budget is None or not method.seconds * 1000 > budget]
    if not quick:
        least = min(methods, key=lambda method: method.seconds)
        raise UsageError(
            f"no method takes at most {budget:g} ms per text: the quickest, {least.name}, takes "
            f"{least.seconds * 1000:.1f} ms; give a larger budget"
        )
    within = only(result, quick)
    order = within.ranking()
    late = [method.name for method in methods if method.name not in quick]
    seconds = {method.name: method.seconds for method in methods}
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
        measures=tuple(measure.name for measure in result.measures),
        ranking=tuple(ranked),
        sure=_sure(within, order),
        advice=within.advice(),
        lead=_lead(within, order),
        budget=budget,
        seed=result.seed,
    )


def only(result: Evaluation, names: Sequence[str]) -> Evaluation:
    """An evaluation restricted to some of its methods and the controls."""
    keep = [k for k, method in enumerate(result.methods) if method.control or method.name in names]
    compared = [k for k in keep if not result.methods[k].control]
    return replace(
        result,
        methods=tuple(result.methods[k] for k in keep),
        values=result.values[:, keep],
        curves={name: curve[keep] for name, curve in result.curves.items()},
        agreement=result.agreement[np.ix_(compared, compared)],
        overlap=result.overlap[np.ix_(compared, compared)],
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
    rank = {measure.name for measure in result.ranking_by if not result.favoured(measure, *order[:2])}
    differences = [d for d in result.compare(order[0], order[1]) if d.measure in rank]
    told = [
        f"{d.measure} {d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f}, {'better' if d.better == order[0] else 'worse'})"
        for d in differences
        if d.better
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
