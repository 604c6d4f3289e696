"""Bars, boxes, dots and curves on an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from exegesis.show.parts.legend import Dash
from exegesis.show.wording import decimal, signed
from exegesis.statistics.bootstrap import Spread


class Bar(NamedTuple):
    """A bar from 0: its name, a note beside it, its value, the part of it that is drawn full (the rest pale), and its
    colour: 1 for, -1 against."""

    name: str
    note: str
    value: float
    part: float
    side: int = -1

    @property
    def numbers(self) -> Sequence[float]:
        """The numbers that the axis must hold."""
        return (0.0, self.value)


class Box(NamedTuple):
    """A box plot: its name, a note beside it, the spread, single scores to be drawn as dots."""

    name: str
    note: str
    spread: Spread
    dots: tuple[float, ...] = ()

    @property
    def value(self) -> float:
        """The median."""
        return self.spread.median

    @property
    def numbers(self) -> Sequence[float]:
        """The numbers that the axis must hold."""
        return (0.0, self.spread.low, self.spread.high, *self.dots)


class Dot(NamedTuple):
    """A mean with its interval (NaN: none) in a categorical colour (None: muted); ``hollow`` if it is not better than
    chance. ``note`` follows the number where it is spoken (how many texts)."""

    name: str
    note: str
    value: float
    low: float
    high: float
    hue: int | None = None
    hollow: bool = False

    @property
    def numbers(self) -> Sequence[float]:
        """The numbers that the axis must hold."""
        return (self.value, self.low, self.high)


class Curve(NamedTuple):
    """A line through points (x, y) in a categorical colour (None: muted) and a dash."""

    name: str
    points: tuple[tuple[float, float], ...]
    hue: int | None = None
    dash: Dash = ""

    @property
    def numbers(self) -> Sequence[float]:
        """The numbers that the axis must hold."""
        return [y for _, y in self.points]


@dataclass(frozen=True)
class Chart:
    """Rows of bars, boxes, dots or curves (all of one type) on one axis, whose number ``axis`` names.

    ``title`` stands above, ``tag`` at its end, ``note`` muted under it. ``mark`` is a place on the axis that matters,
    ``band`` a grey range of it, ``rule`` the row before which a thin line stands. A ``reverse`` axis runs from right to
    left, so that better is always to the right. Curves have ``axis`` upwards and ``across`` from left to right;
    ``words`` stand in the place of the numbers 1, 2 ... there. Charts of dots or curves stand side by side if there is
    width. A terminal draws bars, boxes and dots with block characters and curves as a table of five points; LaTeX draws
    a table of the numbers.
    """

    title: str
    axis: str
    rows: tuple[Bar, ...] | tuple[Box, ...] | tuple[Dot, ...] | tuple[Curve, ...]
    signed: bool = True
    note: str = ""
    tag: str = ""
    mark: float = math.nan
    band: tuple[float, float] | None = None
    rule: int | None = None
    reverse: bool = False
    across: str = ""
    words: tuple[str, ...] = ()

    @property
    def kind(self) -> type[Bar | Box | Dot | Curve] | None:
        """The type of the rows; None without rows."""
        return type(self.rows[0]) if self.rows else None

    def written(self, value: float) -> str:
        """A value of a row as written: dots to three places, others to as many as the axis makes worth reading."""
        if math.isnan(value):
            return "none"
        if self.kind is Dot:
            return decimal(value, 3 if abs(value) < 10 else 1)
        if self.kind is Bar and float(value).is_integer():
            return decimal(value, 0)
        return signed(value, max(map(abs, self.reach)), sign=self.signed and self.kind is Box)

    @property
    def beside(self) -> bool:
        """True if the chart stands beside its neighbours where there is width."""
        return self.kind in (Dot, Curve)

    @property
    def reach(self) -> tuple[float, float]:
        """The range of the axis: all numbers and, but for dots and curves, 0, with a little room on open sides."""
        values = [value for row in self.rows for value in row.numbers]
        finite = [value for value in (*values, self.mark, *(self.band or ())) if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(finite), max(finite)
        if self.kind is Bar:
            return low, high or 1.0
        room = (0.03 if self.kind is Box else 0.04) * ((high - low) or 1.0)
        return low - room, high + room
