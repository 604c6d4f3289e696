"""Checks that an explanation is of this model and this text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.core.text import Text
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Target, ask
from exegesis.results.attribution import Attribution

TOLERANCE = 1e-3  # distance of a saved prediction, or of a saved number (relative), from the model's own


def check_text(result: Attribution, text: Text) -> None:
    """Raise UsageError if an explanation is of another text, or of the same text read differently."""
    if result.text.raw != text.raw:
        raise UsageError(
            f"{_named(result)} explains another text: {_shortened(result.text)} instead of {_shortened(text)}"
        )
    if result.words != text.word_strings() or result.text.words != text.words or result.text.ids != text.ids:
        raise UsageError(
            f"{_named(result)} explains {_shortened(text)} in other words or pieces than this model reads: it is an "
            "explanation of another model"
        )


def check_model(result: Attribution, model: Classifier, raw: Float[Tensor, " c"], target: Target) -> None:
    """Raise UsageError if the prediction or the explained number is not this model's."""
    labels = model.labels
    probabilities = model.link.probabilities(raw[None])[0].tolist()
    predicted = dict(zip(labels, probabilities, strict=True))
    theirs = {name: value for name, value in result.prediction.probabilities.items() if math.isfinite(value)}
    number = float(target.of(raw[None])[0, 0])
    explained = float(np.asarray(result.explained))
    wrong = [
        name for name, value in theirs.items() if name not in predicted or abs(value - predicted[name]) > TOLERANCE
    ]
    if wrong:
        ours = f"{predicted[wrong[0]]:.4f}" if wrong[0] in predicted else "no such label"
        what = f"the probability of {wrong[0]} was {theirs[wrong[0]]:.4f}, here it is {ours}"
    elif math.isfinite(explained) and abs(explained - number) > TOLERANCE * max(1.0, abs(number)):
        what = f"{result.target} was {explained:.4f}, here it is {number:.4f}"
    else:
        return
    raise UsageError(f"{_named(result)} of {_shortened(result.text)} is of another model: {what}; explain it again")


def target_of(result: Attribution, model: Classifier, raw: Float[Tensor, " c"]) -> Target:
    """The number that an explanation is about. Raises UsageError for several, or for a label that the model lacks."""
    if result.scores.ndim != 1 or len(result.targets) != 1:
        raise UsageError(f"{_named(result)} holds several targets; choose one with for_target(...)")
    return ask(result.targets[0], model.labels, model.link).of(raw[None], model.link)


def label_of(target: Target, labels: Sequence[str]) -> str:
    """The label that a number speaks for; for a margin, the first of the two."""
    return labels[int(target.index[0, 0])]


def _named(result: Attribution) -> str:
    return f"an explanation by {result.name}"


def _shortened(text: Text) -> str:
    return repr(text.raw if len(text.raw) <= 40 else text.raw[:39] + "…")
