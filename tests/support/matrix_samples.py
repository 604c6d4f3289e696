"""Interactions and relevance made by hand for the views."""

from __future__ import annotations

import numpy as np

from exegesis.core.text import Text
from exegesis.results.attribution import Prediction
from exegesis.results.interactions import Interactions
from exegesis.results.relevance import Relevance
from tests.support import samples

SAID = Prediction("positive", 0.9, {"positive": 0.9, "negative": 0.1})


def pairs(raw: str | Text = samples.FIGHT, *, seed: int = 1, kind: str = "shapley", scale: float = 1.0) -> Interactions:
    """Interactions that are drawn; three in ten of them are zero."""
    text = samples.words_of(raw) if isinstance(raw, str) else raw
    count, rng = len(text.words), np.random.default_rng(seed)
    upper = np.triu(rng.normal(0, scale, (count, count)) * (rng.random((count, count)) > 0.3), 1)
    return Interactions(text, upper + upper.T, kind, "drop", "logit:positive", SAID, 2.5, 0.01, "lstm-sst2", {})


def estimated() -> Interactions:
    """With standard errors, as of drawn orders."""
    one = pairs("not a bad film", scale=1e-3)
    details = {"orders": 50, "standard_error": np.full((4, 4), 2e-4).tolist()}
    return Interactions(one.text, one.values, one.kind, "pad", "margin:a,b", SAID, 2.5, 0.2, "m", details)


def alone() -> Interactions:
    return pairs("fine")


def long() -> Interactions:
    return pairs(" ".join(f"{samples.LONG} {n}" for n in range(3)))


def pair() -> Interactions:
    return pairs(samples.pair().text)


def right_to_left() -> Interactions:
    return pairs("هذا فيلم good جيد جدا")


PAIRS = [pairs, estimated, alone, long, pair, right_to_left]


def relevance(raw: str | Text = samples.FIGHT, *, layers: int = 1) -> Relevance:
    """Relevance of a bidirectional layer or more, and of a convolution whose places are not those of the text."""
    text = samples.words_of(raw) if isinstance(raw, str) else raw
    rng, count = np.random.default_rng(len(text)), len(text)
    parts = [f"layer {n + 1} {way}{part}" for n in range(layers) for way in ("forward", "reverse")
             for part in ("", " from above")]  # fmt: skip
    dimensions = rng.normal(0, 0.2, (count, 4))
    states = {part: rng.normal(0, 0.2, (count, 3)) for part in parts}
    states["conv1d 1"] = rng.normal(0, 1, (6, count + 1))
    total = float(dimensions.sum()) + 0.25
    return Relevance(
        text, dimensions, states, "logit:positive", "Lrp()", total, {"output bias": 0.25}, SAID, 0.02, "lstm-sst2"
    )


def deep() -> Relevance:
    return relevance(samples.LONG, layers=2)


def of_pair() -> Relevance:
    return relevance(samples.pair().text)


def one_word() -> Relevance:
    return relevance("fine")


PLACES = [relevance, deep, of_pair, one_word]
