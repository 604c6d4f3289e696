"""Interactions as figures: a heat map of word pairs, in SVG, PNG, PDF, LaTeX or matplotlib. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from exegesis.core.pairs import Interactions
from exegesis.show import fonts
from exegesis.show.canvas import MARGIN, SMALL, TINY, Box, Scene, clipped, folded
from exegesis.show.caption import Caption
from exegesis.show.figure import as_pdf, as_png, as_svg, drawn
from exegesis.show.matrix import PLACE, Grid, grid, notes
from exegesis.show.palette import Palette, ground, palette_named
from exegesis.show.scene import MARKED, narrow
from exegesis.show.tex_scene import as_tex
from exegesis.show.wording import MINUS

Results = Interactions | Sequence[Interactions]
LEAST, MOST, GAP = 9.0, 17.0, 0.8  # the side of a cell, between two cells
LINE = 0.4  # how thick the outline of a weak cell is
LABEL = 80.0  # room for a word at the end of the diagonal


def figure(
    results: Results,
    *,
    palette: str | Palette = "green-red",
    width: float = 7.0,
    numbers: bool = False,
    dark: bool = False,
) -> Figure:
    """A matplotlib Figure, at most ``width`` inches wide: a cell for every two words, the words down its diagonal.

    A text of more words than fit is cut down to those of the strongest pairs. ``numbers=True`` writes every interaction
    into its cell.
    """
    return drawn(matrix_scene(results, palette=palette, width=width, numbers=numbers, dark=dark))


def svg(results: Results, **options: Any) -> bytes:
    """As an SVG document whose text is text; options as of ``figure``."""
    return as_svg(matrix_scene(results, **options))


def png(results: Results, **options: Any) -> bytes:
    """As a PNG picture of 200 dots an inch; options as of ``figure``."""
    return as_png(matrix_scene(results, **options))


def pdf(results: Results, **options: Any) -> bytes:
    """As a PDF page with its fonts; options as of ``figure``."""
    return as_pdf(matrix_scene(results, **options))


def latex(results: Results, **options: Any) -> str:
    """As a LaTeX picture; options as of ``figure``."""
    return as_tex(matrix_scene(results, **options))


def matrix_scene(
    results: Results,
    *,
    palette: str | Palette = "green-red",
    width: float = 7.0,
    numbers: bool = False,
    dark: bool = False,
) -> Scene:
    """Interactions laid out under each other, at some width in inches or less."""
    several = [results] if isinstance(results, Interactions) else list(results)
    drawing = Scene(72 * max(2.0, width), paper=ground(dark).paper)
    y, titles = MARGIN, []
    for number, result in enumerate(several):
        if number:
            drawing.boxes.append(Box(MARGIN, y + 8, drawing.width - 2 * MARGIN, 0.6, ground(dark).line))
            y += 22
        page = _Page(drawing, result, palette_named(palette), numbers, dark)
        titles.append(" ".join(page.grid.words[:30]))
        y = page.draw(y)
    drawing.title = f"Interactions in: {'; '.join(titles[:3])}"
    drawing.height = y + MARGIN - 4
    narrow(drawing)
    return drawing


class _Page:
    """The interactions of one text on a scene."""

    def __init__(self, drawing: Scene, result: Interactions, palette: Palette, numbers: bool, dark: bool) -> None:
        self.on, self.palette, self.numbers, self.dark = drawing, palette, numbers, dark
        self.ink, self.muted = ground(dark).ink, ground(dark).muted
        room = drawing.width - 2 * MARGIN - LABEL
        whole = grid(result, int(room // LEAST))
        wide = self._written(whole) if numbers else LEAST
        self.grid = grid(result, int(room // wide)) if wide > LEAST else whole
        self.side = max(wide, min(MOST, room / max(len(self.grid.kept), 1)))

    def draw(self, y: float) -> float:
        caption = Caption(self.on, self.grid.panel, self.palette, self.dark)
        y = caption.header(y)
        tall = min(self.side, MOST)
        for row, word in enumerate(self.grid.words):
            for column in range(row):
                self._cell(row, column, MARGIN + column * self.side, y, tall)
            x = MARGIN + row * self.side + 2
            shown = clipped(word, max(LABEL, self.on.width - MARGIN - x), SMALL)
            self.on.write(x, y + tall / 2 + 0.36 * SMALL, shown, SMALL, self.ink)
            y += tall
        y = caption.legend(y + 8)
        for text in notes(self.grid, MINUS, more=[PLACE]):
            for part in folded(text, self.on.width - 2 * MARGIN):
                self.on.write(MARGIN, y + 7, part, SMALL, self.muted)
                y += 11.5
        return y

    def _cell(self, row: int, column: int, x: float, y: float, tall: float) -> None:
        share = self.grid.share(row, column)
        paint = self.palette.paint(share, dark=self.dark)
        wide, high = self.side - GAP, tall - GAP
        spoken = self.grid.spoken(column, row, MINUS)
        if abs(share) < MARKED:  # nearly the page's colour, so it has an outline
            self.on.boxes.append(Box(x, y, wide, high, ground(self.dark).line, spoken, 1.0))
            x, y, wide, high = x + LINE, y + LINE, wide - 2 * LINE, high - 2 * LINE
        self.on.boxes.append(Box(x, y, wide, high, paint.ground, spoken, 1.0))
        if abs(share) >= MARKED:
            self.on.boxes.append(Box(x, y if share > 0 else y + high - 1.2, wide, 1.2, paint.mark))
        text = self.grid.cell(row, column, MINUS)
        if self.numbers and fonts.width(text, TINY) <= wide:
            self.on.write(x + wide / 2, y + high / 2 + 0.36 * TINY, text, TINY, paint.ink, anchor=0.5)

    def _written(self, whole: Grid) -> float:
        """The side of a cell that holds the longest number."""
        every = (whole.cell(row, column, MINUS) for row in range(len(whole.kept)) for column in range(row))
        return max((fonts.width(text, TINY) for text in every), default=0.0) + 3
