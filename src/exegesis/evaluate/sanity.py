"""Does a method look at the model at all? Its explanations of a trained model beside those of one that knows nothing.

Not a measure of an explanation: a reversed explanation passes as well as the right one. It is a check of the method,
made once for a model (Adebayo et al., Sanity Checks for Saliency Maps, 2018).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from torch import nn

import exegesis.attribute  # noqa: F401 - registers the methods
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.evaluation import Evaluation, Measurand, Measured
from exegesis.core.explain import run
from exegesis.core.explanation import Attribution
from exegesis.core.method import Method, make, require
from exegesis.core.model import Classifier
from exegesis.core.target import Ask, ask
from exegesis.core.text import Text
from exegesis.evaluate.agreement import agreement
from exegesis.evaluate.amounts import spearman
from exegesis.evaluate.given import Explanations
from exegesis.evaluate.pool import random_scores
from exegesis.evaluate.run import names_of

PAPER = "Adebayo et al., Sanity Checks for Saliency Maps, 2018"
PARAMETERS = Measured(
    "parameter-randomisation", "do explanations stay alike when the weights are shuffled?", PAPER, False
)
LABELS = Measured("label-randomisation", "are explanations like those of a model of random labels?", PAPER, False)
BLIND, CHANCE = "random", "chance"


def randomisation(
    model: Classifier,
    texts: Sequence[Text],
    methods: Sequence[str | Method],
    other: Classifier | None = None,
    *,
    target: str | int | None = None,
    seed: int = 0,
    samples: int = 2000,
) -> Evaluation:
    """The size of the rank correlation of a method's scores on two models, 0 to 1; low is good.

    The second model is the first with the numbers of each of its weights shuffled among themselves (one draw of
    ``seed``; the model comes back as it was), or ``other``: the same model trained on shuffled labels, which gives the
    label-randomisation check. Both are asked about the label that the first explains. A text has no number (NaN) where
    a method scores all of its words alike. Beside the methods: ``random`` scores, which never look at the model, so
    that nothing changes them (1), and ``chance``, what two independent random scores give on these texts.

    Raises UnsupportedError for a black box without ``other``, UsageError where ``other`` reads or labels otherwise.
    """
    made = [make(one) for one in methods]
    for one in made:
        require(model, one)
    if not texts or not made:
        raise UsageError("randomisation needs at least one text and one method")
    if other is not None:
        _alike(model, other, texts)
    first = [_explained(model, texts, one, ask(target, model.labels, model.link)) for one in made]
    with nullcontext() if other is not None else shuffled(model, seed):
        second = [
            _about(other or model, texts, one, [found.targets[0] for found in mine])
            for one, mine in zip(made, first, strict=True)
        ]
    rows = [[_likeness(a, b) for a, b in zip(*pair, strict=True)] for pair in zip(first, second, strict=True)]
    chance = [abs(spearman(random_scores(one, 1.0, seed), random_scores(one, 1.0, seed + 1))) for one in texts]
    explained = [Explanations(mine[0].name, mine, mine[0].method) for mine in first]
    controls = [
        Measurand(BLIND, "scores that belong to the text", True, math.nan),
        Measurand(CHANCE, "two independent random scores", True, math.nan),
    ]
    agreed = agreement(first)
    return Evaluation(
        model=model.name,
        texts=tuple(text.raw for text in texts),
        labels=tuple(found.targets[0].partition(":")[2] for found in first[0]),
        measures=(PARAMETERS if other is None else LABELS,),
        methods=(
            *(
                Measurand(name, one.parameters, False, one.seconds)
                for name, one in zip(names_of(explained), explained, strict=True)
            ),
            *controls,
        ),
        values=np.array([[*rows, [1.0] * len(texts), chance]]),
        agreement=agreed.ranks,
        overlap=agreed.tops,
        disputes=agreed.disputes,
        seed=seed,
        samples=samples,
    )


@contextmanager
def shuffled(model: Classifier, seed: int = 0) -> Iterator[None]:
    """A model whose weights are shuffled, each among its own numbers; restored to the last bit, also after an error.

    Raises UnsupportedError where the weights are out of sight.
    """
    module = getattr(model, "module", None)
    if not isinstance(module, nn.Module):
        raise UnsupportedError(f"the weights of {model.name} are out of sight: give another model to compare with")
    kept = [(weight, weight.detach().clone()) for weight in module.parameters()]
    draws = torch.Generator().manual_seed(seed)
    try:
        with torch.no_grad():
            for weight, before in kept:
                order = torch.randperm(before.numel(), generator=draws).to(before.device)
                weight.copy_(before.flatten()[order].view_as(before))
        yield
    finally:
        with torch.no_grad():
            for weight, before in kept:
                weight.copy_(before)


def _alike(model: Classifier, other: Classifier, texts: Sequence[Text]) -> None:
    if other.labels != model.labels:
        raise UsageError(f"the models have different labels: {', '.join(model.labels)} and {', '.join(other.labels)}")
    for text in texts:
        if len(text.segments) == 1 and other.read(text.raw).words != text.words:
            raise UsageError(f"the other model reads {text.raw[:40]!r} in other words")


def _explained(model: Classifier, texts: Sequence[Text], method: Method, asked: Ask) -> list[Attribution]:
    found = dict(run(model, texts, method, asked))
    return [found[row] for row in range(len(texts))]


def _about(model: Classifier, texts: Sequence[Text], method: Method, targets: Sequence[str]) -> list[Attribution]:
    """Explanations of each text about the number named for it."""
    found: dict[int, Attribution] = {}
    for target in dict.fromkeys(targets):
        rows = [row for row, one in enumerate(targets) if one == target]
        some = _explained(model, [texts[row] for row in rows], method, ask(target, model.labels, model.link))
        found |= dict(zip(rows, some, strict=True))
    return [found[row] for row in range(len(texts))]


def _likeness(first: Attribution, second: Attribution) -> float:
    if first.scores.ndim != 1:
        raise UsageError("randomisation explains one number of a text; name one target")
    return abs(spearman(np.asarray(first.scores), np.asarray(second.scores)))
