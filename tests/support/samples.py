"""Results made by hand for the views: the paper's sentences, several methods, models, levels, targets, and pairs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from exegesis.core.text import Span, Text, text_of_words
from exegesis.results.attribution import Attribution
from exegesis.results.header import Account, Origin, Prediction, Subject

FIGHT = "The fight scenes are fun but it grows tedious"
MOVIE = "The movie does n't serve up lot of laughs ."
LONG = (
    "It 's enormously entertaining for moviegoers of any age , partly because the cast is aware of how absurd the "
    "story is likely to look once you grasp that nobody on the screen , least of all its weary hero , believes it ."
)


def words_of(raw: str) -> Text:
    """A text whose words are what stands between blanks."""
    words = [(m.group(), *m.span()) for m in re.finditer(r"\S+", raw)]
    return text_of_words(raw, words, range(len(words)))


def result(
    raw: str | Text,
    scores: Sequence[float],
    *,
    name: str = "reat",
    label: str = "positive",
    probability: float = 0.992,
    bias: float = 0.11,
    gap: float = 0.0,
    complete: bool = True,
    seconds: float = 0.0031,
    model: str = "lstm-sst2",
    spans: Sequence[tuple[str, int, int, float]] = (),
    details: Mapping[str, Any] | None = None,
) -> Attribution:
    """Word scores of one target and further spans as (level, first word, last word + 1, score)."""
    text = words_of(raw) if isinstance(raw, str) else raw
    with np.errstate(all="ignore"):  # some tests hold infinities of both signs
        total = float(np.sum(scores))
    every = [*scores, *(score for *_, score in spans)]
    prediction = Prediction(label, probability, {label: probability, "other": 1 - probability}, 2)
    return Attribution(
        Subject(text, model, prediction, (f"logit:{label}",), (total + bias + gap,)),
        Origin(name, f"{name.upper().replace('-', '_')}()", seconds, details or {}),
        spans=(*text.words, *(text.over(Span(a, b)) for _, a, b, _ in spans)),
        values=np.array([every], dtype=float),
        levels=("word",) * len(text.words) + tuple(level for level, *_ in spans),
        remainder=Account({"output bias": (float(bias),)} if bias else {}, complete),
    )


def long(words: int) -> Attribution:
    """A text of so many words, of which 97 differ."""
    raw = " ".join(f"word{i % 97}" for i in range(words))
    return result(raw, np.random.default_rng(0).normal(size=words).tolist())


def methods() -> list[Attribution]:
    """The forty-word sentence under six methods, as in Figure 4."""
    words = LONG.split()
    rng = np.random.default_rng(4)
    base = rng.normal(0.05, 0.06, len(words))
    strong = {"enormously": 1.9, "entertaining": 1.4, "aware": 0.8, "absurd": -1.2, "likely": 0.5, "grasp": 0.7,
              "weary": -0.9, "nobody": -0.4, "least": -0.35}  # fmt: skip
    own = np.array([strong.get(word, 0.0) for word in words]) + base
    noise = rng.normal(0, 0.25, (4, len(words)))
    return [
        result(LONG, np.abs(own) ** 0.5, name="gradient", bias=0, complete=False, gap=-3, details={"signed": False}),
        result(LONG, own * 0.3 + noise[0] * 0.3, name="integrated-gradients", bias=-0.4, gap=2e-3, seconds=0.21),
        result(LONG, own * 0.2 + noise[1] * 0.4, name="gradient-x-input", bias=0, complete=False, gap=1.3),
        result(LONG, own * 0.1 + noise[2] * 0.05, name="lime", bias=0, complete=False, gap=0.2, seconds=0.4),
        result(LONG, own + noise[3], name="naive-reat", seconds=0.002),
        result(LONG, own, seconds=0.002),
    ]


def models() -> list[Attribution]:
    """One sentence under three models, as in Figure 5."""
    rows = {
        "gru": ([0.02, -0.2, 0.1, 0.05, 1.2, -0.3, 0.05, 0.2, -1.15], "positive", 0.516),
        "lstm": ([0.05, 0.15, 0.25, 0.2, 2.6, 0.1, 0.15, 0.3, -0.7], "positive", 0.962),
        "bigru": ([-0.1, -0.3, -0.1, -0.05, 1.0, -0.4, -0.1, -0.2, -1.6], "negative", 0.627),
    }
    return [
        result(FIGHT, scores, model=model).replace(prediction=Prediction(label, probability, {label: probability}, 1))
        for model, (scores, label, probability) in rows.items()
    ]


def hierarchy() -> Attribution:
    """Words, phrases, clauses and the text, as in Figure 6."""
    scores = [0.12, 0.21, -0.55, 1.62, 0.35, 0.12, 0.31, 0.05, -0.84, 0.06]
    spans = [("phrase", 0, 2, 0.33), ("phrase", 2, 6, 1.54), ("phrase", 6, 9, -0.48),
             ("clause", 0, 9, 1.39), ("text", 0, 10, 1.45)]  # fmt: skip
    return result(MOVIE, scores, label="negative", probability=0.9946, spans=spans)


def pair() -> Attribution:
    """A premise and a hypothesis with special pieces around them, as a transformer reads them."""
    first, second = "Two women are embracing .", "The sisters are hugging goodbye ."
    raw = f"{first}\n{second}"
    places = [m.span() for m in re.finditer(r"\S+", raw)]
    offsets = [(0, 0), *places[:5], (0, 0), *places[5:], (0, 0)]
    special = [a == b for a, b in offsets]
    text = Text(
        raw=raw,
        pieces=tuple(
            "[SEP]" if s and i else "[CLS]" if s else raw[a:b]
            for i, (s, (a, b)) in enumerate(zip(special, offsets, strict=True))
        ),
        ids=tuple(range(len(offsets))),
        offsets=tuple(offsets),
        words=tuple(Span(i, i + 1) for i, s in enumerate(special) if not s),
        segments=(Span(1, 6), Span(7, 13)),
        special=tuple(special),
    )
    scores = [0.1, 0.7, 0.05, 0.9, 0.02, 0.05, -1.1, 0.02, 0.8, -0.6, 0.01]
    return result(
        text, scores, label="neutral", probability=0.88, model="bert-nli", bias=0.3, name="attention-x-gradient"
    )


def targets() -> Attribution:
    """Three targets at once."""
    words = words_of(FIGHT)
    rows = np.array([[0.05, 0.15, 0.25, 0.2, 2.6, 0.1, 0.15, 0.3, -0.7], [0.1, 0, 0, 0.1, -0.4, 0.9, 0.1, 0.2, 0.3],
                     [-0.1, -0.1, -0.2, -0.3, -2.2, 0.3, -0.1, 0.2, 1.6]])  # fmt: skip
    prediction = Prediction("positive", 0.9, {"positive": 0.9, "neutral": 0.06, "negative": 0.04}, 3)
    named = ("logit:positive", "logit:neutral", "logit:negative")
    return Attribution(
        Subject(words, "lstm-3", prediction, named, tuple((rows.sum(1) + 0.1).tolist())),
        Origin("reat", "REAT()", 0.004),
        words.words,
        rows,
        remainder=Account({"output bias": (0.1, 0.1, 0.1)}, complete=True),
    )


HOSTILE = (
    "<script>alert(1)</script>",
    '"onmouseover="alert(1)',
    "'><img src=x onerror=alert(1)>",
    "{{7*7}}",
    "{% raw %}",
    "</style><b>",
    "]]>",
    "&amp;",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "nul\x00nul",
    "\x7f",
    "\u202eoverride",
    "\u2066isolate",
    "\udc80\ud800",
    "\ufffe\uffff\U0001fffe",
    "\N{ZERO WIDTH SPACE}",
    "$x^2$",
    r"\end{document}",
    "50%#1_{a}~^&",
    "--",
    "日本語の文章",
    "😀👩‍👩‍👧🏽🏳️‍🌈🇩🇪",
    "שלום",
    "مرحبا",
    "e\u0301\u0301\u0301",
    "x" * 300,
    "\x1c\x1d\x85",
    "\u2028",
)


def is_whole(text: str) -> bool:
    """False for a text that holds a character as two surrogates, which is refused."""
    return not re.search("[\ud800-\udbff][\udc00-\udfff]", text)
