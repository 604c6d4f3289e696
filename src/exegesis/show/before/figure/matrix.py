"""Interactions laid out as boxes and words at places: a heat map of word pairs. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from exegesis.results.interactions import Interactions
from exegesis.results.result import each
from exegesis.show.before.figure import fonts
from exegesis.show.before.figure.page import MARKED, Page, blank, stacked
from exegesis.show.before.figure.scene import MARGIN, SMALL, TINY, Box, Scene, clipped
from exegesis.show.documents.interactions import PLACE, Grid, grid, notes
from exegesis.show.palette import Palette
from exegesis.show.wording import MINUS

Results = Interactions | Sequence[Interactions]
LEAST, MOST, GAP = 9.0, 17.0, 0.8  # the side of a cell, between two cells
LINE = 0.4  # how thick the outline of a weak cell is
LABEL = 80.0  # room for a word at the end of the diagonal


def scene(
    results: Results,
    *,
    palette: str | Palette = "green-red",
    width: float = 7.0,
    numbers: bool = False,
    dark: bool = False,
) -> Scene:
    """Interactions laid out at most ``width`` inches wide: a cell for every two words, the words down its diagonal.

    A text of more words than fit is cut down to those of the strongest pairs. ``numbers=True`` writes every interaction
    into its cell.
    """
    drawing = blank(width, dark)
    pages = [_Page(drawing, result, palette, numbers, dark) for result in each(results)]
    titles = [" ".join(page.grid.words[:30]) for page in pages[:3]]
    return stacked(drawing, f"Interactions in: {'; '.join(titles)}", pages)


class _Page(Page):
    """The interactions of one text on a scene."""

    def __init__(self, drawing: Scene, result: Interactions, palette: str | Palette, numbers: bool, dark: bool) -> None:
        room = drawing.width - 2 * MARGIN - LABEL
        whole = grid(result, int(room // LEAST))
        wide = _written(whole) if numbers else LEAST
        self.grid = grid(result, int(room // wide)) if wide > LEAST else whole
        super().__init__(drawing, self.grid.panel, palette, numbers, dark)
        self.mirrored = False  # words stand down the diagonal from the left in every script
        self.side = max(wide, min(MOST, room / max(len(self.grid.kept), 1)))

    def draw(self, y: float) -> float:
        y = self.header(y)
        tall = min(self.side, MOST)
        for row, word in enumerate(self.grid.words):
            for column in range(row):
                self._cell(row, column, MARGIN + column * self.side, y, tall)
            x = MARGIN + row * self.side + 2
            shown = clipped(word, max(LABEL, self.on.width - MARGIN - x), SMALL)
            self.on.write(x, y + tall / 2 + 0.36 * SMALL, shown, SMALL, self.ink)
            y += tall
        return self.under(notes(self.grid, MINUS, more=[PLACE]), self.legend(y + 8))

    def _cell(self, row: int, column: int, x: float, y: float, tall: float) -> None:
        share = self.grid.share(row, column)
        paint = self.palette.paint(share, dark=self.dark)
        wide, high = self.side - GAP, tall - GAP
        spoken = self.grid.spoken(column, row, MINUS)
        if abs(share) < MARKED:  # nearly the page's colour, so it has an outline
            self.on.boxes.append(Box(x, y, wide, high, self.rule, spoken, 1.0))
            x, y, wide, high = x + LINE, y + LINE, wide - 2 * LINE, high - 2 * LINE
        self.cell(Box(x, y, wide, high, paint.ground, spoken, 1.0), share, paint, bar=1.2)
        text = self.grid.cell(row, column, MINUS)
        if self.numbers and fonts.width(text, TINY) <= wide:
            self.on.write(x + wide / 2, y + high / 2 + 0.36 * TINY, text, TINY, paint.ink, anchor=0.5)


def _written(whole: Grid) -> float:
    """The side of a cell that holds the longest number."""
    every = (whole.cell(row, column, MINUS) for row in range(len(whole.kept)) for column in range(row))
    return max((fonts.width(text, TINY) for text in every), default=0.0) + 3
