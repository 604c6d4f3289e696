"""Words laid out as boxes and words at places, like the paper's Figures 4, 5 and 6. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from exegesis.results.attribution import Attribution
from exegesis.show.before.figure import fonts
from exegesis.show.before.figure.lines import fill
from exegesis.show.before.figure.page import BLANK, Page, beginning, blank, placed, stacked, widths
from exegesis.show.before.figure.scene import MARGIN, SIZE, SMALL, TINY, Box, Scene, clipped
from exegesis.show.documents.attribution import Block, Cell, Panel, Row, Scale, panels
from exegesis.show.palette import Paint, Palette
from exegesis.show.wording import MINUS, signed

BOX, ROW, SCORED = 16.0, 19.0, 26.5  # heights: of a box, of a row, of a row with numbers under its boxes


def scene(
    results: Attribution | Sequence[Attribution],
    *,
    palette: str | Palette = "green-red",
    scale: Scale | None = None,
    width: float = 7.0,
    numbers: bool = False,
    dark: bool = False,
) -> Scene:
    """Results laid out at most ``width`` inches wide and as tall as they must be, each text with all its results.

    Each line of text stands once for each row: methods, models or targets under each other, or the levels of a result,
    each box over the words that it spans. ``numbers=True`` writes every score under its word.
    """
    every = panels(results, scale)
    drawing = blank(width, dark)
    pages = [_Page(drawing, panel, palette, numbers, dark) for panel in every]
    return stacked(drawing, f"Explanation of: {'; '.join(map(beginning, every[:3]))}", pages)


class _Page(Page):
    """One panel on a scene."""

    def __init__(self, drawing: Scene, panel: Panel, palette: str | Palette, numbers: bool, dark: bool) -> None:
        super().__init__(drawing, panel, palette, numbers, dark)
        self.owners = {id(row): panel.owners(row) for block in panel.blocks for row in block.rows}
        names = [fonts.width(self._name(block, row), SMALL, True) for block in panel.blocks for row in block.rows]
        extra = [fonts.width(block.note, TINY) for block in panel.blocks]
        parts = 16.0 if panel.parts > 1 else 0.0
        self.gutter = min(max([*names, *extra, 0.0]) + 8, 0.34 * self.room) + parts
        self.widths = self._widths()

    def draw(self, y: float) -> float:
        y = self.header(y)
        if not self.panel.atoms:
            self.on.write(MARGIN, y + 11, "(the text is empty)", SIZE, self.muted)
            y += ROW
        tall = sum(len(block.rows) for block in self.panel.blocks) > 1
        for line in fill(self.panel, self.widths, BLANK, self.room - self.gutter):
            y += (7.0 if tall else 1.5) if line.start else 0.0
            for block in self.panel.blocks:
                y = self._block(block, line, y)
        return self.notes(self.legend(y + 8))

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
            self.number(line, edge + 5, y)
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
        self.cell(Box(x, y, width, BOX, paint.ground, title, 2.0), cell.share, paint, signed=block.signed)

    def _score(self, block: Block, cell: Cell, x: float, width: float, y: float) -> None:
        text = signed(cell.score, block.limit, minus=MINUS, sign=block.signed)
        if fonts.width(text, TINY) <= width + 2 * BLANK:
            self.on.write(x + width / 2, y + BOX + 6.6, text, TINY, self.muted, anchor=0.5)

    def _places(self, line: range) -> list[tuple[int, float]]:
        return placed(self.panel, line, self.widths, MARGIN + self.gutter, self.room - self.gutter)

    def _widths(self) -> list[float]:
        """Room of each atom: its text in its box, and with numbers its longest score."""
        sizes = widths(self.panel)
        for block in self.panel.blocks if self.numbers else ():
            for row in block.rows:
                for cell in row.cells:
                    text = signed(cell.score, block.limit, minus=MINUS, sign=block.signed)
                    inside = range(cell.start, cell.stop)
                    lacks = fonts.width(text, TINY) + 1 - sum(sizes[i] for i in inside)
                    sizes[cell.start] += max(0.0, lacks)
        return sizes

    def _name(self, block: Block, row: Row) -> str:
        return block.label if len(self.panel.blocks) > 1 and len(block.rows) == 1 else row.level


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
