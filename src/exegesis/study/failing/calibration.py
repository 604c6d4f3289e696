"""Calibration by conformity: is a prediction as sure as it says, and as the training texts around it say?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from exegesis.api import as_model, influence, predict
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.data.examples import Example
from exegesis.nn.context import entry
from exegesis.protocols.loss import gold_of
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Link
from exegesis.results.behaviour.calibrated import Calibrated, Reading, Step
from exegesis.results.behaviour.study import Asked
from exegesis.statistics.bootstrap import LEVEL
from exegesis.study.corpus import Data, read_data

GROUPS, DRAWS = 10, 500
MEANINGS = {
    "probability": "the model's own probability of the predicted label",
    "probability, fitted": "the share of held-out texts of such a probability that are right",
    "conformity": "the share of the nearest training texts that have the predicted label",
    "conformity, fitted": "the share of held-out texts of such a conformity that are right",
}


@entry
def calibrate(
    model: Classifier | str,
    train: Data,
    test: Data,
    held: Data,
    *,
    k: int = 50,
    layers: str = "",
    index: str = "",
    seed: int = 0,
    progress: bool = False,
) -> Calibrated:
    """How reliable the confidence of a model is, before and after it is read off the nearest training texts.

    The confidence of a prediction is the model's probability, or its conformity: the share of the ``k`` nearest
    training texts (in ``layers``, see ``nearest``) with the predicted label (Wallace et al. 2018). Both stand as they
    are, and fitted: as the share of right predictions among the ``held`` out texts with such a value, by isotonic
    regression. If conformity calibrates, it must beat the fitted probability, not the bare one. Raises UsageError for
    texts without labels that the model knows, and the errors of ``exegesis.influence``.
    """
    classifier = as_model(model)
    examples, tested, apart = (read_data(data) for data in (train, test, held))
    if classifier.link is Link.IDENTITY:
        raise UnsupportedError("a regression has no confidence to calibrate")
    for name, part in (("test", tested), ("held-out", apart)):
        for number, one in enumerate(part, 1):
            if one.label is None:
                raise UsageError(f"{name} text {number} of {len(part)} has no label; give its column, or leave it out")
    options = {"k": k, "layers": layers, "index": index}
    values = [_values(classifier, examples, part, options, progress) for part in (tested, apart)]
    (sure, near, right), (held_sure, held_near, held_right) = values
    readings = {
        "probability": sure,
        "probability, fitted": fitted(held_sure, held_right, sure),
        "conformity": near,
        "conformity, fitted": fitted(held_near, held_right, near),
    }
    rows = tuple(_reading(name, confidence, right, seed) for name, confidence in readings.items())
    asked = Asked(classifier.name, f"nearest(k={k})", "nearest", "probability:predicted", len(tested), 0, False)
    return Calibrated(asked, float(right.mean()), len(apart), k, rows)


def _values(
    model: Classifier, train: list[Example], texts: Sequence[Example], options: dict[str, Any], progress: bool
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """The probability of each text's predicted label, its conformity, and 1 where the label is right."""
    raws: list[Any] = [one.text for one in texts]
    said = predict(model, raws)
    labels = [max(one, key=one.__getitem__) for one in said]
    found = influence(model, train, raws, "nearest", progress=progress, top=1, **options)
    golds = [model.labels[int(gold_of(one.label, model.labels, model.link))] for one in texts]
    right = [label == gold for label, gold in zip(labels, golds, strict=True)]
    sure = [one[label] for one, label in zip(said, labels, strict=True)]
    return np.array(sure), np.array([one.details["conformity"] for one in found]), np.array(right, dtype=float)


def fitted(
    values: Float[np.ndarray, " m"], right: Float[np.ndarray, " m"], asked: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """The share of right predictions at each asked value, by isotonic regression on others (pooled neighbours).

    Equal values count as one point; between points it is interpolated, beyond them constant.
    """
    points, at = np.unique(values, return_inverse=True)
    blocks: list[list[float]] = []  # the mean, the weight and the number of points of each level
    for number in range(len(points)):
        mine = right[at == number]
        blocks.append([float(mine.mean()), float(len(mine)), 1.0])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, weight, count = blocks.pop()
            last = blocks[-1]
            last[0] = (last[0] * last[1] + mean * weight) / (last[1] + weight)
            last[1], last[2] = last[1] + weight, last[2] + count
    levels = np.concatenate([[mean] * int(count) for mean, _, count in blocks])
    made: Float[np.ndarray, " n"] = np.interp(asked, points, levels)
    return made


def gap(confidence: Float[np.ndarray, " n"], right: Float[np.ndarray, " n"]) -> float:
    """The mean distance of confidence and share of right ones over ten groups of like confidence, weighted by size.

    Groups are of equal size but that equal confidences are never parted, so that the order of texts has no meaning.
    """
    parts = _groups(confidence)
    return float(sum(len(rows) * abs(confidence[rows].mean() - right[rows].mean()) for rows in parts) / len(right))


def _groups(confidence: Float[np.ndarray, " n"]) -> list[np.ndarray]:
    _, at, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    parts = np.array_split(np.arange(len(confidence)), min(GROUPS, len(confidence)))
    group = np.repeat(np.arange(len(parts)), [len(part) for part in parts])  # of each rank
    middle = np.cumsum(counts) - 1 - (counts - 1) // 2  # of the ranks of each value
    own = group[middle][at]
    return [np.flatnonzero(own == number) for number in np.unique(own)]


def _reading(name: str, confidence: Float[np.ndarray, " n"], right: Float[np.ndarray, " n"], seed: int) -> Reading:
    steps = tuple(
        Step(len(rows), float(confidence[rows].mean()), float(right[rows].mean())) for rows in _groups(confidence)
    )
    draws = np.random.default_rng(seed)
    tries = [draws.integers(len(right), size=len(right)) for _ in range(DRAWS)]
    square = (confidence - right) ** 2
    told = list[tuple[float, float, float]]()
    for value, again in (
        (gap(confidence, right), [gap(confidence[rows], right[rows]) for rows in tries]),
        (float(square.mean()), [float(square[rows].mean()) for rows in tries]),
    ):
        low, high = np.quantile(again, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        told.append((value, float(low), float(high)))
    return Reading(name, MEANINGS[name], *told[0], *told[1], steps)
