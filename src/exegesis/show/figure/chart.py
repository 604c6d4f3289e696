"""Charts as boxes, lines and words at places: bars, box plots, means with intervals, curves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from exegesis.show.document import Bar, Box, Chart, Curve, Dot
from exegesis.show.figure import fonts
from exegesis.show.figure.scene import SIZE, SMALL, TINY, Canvas, Line
from exegesis.show.palette import blended, hue
from exegesis.show.wording import decimal, signed, visible

ROW, TALL = 19.0, 44.0  # height of a row, and of one with single scores
HALF, DOT, MAX_DOTS = 5.2, 2.6, 600  # half a box's height, a dot's width, dots drawn in a row
LABEL = 150.0  # the most room for names, and for notes
MEAN = 3.4  # half the width of a mean's dot
WORD = 60.0  # the most room for a word under curves
HIGH = 0.56  # height of a plot of curves, as a share of its width


@dataclass(frozen=True)
class _Axis:
    """Values from ``low`` to ``high`` over the places from ``left`` to ``right``, or from right to left."""

    left: float
    right: float
    low: float
    high: float
    reverse: bool = False

    def x(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.left + (self.right - self.left) * (1 - share if self.reverse else share)

    def span(self, low: float, high: float) -> tuple[float, float]:
        """The left end and the width of a range of values."""
        ends = sorted((self.x(low), self.x(high)))
        return ends[0], ends[1] - ends[0]


def drawn(chart: Chart, canvas: Canvas, y: float) -> float:
    """Draw a chart from ``y`` on and return where it ends.

    A box spans the middle half of the scores, its tick is the median, the dark bar within it the median's interval;
    whiskers end at the outermost scores within 1.5 box lengths, and dots are single scores. Of a bar the full part is
    drawn in the deeper colour. A mean's dot is hollow if it is not better than chance.
    """
    y = _head(chart, canvas, y)
    return (_curves if chart.kind is Curve else _rows)(chart, canvas, y) + 8


def ticks(low: float, high: float, most: int = 7) -> tuple[float, ...]:
    """Round numbers between two ends, at most ``most`` of them and 0 if it lies between; none for ends of NaN."""
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


def _head(chart: Chart, canvas: Canvas, y: float) -> float:
    """The title, with the tag at its end and the note under it."""
    tag = fonts.width(chart.tag, SMALL) + 8 if chart.tag else 0.0
    top, y = y, canvas.headed(chart.title, y, SIZE * 0.92, SIZE * 1.25, tag=tag)
    if chart.title:
        canvas.write(canvas.right, top + SIZE * 1.25, chart.tag, SMALL, anchor=1.0)
    if chart.note:
        y = canvas.under([chart.note], y + 3)
    return y + 8 if chart.title or chart.note else y + 2


def _rows(chart: Chart, canvas: Canvas, y: float) -> float:
    """Bars, boxes or means on one axis, each with its name before it and its note, or its number, after it."""
    rows = cast(tuple[Bar | Box | Dot, ...], chart.rows)
    notes = [chart.written(row.value) if isinstance(row, Dot) else row.note for row in rows]
    names = max(fonts.width(visible(row.name), *_letters(row)) for row in rows) + 4
    left = canvas.left + min(names, LABEL, 0.45 * canvas.room) + 8
    most = min(max(fonts.width(note, TINY + 0.4) for note in notes), LABEL)
    axis = _axis(chart, left, canvas.right - most - 10)
    top, heights = y, [TALL if isinstance(row, Box) and row.dots else ROW for row in rows]
    bottom = top + sum(heights) + (8.0 if chart.rule is not None else 0.0)
    if chart.band is not None and math.isfinite(chart.band[0]):
        x, wide = axis.span(*chart.band)
        grey = blended(canvas.on.paper, canvas.ground.muted, 0.16)
        canvas.box(x, top, max(wide, 1.0), bottom - top, grey, radius=2.0)
    end = _ticks(chart, canvas, axis, top, bottom)
    for number, (row, note, height) in enumerate(zip(rows, notes, heights, strict=True)):
        if number == chart.rule:
            canvas.box(canvas.left, y + 3.7, canvas.room, 0.6, canvas.ground.line)
            y += 8
        _labels(canvas, row, note, left - canvas.left - 8, most, y + height / 2)
        match row:
            case Bar():
                _bar(canvas, axis, row, y + height / 2)
            case Box():
                _box(chart, canvas, axis, row, y + height / 2)
            case Dot():
                _mean(chart, canvas, axis, row, y + height / 2)
        y += height
    if math.isfinite(chart.mark):
        canvas.box(axis.x(chart.mark) - 0.6, top - 2, 1.2, bottom - top + 4, canvas.ground.ink)
    return end


def _axis(chart: Chart, left: float, right: float) -> _Axis:
    low, high = chart.reach
    if chart.kind is Bar:
        high = low + 1.04 * ((1.0 if 0.5 < high < 1 else high) - low)  # whole for a probability
    return _Axis(left, right, low, high, chart.reverse)


def _ticks(chart: Chart, canvas: Canvas, axis: _Axis, top: float, bottom: float) -> float:
    """Draw the axis under the rows, with a stroke for each round number; returns where it ends."""
    if not chart.axis:
        return bottom
    bars = chart.kind is Bar
    marks = [mark for mark in ticks(axis.low, axis.high) if not bars or axis.high < 2.08 or float(mark).is_integer()]
    size = max((abs(mark) for mark in marks), default=1.0)
    for mark in marks:
        x, zero = axis.x(mark), abs(mark) < 1e-12 and not bars
        wide, colour = (0.8, canvas.ground.muted) if zero else (0.4, canvas.ground.line)
        canvas.box(x - wide / 2, top, wide, bottom - top + 3, colour)
        text = f"{mark:.3g}" if bars else signed(0.0 if zero else mark, size, sign=chart.signed)
        canvas.write(x, bottom + 12, text, TINY + 0.6, anchor=0.5)
    lines = fonts.lines(chart.axis, canvas.right - axis.left, SMALL)
    for number, line in enumerate(lines):
        middle = min((axis.left + axis.right) / 2, canvas.right - fonts.width(line, SMALL) / 2)
        canvas.write(middle, bottom + 26 + 11 * number, line, SMALL, anchor=0.5)
    return bottom + 30 + 11 * (len(lines) - 1)


def _labels(canvas: Canvas, row: Bar | Box | Dot, note: str, room: float, most: float, middle: float) -> None:
    """The name before a row, the note after it."""
    size, bold = _letters(row)
    colour = canvas.ground.muted if isinstance(row, Dot) and row.hue is None else canvas.ground.ink
    canvas.write(canvas.left, middle + 3, visible(row.name), size, colour, bold=bold, room=room)
    canvas.write(canvas.right, middle + 2.4, note, TINY + 0.4, anchor=1.0, room=most)


def _letters(row: Bar | Box | Dot) -> tuple[float, bool]:
    """The size of a row's name, and whether it is bold: means stand in narrow charts."""
    return (SMALL, False) if isinstance(row, Dot) else (SMALL + 0.6, True)


def _bar(canvas: Canvas, axis: _Axis, row: Bar, middle: float) -> None:
    if not math.isfinite(row.value):
        return
    title = visible(f"{row.name}: {row.part:.4g} of {row.value:.4g}")
    for amount, share in ((row.value, 0.3), (row.part, 1.0)):
        if math.isfinite(amount) and (amount or share < 1):
            x, wide = axis.span(0.0, amount)
            fill = canvas.palette.paint(share * row.side, dark=canvas.dark).ground
            canvas.box(x, middle - HALF, max(wide, 0.6), 2 * HALF, fill, title, 1.6)


def _box(chart: Chart, canvas: Canvas, axis: _Axis, row: Box, middle: float) -> None:
    spread = row.spread
    strongest = max(abs(box.spread.median) for box in chart.rows if isinstance(box, Box)) or 1.0
    share = spread.median / strongest
    paint = canvas.palette.paint(math.copysign(max(0.35, abs(share)), share), dark=canvas.dark, signed=chart.signed)
    y, score = middle - 9 if row.dots else middle, signed(spread.median, strongest)
    title = visible(f"{row.name}: median {score}, {spread.size} scores of {spread.texts} texts")
    for start, stop in ((spread.low, spread.q1), (spread.q3, spread.high)):
        x, wide = axis.span(start, stop)
        canvas.box(x, y - 0.5, max(wide, 0.5), 1.0, canvas.ground.muted)
    for end in (spread.low, spread.high):
        canvas.box(axis.x(end) - 0.4, y - 2.6, 0.8, 5.2, canvas.ground.muted)
    x, wide = axis.span(spread.q1, spread.q3)
    canvas.box(x, y - HALF, max(wide, 1.2), 2 * HALF, paint.ground, title, 1.6)
    if math.isfinite(spread.median_low):
        x, wide = axis.span(spread.median_low, spread.median_high)
        canvas.box(x, y - 1.1, wide, 2.2, paint.mark, radius=1.1)
    canvas.box(axis.x(spread.median) - 0.8, y - HALF - 0.8, 1.6, 2 * HALF + 1.6, canvas.ground.ink)
    _scores(chart, canvas, axis, row, middle + 9)


def _scores(chart: Chart, canvas: Canvas, axis: _Axis, row: Box, y: float) -> None:
    """Single scores, each a little off the line so that they stay apart; of very many every n-th in order of size."""
    ranked = sorted(row.dots)
    for i, value in enumerate(ranked[:: max(1, math.ceil(len(ranked) / MAX_DOTS))]):
        off = 6.5 * (((i * 0.6180339887) % 1.0) - 0.5) * 2
        paint = canvas.palette.paint(math.copysign(1.0, value), dark=canvas.dark, signed=chart.signed)
        x, title = axis.x(value) - DOT / 2, signed(value, abs(value) or 1.0)
        canvas.box(x, y + off - DOT / 2, DOT, DOT, paint.mark, title, DOT / 2)


def _mean(chart: Chart, canvas: Canvas, axis: _Axis, row: Dot, middle: float) -> None:
    if not math.isfinite(row.value):
        return
    colour, title = hue(row.hue, canvas.dark), f"{row.name}: {chart.written(row.value)}"
    if math.isfinite(row.low):
        x, wide = axis.span(row.low, row.high)
        canvas.box(x, middle - 0.8, wide, 1.6, colour, radius=0.8)
        title += f", interval {chart.written(row.low)} to {chart.written(row.high)}" + f", {row.note}" * bool(row.note)
    x = axis.x(row.value)
    canvas.box(x - MEAN, middle - MEAN, 2 * MEAN, 2 * MEAN, colour, visible(title), MEAN)
    if row.hollow:
        inner = MEAN - 1.2
        canvas.box(x - inner, middle - inner, 2 * inner, 2 * inner, canvas.on.paper, visible(title), inner)


def _curves(chart: Chart, canvas: Canvas, y: float) -> float:
    """Lines over an area with round numbers at its sides; the axis upwards is named above it."""
    curves = cast(tuple[Curve, ...], chart.rows)
    if chart.axis:
        y = canvas.under([chart.axis], y - 3) + 4
    xs = [x for curve in curves for x, _ in curve.points] or [0.0, 1.0]
    ys = [value for curve in curves for _, value in curve.points if math.isfinite(value)] or [0.0, 1.0]
    marks = _levels(0.0 if chart.words and not chart.signed else min(ys), max(ys))  # sizes of words start at zero
    across = _Axis(canvas.left + 26, canvas.right - 6, min(xs), max(xs))
    bottom = y + HIGH * canvas.room
    upwards = _Axis(bottom, y, marks[0], marks[-1])
    for mark in marks:
        at = upwards.x(mark)
        canvas.box(across.left, at - 0.25, across.right - across.left, 0.5, canvas.ground.line)
        canvas.write(across.left - 5, at + 2.4, decimal(mark, 2), TINY + 0.4, anchor=1.0)
    for mark in () if chart.words else ticks(across.low, across.high, 6):
        canvas.write(across.x(mark), bottom + 11, f"{mark:.3g}", TINY + 0.4, anchor=0.5)
    heads = [fonts.fitted(word, WORD, TINY + 0.4) for word in chart.words]
    for number, word in enumerate(heads, 1):
        high = fonts.width(word, TINY + 0.4)
        canvas.write(across.x(number) + 2.4, bottom + 5 + high, word, TINY + 0.4, angle=90)
    bottom += max((fonts.width(word, TINY + 0.4) for word in heads), default=0.0)
    for curve in reversed(curves):
        points = tuple((across.x(x), upwards.x(value)) for x, value in curve.points)
        if len(points) > 1 and all(math.isfinite(value) for _, value in points):
            wide = 1.1 if curve.hue is None else 1.6
            colour = hue(curve.hue, canvas.dark)
            canvas.on.lines.append(Line(points, colour, wide, curve.dash, visible(curve.name)))
    middle = (across.left + across.right) / 2
    if not chart.across and chart.words:
        return bottom + 8
    canvas.write(middle, bottom + 22, chart.across, TINY + 0.4, anchor=0.5, room=canvas.room)
    return bottom + 26


def _levels(low: float, high: float) -> list[float]:
    """The round numbers beside an area of curves: whole quarters of probabilities, else steps of a power of ten."""
    step = 0.25 if high - low <= 1 else 10 ** math.ceil(math.log10((high - low) / 4))
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [k * step for k in range(first, last + 1)]
