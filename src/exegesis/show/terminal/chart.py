"""Charts in a terminal, of block characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from exegesis.show.document import Bar, Box, Chart, Column, Curve, Dot, Table
from exegesis.show.palette import hue
from exegesis.show.terminal.look import BOLD, MUTED, PLAIN, Line, Look, hyphened, padded
from exegesis.show.terminal.table import table
from exegesis.show.wording import decimal, signed

Mark = Bar | Box | Dot
NAME, NOTE, VALUE = 18, 34, 8  # columns of a row's name, of its note, of its number, at most
POINTS = 5  # of a curve


def chart(part: Chart, look: Look) -> list[Line]:
    """A title and a row for each bar, box or dot; curves as a table of some points."""
    lines: list[Line] = [[Segment(part.title, BOLD), Segment(f"  {part.tag}" if part.tag else "", MUTED)]]
    lines += look.muted(part.note)
    curves = [row for row in part.rows if isinstance(row, Curve)]
    if curves:
        return lines + _curves(part, curves, look)
    low, high = part.reach
    rows = [row for row in part.rows if not isinstance(row, Curve)]
    names = min(NAME, max(cell_len(row.name) for row in rows))
    notes = min(NOTE, max(cell_len(_note(row)) for row in rows), max(0, look.width - names - 44))
    room = max(12, look.width - names - notes - VALUE - 5)
    for at, row in enumerate(rows):
        lines += [[Segment("╌" * (names + room + 1), MUTED)]] if part.rule == at else []
        cells = "".join(_cells(row, part, low, high, room))
        lines.append([
            Segment(padded(row.name, names) + " ", BOLD),
            Segment(cells, _style(row, part, look)),
            Segment(f" {hyphened(part.written(row.value)):>{VALUE}}"),
            Segment("  " + padded(_note(row), notes) if notes else "", MUTED),
        ])  # fmt: skip
    return lines + _axis(part, names + 1, room, (low, high))


def _cells(row: Mark, part: Chart, low: float, high: float, room: int) -> list[str]:
    """A row as characters, one per column."""

    def at(value: float) -> int:
        share = (value - low) / ((high - low) or 1.0)
        return min(room - 1, max(0, int((1 - share if part.reverse else share) * room)))

    def fill(first: float, last: float, character: str) -> None:
        start, stop = sorted((at(first), at(last)))
        cells[start : stop + 1] = character * (stop - start + 1)

    cells = [" "] * room
    if part.band is not None:
        fill(*part.band, "░")
    if isinstance(row, Bar):
        whole, full = (round((value - low) / ((high - low) or 1.0) * room) for value in (row.value, row.part))
        cells = list(("█" * full + "░" * (whole - full)).ljust(room))
    elif isinstance(row, Box):
        spread = row.spread
        cells[at(0.0)] = "┊"
        fill(spread.low, spread.high, "─")
        cells[at(spread.low)], cells[at(spread.high)] = "├", "┤"
        fill(spread.q1, spread.q3, "█")
        cells[at(spread.median)] = "┃"
    elif isinstance(row, Dot) and math.isfinite(row.value):
        if math.isfinite(row.low):
            fill(row.low, row.high, "─")
        cells[at(row.value)] = "○" if row.hollow else "●"
    if math.isfinite(part.mark):
        cells[at(part.mark)] = "┊"
    return cells


def _note(row: Mark) -> str:
    return "" if isinstance(row, Dot) else row.note


def _style(row: Mark, part: Chart, look: Look) -> Style:
    if isinstance(row, Dot):
        return Style(color=hue(row.hue, look.dark)) if look.color else PLAIN
    return look.mark(row.side if isinstance(row, Bar) else row.value, part.signed)


def _axis(part: Chart, indent: int, room: int, ends: tuple[float, float]) -> list[Line]:
    """The numbers at both ends of the axis and its name between them, or under them if there is no room."""
    name: list[Line] = [[Segment(" " * indent + part.axis, MUTED)]] if part.axis else []
    if part.kind is Bar:
        return name
    size, signs = max(map(abs, ends)), part.signed and part.kind is Box
    left, right = (hyphened(signed(end, size, sign=signs)) for end in (ends[::-1] if part.reverse else ends))
    inner = room - len(left) - len(right)
    if cell_len(part.axis) + 2 > inner:
        return [[Segment(" " * indent + left + " " * max(1, inner) + right, MUTED)], *name]
    return [[Segment(" " * indent + left + part.axis.center(inner) + right, MUTED)]]


def _curves(part: Chart, curves: Sequence[Curve], look: Look) -> list[Line]:
    points = curves[0].points
    if part.words:
        columns = (Column(part.across, words=True), *map(Column, part.words))
        places = sorted({place for curve in curves for place, _ in curve.points})
        known = [(curve.name, dict(curve.points)) for curve in curves]  # a curve need not stand at every word
        rows = tuple(
            (name, *(decimal(values[place], 2) if place in values else "" for place in places))
            for name, values in known
        )
        return table(Table(columns, rows), look)
    at = sorted({round(k * (len(points) - 1) / (POINTS - 1)) for k in range(POINTS)})
    columns = (Column(part.across, words=True), *(Column(f"{points[k][0]:g}") for k in at))
    rows = tuple((curve.name, *(decimal(curve.points[k][1], 2) for k in at)) for curve in curves)
    return table(Table(columns, rows), look)
