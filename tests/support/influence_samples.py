"""Influence of training texts, made by hand for the views and for files."""

from __future__ import annotations

import math

import numpy as np

from exegesis.results.header import Origin
from exegesis.results.influence import Influence, Mark, Source
from tests.support import matrix_samples, samples

UNIT = "change of the explained number"


def influence() -> Influence:
    """Texts that help and that hurt, one with its words, one text that was not looked at."""
    words = (Mark(0, 1, 0.5), Mark(2, 6, -0.25))
    return Influence(
        matrix_samples.subject(samples.words_of("a fine film")),
        Origin("tracin", "TracIn()", 0.5, {"damping": 0.5}),
        np.array([0.25, math.nan, -1 / 3, 0.0]),
        (Source(0, "a caf\xe9", "positive", 0.25, words), Source(2, "dull", "negative", -1 / 3)),
        UNIT,
        ("A note.",),
        (0.5, 1.5, -0.25),
        1,
    )


def nothing() -> Influence:
    """No training text has an effect."""
    subject = matrix_samples.subject(samples.words_of("a fine film"))
    return Influence(subject, Origin("nearest", "Nearest()"), np.array([0.0, math.nan]), (), UNIT)
