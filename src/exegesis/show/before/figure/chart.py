"""Box plots as scenes, and so as SVG, PNG and PDF. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from exegesis.show.before.figure import fonts
from exegesis.show.before.figure.scene import MARGIN, SIZE, SMALL, TINY, Box, Scene, clipped, folded
from exegesis.show.palette import Ground, Palette, ground, palette_named
from exegesis.show.sheet import Bars, Boxes, reach, ticks
from exegesis.show.sheet import Box as Row
from exegesis.show.wording import MINUS, signed, visible

ROW, TALL = 19.0, 44.0  # height of a row, and of one with dots
HALF, DOT, MOST = 5.2, 2.6, 600  # half a box's height, a dot's width, dots drawn of a row


def stacked(parts: Sequence[Boxes | Bars], **options: Any) -> Scene:
    """Several charts under each other; options as of ``scene``."""
    pages = [scene(part, **options) if isinstance(part, Boxes) else bars(part, **options) for part in parts]
    whole = Scene(pages[0].width, title=pages[0].title, paper=pages[0].paper)
    for page in pages:
        whole.boxes += [box._replace(y=box.y + whole.height) for box in page.boxes]
        whole.words += [word._replace(y=word.y + whole.height) for word in page.words]
        whole.height += page.height
    return whole


def bars(chart: Bars, *, palette: str | Palette = "green-red", dark: bool = False, width: float = 7.0) -> Scene:
    """Bars on one axis from 0, the full part of each in the deeper colour."""
    around, colours = ground(dark), palette_named(palette)
    page = Scene(width * 72, title=chart.title, paper=around.paper)
    left, right, y = _frame(page, chart.title, [(row.name, row.note) for row in chart.rows], around)
    top, bottom = y, y + ROW * len(chart.rows)
    most = (
        max(max((row.value for row in chart.rows), default=1.0), 0.0 if math.isnan(chart.mark) else chart.mark) or 1.0
    )
    most = 1.0 if 0.5 < most < 1 else most  # a probability
    scale = (right - left) / (1.04 * most)
    shown = [mark for mark in ticks(0.0, most) if most < 2 or float(mark).is_integer()]
    for mark in shown:
        page.boxes.append(Box(left + mark * scale - 0.2, top, 0.4, bottom - top + 3, around.line))
        page.write(left + mark * scale, bottom + 12, f"{mark:.3g}", TINY + 0.6, around.muted, anchor=0.5)
    for number, row in enumerate(chart.rows):
        middle = top + ROW * (number + 0.5)
        _labels(page, row.name, row.note, left, middle, around)
        said = visible(f"{row.name}: {row.part:.4g} of {row.value:.4g}")
        pale = colours.paint(0.3 * row.side, dark=dark).ground
        page.boxes.append(Box(left, middle - HALF, max(row.value * scale, 0.6), 2 * HALF, pale, said, 1.6))
        if row.part:
            deep = colours.paint(1.0 * row.side, dark=dark).ground
            page.boxes.append(Box(left, middle - HALF, row.part * scale, 2 * HALF, deep, said, 1.6))
    if not math.isnan(chart.mark):
        page.boxes.append(Box(left + chart.mark * scale - 0.6, top - 2, 1.2, bottom - top + 4, around.ink))
    page.write(
        (left + right) / 2, bottom + 26, clipped(chart.axis, right - left, SMALL), SMALL, around.muted, anchor=0.5
    )
    page.height = bottom + 34 + MARGIN * 0.4
    return page


def _frame(page: Scene, title: str, rows: Sequence[tuple[str, str]], around: Ground) -> tuple[float, float, float]:
    """Write the title; the left and right edge of the chart, and where its rows begin."""
    y = MARGIN
    for line in folded(title, page.width - 2 * MARGIN) if title else ():
        y += SIZE * 1.25
        page.write(MARGIN, y, line, SIZE * 0.92, around.ink, bold=True)
    names = min(150.0, max(fonts.width(visible(name), SMALL + 0.6, True) for name, _ in rows) + 4)
    notes = min(150.0, max(fonts.width(visible(note), TINY + 0.4) for _, note in rows))
    return MARGIN + names + 8, page.width - MARGIN - notes - 8, y + 10


def _labels(page: Scene, name: str, note: str, left: float, middle: float, around: Ground) -> None:
    text = clipped(visible(name), left - MARGIN - 8, SMALL + 0.6, True)
    page.write(MARGIN, middle + 3, text, SMALL + 0.6, around.ink, bold=True)
    text = clipped(visible(note), 150, TINY + 0.4)
    page.write(page.width - MARGIN, middle + 2.4, text, TINY + 0.4, around.muted, anchor=1.0)


def scene(boxes: Boxes, *, palette: str | Palette = "green-red", dark: bool = False, width: float = 7.0) -> Scene:
    """Rows of boxes on one axis, at most ``width`` inches wide.

    A box spans the middle half of the scores, its tick is the median, the dark bar within it the median's 95 %
    interval; whiskers end at the outermost scores within 1.5 box lengths. Dots are single scores.
    """
    around, colours = ground(dark), palette_named(palette)
    page = Scene(width * 72, title=boxes.title, paper=around.paper)
    left, right, y = _frame(page, boxes.title, [(row.name, row.note) for row in boxes.rows], around)
    low, high = reach(boxes.rows)
    scale = (right - left) / (high - low)
    top, heights = y, [TALL if row.dots else ROW for row in boxes.rows]
    bottom = top + sum(heights)
    _axis(page, boxes, around, (left, low, scale), (top, bottom), right)
    strongest = max(abs(row.spread.median) for row in boxes.rows) or 1.0
    for row, height in zip(boxes.rows, heights, strict=True):
        middle = y + height / 2
        _labels(page, row.name, row.note, left, middle, around)
        _row(page, row, boxes, colours, dark, (left, low, scale), middle, strongest)
        y += height
    page.height = bottom + 34 + MARGIN * 0.4
    return page


def _axis(
    page: Scene, boxes: Boxes, around: Ground, at: tuple[float, float, float], ends: tuple[float, float], right: float
) -> None:
    left, low, scale = at
    top, bottom = ends
    marks = ticks(low, low + (right - left) / scale)
    size = max((abs(mark) for mark in marks), default=1.0)
    for mark in marks:
        x, zero = left + (mark - low) * scale, abs(mark) < 1e-12
        page.boxes.append(Box(x - (0.4 if zero else 0.2), top, 0.8 if zero else 0.4, bottom - top + 3,
                              around.muted if zero else around.line))  # fmt: skip
        text = signed(0.0 if zero else mark, size, minus=MINUS, sign=boxes.signed)
        page.write(x, bottom + 12, text, TINY + 0.6, around.muted, anchor=0.5)
    page.write(
        (left + right) / 2, bottom + 26, clipped(boxes.axis, right - left, SMALL), SMALL, around.muted, anchor=0.5
    )


def _row(
    page: Scene, row: Row, boxes: Boxes, colours: Palette, dark: bool, at: tuple[float, float, float],
    middle: float, strongest: float,
) -> None:  # fmt: skip
    left, low, scale = at
    spread, around = row.spread, ground(dark)
    share = spread.median / strongest
    paint = colours.paint(math.copysign(max(0.35, abs(share)), share), dark=dark, signed=boxes.signed)

    def x(value: float) -> float:
        return left + (value - low) * scale

    y = middle - 9 if row.dots else middle
    said = f"{row.name}: median {signed(spread.median, strongest)}, {spread.size} scores of {spread.texts} texts"
    for start, stop in ((spread.low, spread.q1), (spread.q3, spread.high)):
        page.boxes.append(Box(x(start), y - 0.5, max(x(stop) - x(start), 0.5), 1.0, around.muted))
    for end in (spread.low, spread.high):
        page.boxes.append(Box(x(end) - 0.4, y - 2.6, 0.8, 5.2, around.muted))
    page.boxes.append(Box(x(spread.q1), y - HALF, max(x(spread.q3) - x(spread.q1), 1.2), 2 * HALF, paint.ground,
                          visible(said), 1.6))  # fmt: skip
    if math.isfinite(spread.median_low):
        page.boxes.append(Box(x(spread.median_low), y - 1.1, x(spread.median_high) - x(spread.median_low), 2.2,
                              paint.mark, radius=1.1))  # fmt: skip
    page.boxes.append(Box(x(spread.median) - 0.8, y - HALF - 0.8, 1.6, 2 * HALF + 1.6, around.ink))
    _dots(page, row, colours, dark, boxes.signed, at, middle + 9)


def _dots(
    page: Scene, row: Row, colours: Palette, dark: bool, signs: bool, at: tuple[float, float, float], y: float
) -> None:
    """Single scores, each a little off the line so that they stay apart; of very many every n-th in order of size."""
    left, low, scale = at
    ranked = sorted(row.dots)
    for i, value in enumerate(ranked[:: max(1, math.ceil(len(ranked) / MOST))]):
        off = 6.5 * (((i * 0.6180339887) % 1.0) - 0.5) * 2
        paint = colours.paint(math.copysign(1.0, value), dark=dark, signed=signs)
        page.boxes.append(Box(left + (value - low) * scale - DOT / 2, y + off - DOT / 2, DOT, DOT, paint.mark,
                              signed(value, abs(value) or 1.0), DOT / 2))  # fmt: skip
