"""Passages as boxes and words at places, like the paper's Figures 4, 5 and 6."""

from __future__ import annotations

from exegesis.show.document import Block, Cell, Passage, Row
from exegesis.show.figure import fonts
from exegesis.show.figure.scene import BLANK, SIZE, SMALL, TINY, Box, Canvas, placed, widths
from exegesis.show.palette import Paint

BOX, ROW, SCORED = 16.0, 19.0, 26.5  # heights: of a box, of a row, of a row with numbers under its boxes
PART = 16.0  # room for the number of a text of a pair


def drawn(passage: Passage, canvas: Canvas, y: float) -> float:
    """Draw a passage from ``y`` on and return where it ends.

    Each line of text stands once for each row: methods, models or targets under each other, or the levels of a result,
    each box over the words that it spans.
    """
    if passage.caption:
        y = canvas.under([passage.caption], y) + 2
    if not passage.layout.atoms:
        canvas.write(canvas.left, y + 11, "(the text is empty)", SIZE)
        return y + ROW + 8
    drawing = _Drawing(passage, canvas)
    tall = sum(len(block.rows) for block in passage.blocks) > 1
    for line in passage.layout.lines(drawing.widths, BLANK, canvas.room - drawing.gutter):
        y += (7.0 if tall else 1.5) if line.start else 0.0
        for block in passage.blocks:
            y = drawing.block(block, line, y)
    return y + 8


class _Drawing:
    """A passage on a canvas: the room of its atoms and of the names before its rows."""

    def __init__(self, passage: Passage, canvas: Canvas) -> None:
        self.passage, self.canvas, self.layout = passage, canvas, passage.layout
        rows = [(block, row) for block in passage.blocks for row in block.rows]
        names = [fonts.width(passage.name(block, row), SMALL, True) for block, row in rows]
        notes = [fonts.width(block.note, TINY) for block in passage.blocks]
        self.part = PART if self.layout.parts > 1 else 0.0
        wide = max([*names, *notes, 0.0])
        self.gutter = (min(wide + 8, 0.34 * canvas.room) if wide else 0.0) + self.part
        self.widths = self._widths()

    def block(self, block: Block, line: range, y: float) -> float:
        canvas, several = self.canvas, len(self.passage.blocks) > 1
        if several and len(block.rows) > 1:
            canvas.write(canvas.left, y + 10, block.label, SMALL, canvas.ground.ink, bold=True, room=canvas.room)
            y += 14
        for row in block.rows:
            scored = canvas.numbers or not row.fine
            named = several and len(block.rows) == 1
            self._name(self.passage.name(block, row), block.note if named else "", named, line, y)
            self._row(block, row, line, y, scored)
            y += SCORED if scored else ROW + (3.0 if named and block.note else 0.0)
        return y

    def _name(self, name: str, note: str, strong: bool, line: range, y: float) -> None:
        """A row's name, right against its words; the number of a text of a pair between the two."""
        canvas = self.canvas
        edge, room = canvas.left + self.gutter - 8 - self.part, self.gutter - 8 - self.part
        if self.part:
            canvas.number(self.layout.atoms[line.start].part, edge + 5, y)
        colour, up = (canvas.ground.ink if strong else ""), (3.0 if note else 0.0)
        canvas.write(edge, y + 11 - up, name, SMALL, colour, bold=strong, anchor=1.0, room=room)
        canvas.write(edge, y + 16, note, TINY, anchor=1.0, room=room)

    def _row(self, block: Block, row: Row, line: range, y: float, scored: bool) -> None:
        canvas = self.canvas
        places = placed(self.layout, line, self.widths, canvas.left + self.gutter, canvas.room - self.gutter)
        inks: dict[int, str] = {}
        at = dict(places)
        for cell, inside in row.runs(at):
            if cell is None:
                continue
            paint = canvas.palette.paint(cell.share, dark=canvas.dark, signed=block.signed)
            inks |= dict.fromkeys(inside, paint.ink)
            left, right = at[inside[0]], at[inside[-1]] + self.widths[inside[-1]]
            self._cell(block, cell, paint, left, right - left, y)
            if scored and min(inside) == cell.start:
                self._score(block, cell, left, right - left, y)
        for i, x in places:
            text, ink = self.layout.atoms[i].text, inks.get(i, canvas.ground.ink)
            canvas.write(x + self.widths[i] / 2, y + 11.6, text, SIZE, ink, anchor=0.5)

    def _cell(self, block: Block, cell: Cell, paint: Paint, x: float, width: float, y: float) -> None:
        title = f"{self.layout.surface(cell.start, cell.stop)}: {block.written(cell.score)}"
        if cell.marked:
            self.canvas.box(x - 1, y - 1, width + 2, BOX + 2, self.canvas.ground.ink, radius=2.6)
        self.canvas.cell(Box(x, y, width, BOX, paint.ground, title, 2.0), cell.share, paint, signed=block.signed)

    def _score(self, block: Block, cell: Cell, x: float, width: float, y: float) -> None:
        text = block.written(cell.score)
        if fonts.width(text, TINY) <= width + 2 * BLANK:
            self.canvas.write(x + width / 2, y + BOX + 6.6, text, TINY, anchor=0.5)

    def _widths(self) -> list[float]:
        """The room of each atom: its text in its box, and with numbers its longest score."""
        sizes = widths(self.layout)
        for block in self.passage.blocks if self.canvas.numbers else ():
            for row in block.rows:
                for cell in row.cells:
                    inside = range(cell.start, cell.stop)
                    missing = fonts.width(block.written(cell.score), TINY) + 1 - sum(sizes[i] for i in inside)
                    sizes[cell.start] += max(0.0, missing)
        return sizes
