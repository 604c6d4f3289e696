"""Documents laid out as scenes: one function for each part, sections under each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from exegesis.show import document as doc
from exegesis.show.figure import alignment, chart, legend, matrix, passage, table, tree
from exegesis.show.figure.scene import MARGIN, Canvas, Scene, blank
from exegesis.show.palette import Palette

BESIDE, GUTTER = 400.0, 26.0  # the width from which two parts stand side by side; the room between them


DRAWN: dict[type, Callable[[Any, Canvas, float], float]] = {  # each draws a part from a height on, to where it ends
    doc.Facts: legend.facts,
    doc.Prose: legend.prose,
    doc.Heading: legend.heading,
    doc.Passage: passage.drawn,
    doc.Tree: tree.drawn,
    doc.Matrix: matrix.drawn,
    doc.Alignment: alignment.drawn,
    doc.Table: table.drawn,
    doc.Chart: chart.drawn,
    doc.Legend: legend.legend,
}


def scene(document: doc.Document, *, palette: str | Palette = "green-red", dark: bool = False, width: float = 7.0,
          numbers: bool = False) -> Scene:  # fmt: skip
    """A document laid out at most ``width`` inches wide and as tall as it must be, on light or ``dark`` ground.

    Sections have a rule between them; a narrow document gives up the empty room at its right.
    """
    canvas = blank(f"{document.kind}: {document.title}", palette, dark, width, numbers)
    y = MARGIN
    for number, section in enumerate(document.sections):
        if number:
            canvas.box(canvas.left, y + 8, canvas.room, 0.6, canvas.ground.line)
            y += 22
        for parts in _groups(section.picture or section.parts):
            y = _beside(parts, canvas, y) if len(parts) > 1 else DRAWN[type(parts[0])](parts[0], canvas, y)
        y = canvas.under(canvas.remarks, y)
        canvas.remarks.clear()
    canvas.on.height = y + MARGIN - 4
    parts = [part for section in document.sections for part in section.picture or section.parts]
    if not any(part.layout.rtl for part in parts if isinstance(part, doc.Passage | doc.Tree)):
        _narrow(canvas)  # no words begin at the right edge
    return canvas.on


def _groups(parts: Sequence[doc.Part]) -> Iterator[list[doc.Part]]:
    """Parts that may stand side by side together, every other part alone."""
    for together, group in groupby(parts, _narrows):
        if together:
            yield list(group)
        else:
            yield from ([part] for part in group)


def _beside(parts: Sequence[doc.Part], canvas: Canvas, y: float) -> float:
    """Parts in two columns if there is width (three charts of curves in three), each row at one height."""
    curves = all(isinstance(part, doc.Chart) and part.kind is doc.Curve for part in parts)
    count = (3 if curves and len(parts) == 3 else 2) if canvas.room >= BESIDE else 1
    room = (canvas.room - GUTTER * (count - 1)) / count
    for start in range(0, len(parts), count):
        columns = [canvas.column(canvas.left + at * (room + GUTTER), room) for at in range(count)]
        pairs = zip(parts[start : start + count], columns, strict=False)
        y = max(DRAWN[type(part)](part, column, y) for part, column in pairs) + 6
    return y


def _narrows(part: doc.Part) -> str:
    """The kind of a part that stands side by side with others of its kind; empty for a part that stands alone."""
    if isinstance(part, doc.Matrix):
        return "matrix" if not part.half and len(part.across) <= 4 else ""
    return "chart" if isinstance(part, doc.Chart) and part.beside else ""


def _narrow(canvas: Canvas) -> None:
    """Take off the empty right side of short texts; what is drawn across the page shrinks with it."""
    drawing = canvas.on
    rights = [word.x + word.width for word in drawing.words] or [drawing.width]
    rights += [box.x + box.width for box in drawing.boxes if box.title]
    rights += [x for line in drawing.lines for x, _ in line.points]
    drawing.width = min(drawing.width, max(rights) + MARGIN)
    room = drawing.width - MARGIN
    drawing.boxes = [box._replace(width=max(0.0, min(box.width, room - box.x))) for box in drawing.boxes]
