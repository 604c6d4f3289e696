"""The parts that the documents of all studies share: their facts, numbers of one size, spreads, texts in colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from exegesis.results.behaviour.study import Asked, Shown
from exegesis.show.document import Chart, Facts, Heading, Part, Passage, Section, largest
from exegesis.show.document import facts as named
from exegesis.show.documents.passage import marked
from exegesis.show.wording import many, percent, signed, visible
from exegesis.statistics.bootstrap import Spread

MAX_ROWS = 15  # of a chart
READ_BOX = (
    "A box spans the middle half of the scores, its tick is the median and the bar within it the median's 95 % "
    "interval (a bootstrap over texts); whiskers end within 1.5 box lengths, outliers are left out."
)
SPREAD_COLUMNS = ("words", "texts", "median", "95 %", "middle half", "mean", "95 %")


def section(title: str, facts: Facts, parts: Sequence[Part]) -> Section:
    """A study as a section, whose picture are its charts."""
    charts = tuple(part for part in parts if isinstance(part, Chart))
    return Section(title, (Heading(title, 1), facts, *parts), picture=charts)


def facts(asked: Asked) -> Facts:
    """The facts of a study."""
    corpus = many(asked.texts, "text") + (f", {many(asked.words, 'word')}" if asked.words else "")
    items = {"model": asked.model, "method": asked.name, "explained": explained(asked), "corpus": corpus}
    return named({name: visible(text) for name, text in items.items()})


def explained(asked: Asked) -> str:
    """The number explained, as a reader says it."""
    kind, _, label = asked.target.partition(":")
    return f"{kind} of the predicted label" if label == "predicted" else f"{kind} of {visible(label)}"


def usual(values: Iterable[float]) -> float:
    """The middle of the magnitudes, so that small numbers show their digits."""
    sizes = sorted(abs(value) for value in values if value)
    return sizes[len(sizes) // 2] if sizes else 1.0


def number(value: float, size: float) -> str:
    """A score among others of a size; empty for NaN."""
    return "" if math.isnan(value) else signed(value, size)


def interval(low: float, high: float, size: float) -> str:
    """An interval in words; empty if there is none."""
    return f"{signed(low, size)} to {signed(high, size)}" if math.isfinite(low) else ""


def spread_cells(spread: Spread, size: float) -> tuple[str, ...]:
    """The cells under ``SPREAD_COLUMNS``."""
    return (
        f"{spread.size:,}", f"{spread.texts:,}", number(spread.median, size),
        interval(spread.median_low, spread.median_high, size),
        f"{number(spread.q1, size)} to {number(spread.q3, size)}", number(spread.mean, size),
        interval(spread.mean_low, spread.mean_high, size),
    )  # fmt: skip


def verdict(shown: Shown) -> str:
    """``predicted negative 98.2 %, truly positive``."""
    verdict = f"predicted {visible(shown.label)} {percent(shown.probability)}".rstrip()
    return verdict if not shown.gold else f"{verdict}, truly {visible(shown.gold)}"


def texts(
    shown: Sequence[Shown], caption: Callable[[Shown], str] = verdict, signs: bool = True, limit: float = 0.0
) -> list[Passage]:
    """Texts in colour under a caption each; without a ``limit`` they have a scale of their own."""
    limit = limit or limit_of(shown)
    return [marked(text, limit, signs, caption(text)) for text in shown]


def limit_of(shown: Iterable[Shown]) -> float:
    """The largest magnitude of the texts' scores; 1 if all are 0."""
    return largest([word.score for text in shown for word in text.words]) or 1.0
