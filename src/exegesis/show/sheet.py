"""A page of a study, before it is drawn: sentences, tables, box plots and texts. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from exegesis.results.study import Shown
from exegesis.statistics.bootstrap import Spread


@dataclass(frozen=True)
class Prose:
    """A paragraph; ``muted`` for what explains how to read."""

    text: str
    muted: bool = False


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Grid:
    """A table; ``left`` is how many columns hold words, the others hold numbers. ``wide`` columns may be cut."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1


class Bar(NamedTuple):
    """One row of a bar chart: its name, a note beside it, its value, the part of it that is drawn full,
    and its colour: 1 for, -1 against."""

    name: str
    note: str
    value: float
    part: float
    side: int = -1


@dataclass(frozen=True)
class Bars:
    """Amounts under each other; ``axis`` names the number, ``mark`` is a place on it that matters (NaN of none)."""

    title: str
    axis: str
    rows: tuple[Bar, ...]
    mark: float = math.nan


class Box(NamedTuple):
    """One row of a box plot: its name, a note beside it, the spread, single scores to be drawn as dots."""

    name: str
    note: str
    spread: Spread
    dots: tuple[float, ...] = ()


@dataclass(frozen=True)
class Boxes:
    """Distributions under each other on one axis; ``axis`` names the number."""

    title: str
    axis: str
    rows: tuple[Box, ...]
    signed: bool = True


@dataclass(frozen=True)
class Marked:
    """Texts in colour under a caption each; ``limit`` is the score of full colour. Marked words stand out."""

    texts: tuple[tuple[str, Shown], ...]
    limit: float
    signed: bool = True


Part = Prose | Heading | Grid | Boxes | Bars | Marked


@dataclass(frozen=True)
class Sheet:
    """A title, facts by name, and parts in reading order."""

    title: str
    facts: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]


def limit_of(texts: Sequence[Shown]) -> float:
    """The largest magnitude of the texts' scores; 1 where all are 0."""
    return max((abs(word.score) for text in texts for word in text.words), default=0.0) or 1.0


def ticks(low: float, high: float, most: int = 7) -> tuple[float, ...]:
    """Round numbers between two ends, at most ``most`` of them and 0 where it lies between; none for ends of NaN."""
    if not math.isfinite(high - low):
        return ()
    width = (high - low) or 1.0
    step = 10.0 ** math.floor(math.log10(width / max(most - 1, 1)))
    for factor in (1, 2, 5, 10, 20):
        if width / (step * factor) <= most - 1:
            step *= factor
            break
    first = math.ceil(low / step - 1e-9)
    return tuple(k * step for k in range(first, math.floor(high / step + 1e-9) + 1))


def reach(rows: Sequence[Box]) -> tuple[float, float]:
    """The range of the scores of all rows, 0 among them, with a little room on both sides."""
    low = min([0.0, *(min((row.spread.low, *row.dots)) for row in rows)])
    high = max([0.0, *(max((row.spread.high, *row.dots)) for row in rows)])
    room = 0.03 * ((high - low) or 1.0)
    return low - room, high + room
