"""Rationales, made by hand for the views and for files."""

from __future__ import annotations

import numpy as np

from exegesis.core.text import Span
from exegesis.results.header import Origin
from exegesis.results.rationale import Rationale
from tests.support import matrix_samples, samples


def rationale() -> Rationale:
    """A model's own choice of two runs of words."""
    text = samples.words_of("a fine film indeed")
    return Rationale(
        matrix_samples.subject(text),
        Origin("rationale", "OwnRationale()", 0.5),
        (Span(1, 2), Span(3, 4)),
        np.array([0.1, 0.9, 1 / 3, 1.0]),
        0.75,
        0.7,
        0.5,
        True,
        ("A note.",),
    )


def nothing() -> Rationale:
    """No word is kept."""
    subject = matrix_samples.subject(samples.words_of("a fine film"))
    return Rationale(subject, Origin("lime", "Lime()"), (), np.array([0.0, -1.5, 0.25]), 0.75, 0.5, 0.75)
