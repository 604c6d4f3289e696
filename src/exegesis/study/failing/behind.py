"""Training texts behind the causes of wrong predictions: where did the model learn it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from exegesis.api import influence
from exegesis.protocols.model import Classifier
from exegesis.results.behaviour.faults import Behind
from exegesis.study.corpus import Corpus

ASKED = 3  # wrong predictions of a cause that are asked about
METHOD = "gradient-similarity"


def behind(
    model: Classifier, trained: Corpus, wrong: Mapping[str, Sequence[tuple[Any, str]]], count: int
) -> dict[str, tuple[Behind, ...]]:
    """The ``count`` training texts of each cause whose steps of training speak most for its wrong predictions.

    ``wrong`` has for each cause texts with the labels that were predicted wrongly; of each the first three are asked
    about. A score is that of ``gradient-similarity`` for the log-probability of the wrong label, summed over these.
    Raises UnsupportedError for a model that does not show its weights.
    """
    train: list[Any] = list(zip(trained.raws, map(str, trained.golds), strict=True))
    sums = {cause: np.zeros(len(train)) for cause in wrong}
    for label in sorted({label for texts in wrong.values() for _, label in texts[:ASKED]}):
        asked = [(cause, raw) for cause, texts in wrong.items() for raw, own in texts[:ASKED] if own == label]
        found = influence(model, train, [raw for _, raw in asked], METHOD, target=f"log-probability:{label}", top=1)
        for (cause, _), result in zip(asked, found, strict=True):
            sums[cause] += result.scores
    told = {}
    for cause, scores in sums.items():
        numbers = [int(n) for n in np.argsort(-scores, kind="stable")[:count] if scores[n] > 0]
        told[cause] = tuple(
            Behind(n, _characters(trained.raws[n]), str(trained.golds[n]), float(scores[n])) for n in numbers
        )
    return told


def _characters(raw: Any) -> str:
    return raw if isinstance(raw, str) else "\n".join(raw)
