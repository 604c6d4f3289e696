"""Rows under columns, with bars in cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Column(NamedTuple):
    """The head of a table's column. ``words``: aligned left, may be cut or folded; numbers are aligned right and never
    cut. ``note`` is a second line of the head (the direction in which a measure is better)."""

    name: str
    words: bool = False
    note: str = ""


class Gauge(NamedTuple):
    """A number with a bar of a ``share`` of the longest: to both sides of zero if ``signed``, else from the left in the
    palette's colour of sizes (in the row's hue if it has one). A share of NaN has no bar."""

    text: str
    share: float
    signed: bool = True


@dataclass(frozen=True)
class Table:
    """Rows under columns; a cell is a text, or a number with a bar.

    A table with ``fold`` is one to look things up in: HTML folds it under that name (neighbours with the same name
    together, of a long one the 400 rows of the largest gauges); a terminal prints its first ``peek`` rows, all of them
    if numbers are asked for; figures and LaTeX leave it out. ``rest`` is a muted line under the rows. ``groups`` puts
    names in lines between rows, each before the row of its number. ``hues`` gives each row a dot in a categorical
    colour. Blanks at the start of a cell are the depth of a phrase. Columns that do not fit stand in further tables.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | Gauge, ...], ...]
    fold: str = ""
    peek: int = 0
    rest: str = ""
    groups: tuple[tuple[int, str], ...] = ()
    hues: tuple[int | None, ...] = ()


def table(names: Sequence[str], rows: Iterable[Sequence[str | Gauge]], words: int = 1, **more: Any) -> Table:
    """A table whose first ``words`` columns hold words; ``more`` are further fields of ``Table``."""
    columns = tuple(Column(name, words=number < words) for number, name in enumerate(names))
    return Table(columns, tuple(map(tuple, rows)), **more)
