"""Tables as boxes and words at places."""

from __future__ import annotations

import math
from collections.abc import Sequence

from exegesis.show.document import Column, Gauge, Table
from exegesis.show.figure import fonts
from exegesis.show.figure.scene import SMALL, TINY, Canvas
from exegesis.show.palette import hue

ROW, GAP, DOT = 13.5, 12.0, 5.0  # height of a row, between two columns, of a row's categorical colour
BAR, NARROW = 40.0, 60.0  # length of the longest bar; the least room of a column of words


def drawn(table: Table, canvas: Canvas, y: float) -> float:
    """Draw a table from ``y`` on and return where it ends; one to look things up in is left out.

    Columns of words are cut to the room that numbers leave. Columns that do not fit stand in further tables, with the
    first column repeated.
    """
    if table.fold:
        return y
    for columns, sizes in _pages(table, canvas.room - (DOT + 5 if table.hues else 0.0)):
        y = _page(table, canvas, columns, sizes, y) + 8
    return canvas.under([table.rest], y - 4) + 4 if table.rest else y


def _pages(table: Table, room: float) -> list[tuple[list[int], list[float]]]:
    """The columns of each table that is drawn, with their widths; numbers are never cut."""
    needed = [_width(table, column) for column in range(len(table.columns))]
    pairs = zip(table.columns, needed, strict=True)
    least = [min(size, NARROW) if column.words else size for column, size in pairs]
    pages, page = list[list[int]](), list[int]()
    for column in range(len(needed)):
        if page and sum(least[i] + GAP for i in [*page, column]) - GAP > room:
            pages.append(page)
            page = [0] if len(page) > 1 or page[0] else []
        page.append(column)
    pages.append(page)
    return [(columns, _shared([needed[i] for i in columns], [least[i] for i in columns], room)) for columns in pages]


def _shared(needed: Sequence[float], least: Sequence[float], room: float) -> list[float]:
    """Widths that fit the room: those needed, or if they are too wide, more than the least in equal shares."""
    spare = room - GAP * (len(needed) - 1) - sum(least)
    lacking = sum(needed) - sum(least)
    share = max(0.0, min(1.0, spare / lacking)) if lacking else 0.0
    return [low + share * (high - low) for low, high in zip(least, needed, strict=True)]


def _width(table: Table, column: int) -> float:
    head = table.columns[column]
    texts = [(head.name, TINY + 0.6), (head.note, TINY), *((_text(row[column]), SMALL) for row in table.rows)]
    bars = any(isinstance(row[column], Gauge) for row in table.rows)
    return max(fonts.width(text, size) for text, size in texts) + (BAR + 6 if bars else 0.0) + 1


def _page(table: Table, canvas: Canvas, columns: Sequence[int], sizes: Sequence[float], y: float) -> float:
    dots = DOT + 5 if table.hues else 0.0
    lefts = [canvas.left + dots + sum(sizes[:n]) + GAP * n for n in range(len(sizes))]
    places = [canvas.column(left, size) for left, size in zip(lefts, sizes, strict=True)]
    heads = [table.columns[column] for column in columns]
    for head, place in zip(heads, places, strict=True):
        _write(place, head, head.name, TINY + 0.6, y + 9, canvas.ground.muted)
        _write(place, head, head.note, TINY, y + 17, canvas.ground.muted)
    y += 21 if any(head.note for head in heads) else 13
    canvas.box(canvas.left, y, places[-1].right - canvas.left, 0.6, canvas.ground.line)
    groups = dict(table.groups)
    for number, row in enumerate(table.rows):
        if number in groups:
            canvas.write(canvas.left + dots, y + 10, groups[number], TINY + 0.6, bold=True)
            y += ROW
        tint = hue(table.hues[number], canvas.dark) if table.hues else ""
        if tint:
            canvas.box(canvas.left, y + 4.5, DOT, DOT, tint, radius=DOT / 2)
        for column, head, place in zip(columns, heads, places, strict=True):
            cell = row[column]
            if isinstance(cell, Gauge) and math.isfinite(cell.share):
                _bar(place, cell, y + 10, tint)
                place = place.column(place.left + BAR + 6, place.room - BAR - 6)
            _write(place, head, _text(cell), SMALL, y + 10, canvas.ground.ink, cut=head.words)
        y += ROW
    return y


def _bar(place: Canvas, gauge: Gauge, y: float, tint: str) -> None:
    """A bar from the left, or from the middle to both sides if it is signed."""
    paint = place.palette.paint(gauge.share, dark=place.dark, signed=gauge.signed)
    place.box(place.left, y - 5.5, BAR, 5, place.ground.line, radius=1.5)
    whole = BAR / 2 if gauge.signed else BAR
    long = max(0.8, abs(gauge.share) * whole)
    start = place.left + (whole - long if gauge.share < 0 else whole) if gauge.signed else place.left
    place.box(start, y - 5.5, long, 5, tint or paint.mark, gauge.text, 1.5)


def _write(place: Canvas, head: Column, text: str, size: float, y: float, colour: str, cut: bool = True) -> None:
    """A text at the left of its column if it is of words, else at the right; numbers are never cut."""
    x, anchor = (place.left, 0.0) if head.words else (place.right, 1.0)
    place.write(x, y, text, size, colour, anchor=anchor, room=place.room if cut else math.inf)


def _text(cell: str | Gauge) -> str:
    return cell.text if isinstance(cell, Gauge) else cell
