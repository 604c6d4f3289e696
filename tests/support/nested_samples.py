"""Hierarchies made by hand for the views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from exegesis.core.text import Span, Text
from exegesis.questions.phrases.search import Mark, parts_of
from exegesis.results.header import Account, Origin, Prediction, Subject
from exegesis.results.hierarchy import Hierarchy
from tests.support import samples


def tree(
    raw: str | Text,
    spans: Sequence[tuple[int, int]] = (),
    *,
    scores: Sequence[float] | None = None,
    name: str = "acd",
    label: str = "positive",
    model: str = "lstm-sst2",
    details: dict[str, Any] | None = None,
    joined: bool = True,
    account: dict[str, float] | None = None,
) -> Hierarchy:
    """Phrases over words with scores that are drawn unless given: words first, then ``spans``, then the whole text."""
    text = samples.words_of(raw) if isinstance(raw, str) else raw
    count = len(text.words)
    every = [Span(at, at + 1) for at in range(count)] + [Span(*s) for s in spans if s != (0, count)]
    every += [Span(0, count)] if count > 1 else []
    values = np.random.default_rng(count).normal(0, 1, len(every)) if scores is None else scores
    marks = {
        span: Mark(float(score), 0.5 * float(score) if joined and span.width > 1 else None, span.width - 1)
        for span, score in zip(every, values, strict=True)
    }
    parts = parts_of(text, marks)
    prediction = Prediction(label, 0.9, {label: 0.9, "other": 0.1}, 2)
    return Hierarchy(
        Subject(text, model, prediction, (f"logit:{label}",), (2.0,)),
        Origin(name, "Agglomerative()", 0.01, details or {}),
        parts,
        "leave-one-out: the number less the number without the phrase",
        remainder=Account({part: (number,) for part, number in (account or {}).items()}, account is not None),
    )


def fight() -> Hierarchy:
    """Nested phrases of several heights, some that stand for long."""
    return tree(samples.FIGHT, [(0, 3), (4, 6), (6, 9), (4, 9), (7, 9)])


def long() -> Hierarchy:
    """Forty words joined one by one from both ends: as deep as a tree can be."""
    count = len(samples.LONG.split())
    return tree(samples.LONG, [(20 - n // 2, 20 + (n + 1) // 2) for n in range(2, count - 1) if n // 2 <= 20])


def pair() -> Hierarchy:
    """Over both parts of a pair."""
    text = samples.pair()[0].text if isinstance(samples.pair(), list) else samples.pair().text
    return tree(text, [(0, 2)])


def right_to_left() -> Hierarchy:
    return tree("هذا فيلم good جيد جدا", [(0, 2), (2, 5), (3, 5)])


def single() -> Hierarchy:
    return tree("fine", scores=[0.7])


def sizes() -> Hierarchy:
    return tree("a fine film", [(0, 2)], scores=[1, 2, 3, 4, 5], name="parse", details={"signed": False})


def closed() -> Hierarchy:
    """Owen values, whose account closes."""
    return tree("not good", scores=[1.5, -0.5, 1.0], name="owen", joined=False, account={"the empty text": 1.0})


EVERY = [fight, long, pair, right_to_left, single, sizes, closed]
