"""What all saved results have in common, as plain values for JSON. Imports no torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from exegesis.core.text import Text
from exegesis.results.attribution import Number, Prediction


def number(value: Number) -> Any:
    """A number, or a list of them; null where it is not finite."""
    if np.ndim(value):
        return [number(v) for v in np.asarray(value).tolist()]
    return float(value) if math.isfinite(float(value)) else None


def prediction(given: Prediction) -> dict[str, Any]:
    return {
        "label": given.label,
        "probability": number(given.probability),
        "probabilities": {k: number(v) for k, v in given.probabilities.items()},
    }


def reading(text: Text) -> dict[str, Any]:
    """How the model read the text."""
    return {
        "pieces": list(text.pieces),
        "ids": list(text.ids),
        "offsets": [list(pair) for pair in text.offsets],
        "words": [list(span) for span in text.words],
        "segments": [list(span) for span in text.segments],
        "special": list(text.special),
    }
