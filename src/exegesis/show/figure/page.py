"""Documents laid out as scenes: one function for each part, sections under each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from exegesis.show.document import Chart, Document, Facts, Heading, Legend, Matrix, Part, Passage, Prose, Table, Tree
from exegesis.show.figure import chart, legend, matrix, passage, table, tree
from exegesis.show.figure.canvas import Canvas, FigureOptions, blank
from exegesis.show.figure.scene import MARGIN, Box, Scene

BESIDE, GUTTER = 400.0, 26.0  # the width from which two parts stand side by side; the room between them


def scene(document: Document, options: FigureOptions) -> Scene:
    """A document laid out at most ``options.width`` inches wide and as tall as it must be.

    Sections have a rule between them; a narrow document gives up the empty room at its right.
    """
    canvas = blank(options, f"{document.kind}: {document.title}")
    y = MARGIN
    for number, section in enumerate(document.sections):
        if number:
            canvas.on.boxes.append(Box(canvas.left, y + 8, canvas.room, 0.6, canvas.rule))
            y += 22
        for parts in _groups(section.picture or section.parts):
            y = _beside(parts, canvas, y) if len(parts) > 1 else drawn(parts[0], canvas, y)
        y = canvas.under(canvas.remarks, y)
        canvas.remarks.clear()
    canvas.on.height = y + MARGIN - 4
    if not any(_mirrored(part) for section in document.sections for part in section.picture or section.parts):
        _narrow(canvas)
    return canvas.on


def drawn(part: Part, canvas: Canvas, y: float) -> float:
    """Draw a part from ``y`` on and return where it ends."""
    match part:
        case Facts():
            return legend.facts(part, canvas, y)
        case Prose():
            return legend.prose(part, canvas, y)
        case Heading():
            return legend.heading(part, canvas, y)
        case Passage():
            return passage.drawn(part, canvas, y)
        case Tree():
            return tree.drawn(part, canvas, y)
        case Matrix():
            return matrix.drawn(part, canvas, y)
        case Table():
            return y if part.fold else table.drawn(part, canvas, y)
        case Chart():
            return chart.drawn(part, canvas, y)
        case Legend():
            return legend.legend(part, canvas, y)


def _groups(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Parts that may stand side by side together, every other part alone."""
    for together, group in groupby(parts, _narrows):
        if together:
            yield list(group)
        else:
            yield from ([part] for part in group)


def _beside(parts: Sequence[Part], canvas: Canvas, y: float) -> float:
    """Parts in two columns if there is width, those of a row beginning at one height."""
    count = 2 if canvas.room >= BESIDE else 1
    room = (canvas.room - GUTTER * (count - 1)) / count
    for start in range(0, len(parts), count):
        columns = [canvas.column(canvas.left + at * (room + GUTTER), room) for at in range(count)]
        pairs = zip(parts[start : start + count], columns, strict=False)
        y = max(drawn(part, column, y) for part, column in pairs) + 6
    return y


def _narrows(part: Part) -> str:
    """The kind of a part that stands side by side with others of its kind; empty for a part that stands alone."""
    match part:
        case Chart():
            return "chart" if chart.beside(part) else ""
        case Matrix():
            return "matrix" if matrix.beside(part) else ""
    return ""


def _mirrored(part: Part) -> bool:
    """True if words begin at the right edge."""
    return isinstance(part, Passage | Tree) and part.layout.rtl


def _narrow(canvas: Canvas) -> None:
    """Take off the empty right side of short texts; what is drawn across the page shrinks with it."""
    drawing = canvas.on
    rights = [word.x + word.width for word in drawing.words] or [drawing.width]
    rights += [box.x + box.width for box in drawing.boxes if box.title]
    rights += [x for line in drawing.lines for x, _ in line.points]
    drawing.width = min(drawing.width, max(rights) + MARGIN)
    room = drawing.width - MARGIN
    drawing.boxes = [box._replace(width=max(0.0, min(box.width, room - box.x))) for box in drawing.boxes]
