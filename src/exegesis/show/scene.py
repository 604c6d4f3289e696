"""Results laid out as boxes and words at places, which matplotlib and the SVG writer both draw. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from exegesis.core.explanation import Attribution
from exegesis.show import fonts
from exegesis.show.canvas import MARGIN, SIZE, SMALL, TINY, Box, Scene, clipped
from exegesis.show.caption import Caption
from exegesis.show.layout import Block, Cell, Panel, Row, Scale, panels
from exegesis.show.lines import fill
from exegesis.show.palette import Paint, Palette, ground, palette_named
from exegesis.show.visual import order
from exegesis.show.wording import MINUS, signed

PAD, BLANK, TIGHT = 2.6, 2.2, 0.7  # inside a word's box; between words; between words that no blank divides
BOX, ROW, SCORED = 16.0, 19.0, 26.5  # heights: of a box, of a row, of a row with numbers under its boxes
MARKED = 0.1  # share of the scale from which a bar marks the sign


def scene(
    results: Attribution | Sequence[Attribution],
    *,
    palette: str | Palette = "green-red",
    scale: Scale | None = None,
    width: float = 7.0,
    numbers: bool = False,
    dark: bool = False,
) -> Scene:
    """Results laid out at some width in inches, or less where they need less, each text with all its results."""
    every = panels(results, scale)
    title = "; ".join(panel.surface(Cell(0, min(30, len(panel.atoms)), 0.0, 0.0)) for panel in every[:3])
    drawing = Scene(72 * max(2.0, width), title=f"Explanation of: {title}", paper=ground(dark).paper)
    y = MARGIN
    for i, panel in enumerate(every):
        if i:
            drawing.boxes.append(Box(MARGIN, y + 8, drawing.width - 2 * MARGIN, 0.6, ground(dark).line))
            y += 22
        y = _Page(drawing, panel, palette_named(palette), numbers, dark).draw(y)
    drawing.height = y + MARGIN - 4
    if not any(panel.rtl for panel in every):
        narrow(drawing)
    return drawing


def narrow(drawing: Scene) -> None:
    """Take off the empty right side of short texts; what is drawn across the page shrinks with it."""
    rights = [word.x + word.width for word in drawing.words] or [drawing.width]
    rights += [box.x + box.width for box in drawing.boxes if box.title]
    drawing.width = min(drawing.width, max(rights) + MARGIN)
    room = drawing.width - MARGIN
    drawing.boxes = [box._replace(width=min(box.width, room - box.x)) for box in drawing.boxes]


class _Page:
    """One panel on a scene."""

    def __init__(self, drawing: Scene, panel: Panel, palette: Palette, numbers: bool, dark: bool) -> None:
        self.on, self.panel, self.palette, self.numbers, self.dark = drawing, panel, palette, numbers, dark
        self.ink, self.muted = ground(dark).ink, ground(dark).muted
        self.owners = {id(row): panel.owners(row) for block in panel.blocks for row in block.rows}
        self.room = drawing.width - 2 * MARGIN
        names = [fonts.width(self._name(block, row), SMALL, True) for block in panel.blocks for row in block.rows]
        extra = [fonts.width(block.note, TINY) for block in panel.blocks]
        parts = 16.0 if panel.parts > 1 else 0.0
        self.gutter = min(max([*names, *extra, 0.0]) + 8, 0.34 * self.room) + parts
        self.widths = self._widths()

    def draw(self, y: float) -> float:
        caption = Caption(self.on, self.panel, self.palette, self.dark)
        y = caption.header(y)
        if not self.panel.atoms:
            self.on.write(MARGIN, y + 11, "(the text is empty)", SIZE, self.muted)
            y += ROW
        tall = sum(len(block.rows) for block in self.panel.blocks) > 1
        for line in fill(self.panel, self.widths, BLANK, self.room - self.gutter):
            y += (7.0 if tall else 1.5) if line.start else 0.0
            for block in self.panel.blocks:
                y = self._block(block, line, y)
        return caption.notes(caption.legend(y + 8))

    # rows ---------------------------------------------------------------------------------------------

    def _block(self, block: Block, line: range, y: float) -> float:
        several = len(self.panel.blocks) > 1
        if several and len(block.rows) > 1:
            self.on.write(MARGIN, y + 10, clipped(block.label, self.room, SMALL, True), SMALL, self.ink, bold=True)
            y += 14
        for row in block.rows:
            scored = self.numbers or not self.panel.fine(row)
            named = several and len(block.rows) == 1
            self._left(self._name(block, row), block.note if named else "", named, line, y)
            self._row(block, row, line, y, scored)
            y += SCORED if scored else ROW + (3.0 if named and block.note else 0.0)
        return y

    def _left(self, name: str, note: str, strong: bool, line: range, y: float) -> None:
        """A row's name, right against its words; the part of a pair between the two."""
        part = 16.0 if self.panel.parts > 1 else 0.0
        edge, room = MARGIN + self.gutter - 8 - part, self.gutter - 8 - part
        if part:
            number = str(self.panel.atoms[line.start].part + 1)
            self.on.boxes.append(Box(edge + 5, y + 3.5, 10, 10, ground(self.dark).line, radius=2))
            self.on.write(edge + 10, y + 10.9, number, TINY, self.ink, anchor=0.5)
        colour = self.ink if strong else self.muted
        up = 3.0 if note else 0.0
        self.on.write(edge, y + 11 - up, clipped(name, room, SMALL, strong), SMALL, colour, bold=strong, anchor=1.0)
        if note:
            self.on.write(edge, y + 16, clipped(note, room, TINY), TINY, self.muted, anchor=1.0)

    def _row(self, block: Block, row: Row, line: range, y: float, scored: bool) -> None:
        places = self._places(line)
        inks: dict[int, str] = {}
        for cell, inside in _runs(self.owners[id(row)], [i for i, _ in places]):
            paint = self.palette.paint(cell.share, dark=self.dark, signed=block.signed)
            inks |= dict.fromkeys(inside, paint.ink)
            at = dict(places)
            left, right = at[inside[0]], at[inside[-1]] + self.widths[inside[-1]]
            self._cell(block, cell, paint, left, right - left, y)
            if scored and min(inside) == cell.start:
                self._score(block, cell, left, right - left, y)
        for i, x in places:
            text = self.panel.atoms[i].text
            self.on.write(x + self.widths[i] / 2, y + 11.6, text, SIZE, inks.get(i, self.ink), anchor=0.5)

    def _cell(self, block: Block, cell: Cell, paint: Paint, x: float, width: float, y: float) -> None:
        title = f"{self.panel.surface(cell)}: {signed(cell.score, block.limit, minus=MINUS, sign=block.signed)}"
        self.on.boxes.append(Box(x, y, width, BOX, paint.ground, title, 2.0))
        if block.signed and abs(cell.share) >= MARKED:
            self.on.boxes.append(Box(x, y if cell.share > 0 else y + BOX - 1.4, width, 1.4, paint.mark))

    def _score(self, block: Block, cell: Cell, x: float, width: float, y: float) -> None:
        text = signed(cell.score, block.limit, minus=MINUS, sign=block.signed)
        if fonts.width(text, TINY) <= width + 2 * BLANK:
            self.on.write(x + width / 2, y + BOX + 6.6, text, TINY, self.muted, anchor=0.5)

    def _places(self, line: range) -> list[tuple[int, float]]:
        return placed(self.panel, line, self.widths, MARGIN + self.gutter, self.room - self.gutter)

    def _widths(self) -> list[float]:
        """Room of each atom: its text in its box, and with numbers its longest score."""
        atoms = self.panel.atoms
        widths = [
            fonts.width(atom.text, SIZE) + PAD * (2 - atom.glued - (i + 1 < len(atoms) and atoms[i + 1].glued))
            for i, atom in enumerate(atoms)
        ]
        for block in self.panel.blocks if self.numbers else ():
            for row in block.rows:
                for cell in row.cells:
                    text = signed(cell.score, block.limit, minus=MINUS, sign=block.signed)
                    inside = range(cell.start, cell.stop)
                    lacks = fonts.width(text, TINY) + 1 - sum(widths[i] for i in inside)
                    widths[cell.start] += max(0.0, lacks)
        return widths

    def _name(self, block: Block, row: Row) -> str:
        return block.label if len(self.panel.blocks) > 1 and len(block.rows) == 1 else row.level


def placed(panel: Panel, line: range, widths: Sequence[float], left: float, room: float) -> list[tuple[int, float]]:
    """Atoms of a line as they stand from left to right, with where each begins."""
    x, places, last = 0.0, [], None
    for i in order(panel, line):
        if last is not None:
            blank = panel.atoms[max(i, last)].space or abs(i - last) > 1
            x += BLANK if blank else 0.0 if panel.atoms[max(i, last)].glued else TIGHT
        places.append((i, x))
        x, last = x + widths[i], i
    start = left + (room - x if panel.rtl else 0.0)
    return [(i, start + at) for i, at in places]


def _runs(owners: list[Cell | None], visual: list[int]) -> list[tuple[Cell, list[int]]]:
    """Cells with their atoms that stand side by side, from left to right."""
    runs: list[tuple[Cell, list[int]]] = []
    last: Cell | None = None
    for i in visual:
        cell = owners[i]
        if cell is not None and cell is last:
            runs[-1][1].append(i)
        elif cell is not None:
            runs.append((cell, [i]))
        last = cell
    return runs
