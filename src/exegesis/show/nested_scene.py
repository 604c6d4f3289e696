"""Hierarchies as figures: SVG, PNG, PDF, or a matplotlib Figure, like the survey's Figure 21. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from exegesis.core.hierarchy import Hierarchy
from exegesis.show import fonts
from exegesis.show.canvas import MARGIN, SIZE, SMALL, TINY, Box, Scene, folded
from exegesis.show.caption import Caption
from exegesis.show.figure import as_pdf, as_png, as_svg, drawn
from exegesis.show.layout import Cell
from exegesis.show.lines import fill
from exegesis.show.nested import Nested, Node, facts, nested, notes, strongest
from exegesis.show.palette import Palette, ground, palette_named
from exegesis.show.scene import BLANK, MARKED, PAD, narrow, placed
from exegesis.show.tex_scene import as_tex
from exegesis.show.wording import MINUS

NEAR = 12  # atoms of a phrase up to which its box is made wide enough for its score
BRACKETS = "In brackets behind a score: the interaction of the phrase."
OPEN = 7.0  # how far a box that goes on in another line reaches into the margin
Results = Hierarchy | Sequence[Hierarchy]
WORD, GAP = 16.5, 1.8  # heights: of the words' boxes, between rows
ROW, STACK = 15.0, 150.0  # of a phrase's row, and of all rows of a line together, from where on rows are lower
READ, MANY, DEEP = 9.2, 48, 222.0  # of a row whose score can be read; up to how many rows; of more rows together
UNREAD = "Where rows are too low for their scores, a .csv file has them."


def figure(
    results: Results,
    *,
    palette: str | Palette = "green-red",
    width: float = 7.0,
    numbers: bool = False,
    dark: bool = False,
) -> Figure:
    """A matplotlib Figure, at most ``width`` inches wide: phrases as boxes over their words, the whole text on top.

    Long texts are broken into lines, each with the boxes that stand on it; the score of a box that goes on from the
    line before has an ellipsis before it. The interaction that is named as the strongest stands in brackets behind its
    phrase's score; with ``numbers=True`` all do, and words have their scores.
    """
    return drawn(nested_scene(results, palette=palette, width=width, numbers=numbers, dark=dark))


def svg(results: Results, **options: Any) -> bytes:
    """As an SVG document whose text is text; options as of ``figure``."""
    return as_svg(nested_scene(results, **options))


def png(results: Results, **options: Any) -> bytes:
    """As a PNG picture of 200 dots an inch; options as of ``figure``."""
    return as_png(nested_scene(results, **options))


def pdf(results: Results, **options: Any) -> bytes:
    """As a PDF page with its fonts; options as of ``figure``."""
    return as_pdf(nested_scene(results, **options))


def latex(results: Results, **options: Any) -> str:
    """As a LaTeX picture; options as of ``figure``."""
    return as_tex(nested_scene(results, **options))


def nested_scene(
    results: Results,
    *,
    palette: str | Palette = "green-red",
    width: float = 7.0,
    numbers: bool = False,
    dark: bool = False,
) -> Scene:
    """Hierarchies laid out under each other, at some width in inches or less."""
    every = nested(results)
    title = "; ".join(tree.panel.surface(Cell(0, min(30, len(tree.panel.atoms)), 0.0, 0.0)) for tree in every[:3])
    drawing = Scene(72 * max(2.0, width), title=f"Hierarchy of: {title}", paper=ground(dark).paper)
    y = MARGIN
    for number, tree in enumerate(every):
        if number:
            drawing.boxes.append(Box(MARGIN, y + 8, drawing.width - 2 * MARGIN, 0.6, ground(dark).line))
            y += 22
        y = _Page(drawing, tree, palette_named(palette), numbers, dark).draw(y)
    drawing.height = y + MARGIN - 4
    if not any(tree.panel.rtl for tree in every):
        narrow(drawing)
    return drawing


class _Page:
    """One hierarchy on a scene."""

    def __init__(self, drawing: Scene, tree: Nested, palette: Palette, numbers: bool, dark: bool) -> None:
        self.on, self.tree, self.palette, self.numbers, self.dark = drawing, tree, palette, numbers, dark
        self.panel, self.muted, self.ink = tree.panel, ground(dark).muted, ground(dark).ink
        self.named, self.bracketed, self.unread = strongest(tree), False, False
        self.left = MARGIN + (16.0 if self.panel.parts > 1 else 0.0)
        self.room = drawing.width - MARGIN - self.left
        self.widths = self._widths()

    def draw(self, y: float) -> float:
        caption = Caption(self.on, self.panel, self.palette, self.dark)
        y = caption.header(y, facts(self.tree, MINUS))
        for line in fill(self.panel, self.widths, BLANK, self.room):
            y = self._line(line, y + (12.0 if line.start else 0.0))
        y = caption.legend(y + 8)
        more = ([BRACKETS] if self.bracketed else []) + ([UNREAD] if self.unread else [])
        for text in notes(self.tree, MINUS, more=more):
            for part in folded(text, self.on.width - 2 * MARGIN):
                self.on.write(MARGIN, y + 7, part, SMALL, self.muted)
                y += 11.5
        return y

    def _line(self, line: range, y: float) -> float:
        """One line of the text with all boxes that stand on it; gives where it ends."""
        count, here = self.tree.stacked(line)
        rows = max(count - 1, 1)
        tall = min(ROW, max(STACK / rows, READ if rows <= MANY else DEEP / rows))
        self.unread |= rows > MANY
        places = placed(self.panel, line, self.widths, self.left, self.room)
        inks: dict[int, str] = {}
        for node, low, high in here:
            top = y + (count - 1 - high) * tall
            bottom = y + (count - 1) * tall + WORD if low == 0 else y + (count - low) * tall - min(GAP, 0.2 * tall)
            ink = self._node(node, places, line, top, bottom, low)
            if low == 0:
                inks |= dict.fromkeys(range(node.cell.start, node.cell.stop), ink)
        words = y + (count - 1) * tall
        for i, x in places:
            text = self.panel.atoms[i].text
            self.on.write(x + self.widths[i] / 2, words + 12.0, text, SIZE, inks.get(i, self.ink), anchor=0.5)
        if self.panel.parts > 1:
            tag = str(self.panel.atoms[line.start].part + 1)
            self.on.boxes.append(Box(MARGIN, words + 3.5, 10, 10, ground(self.dark).line, radius=2))
            self.on.write(MARGIN + 5, words + 10.9, tag, TINY, self.ink, anchor=0.5)
        return words + WORD + (9.0 if self.numbers else 0.0)

    def _node(
        self, node: Node, places: list[tuple[int, float]], line: range, top: float, bottom: float, low: int
    ) -> str:
        """A box for each run of its atoms that stand side by side; gives the colour of its text."""
        block = self.tree.block
        paint = self.palette.paint(node.cell.share, dark=self.dark, signed=block.signed)
        title = self.tree.spoken(node, MINUS)
        for number, (left, right) in enumerate(self._runs(node, places)):
            if low and not self.panel.rtl:  # open at the side where it goes on in another line
                left -= OPEN if node.cell.start < line.start and number == 0 else 0.0
                right += OPEN if node.cell.stop > line.stop and right > places[-1][1] else 0.0
            self.on.boxes.append(Box(left, top, right - left, bottom - top, paint.ground, title, 2.0))
            if block.signed and abs(node.cell.share) >= MARKED and bottom - top > 3:
                at = top if node.cell.share > 0 else bottom - 1.4
                self.on.boxes.append(Box(left, at, right - left, 1.4, paint.mark))
            if number == 0 and (low or node.cell.start >= line.start):
                self._score(node, left, right, top, bottom, low, paint.ink, goes_on=node.cell.start < line.start)
        return paint.ink

    def _score(
        self, node: Node, left: float, right: float, top: float, bottom: float, low: int, ink: str, *, goes_on: bool
    ) -> None:
        """The score in a phrase's box, where there is room; a word's under it, where numbers are wanted."""
        middle, room = (left + right) / 2, right - left
        text = self.tree.score(node, MINUS)
        if low == 0:
            if self.numbers and fonts.width(text, TINY) <= room + 2 * BLANK:
                self.on.write(middle, bottom + 6.6, text, TINY, self.muted, anchor=0.5)
            return
        for each in dict.fromkeys([self._written(node), text]):
            shown = f"… {each}" if goes_on else each
            for size in (SMALL, TINY):
                if size * 1.15 <= bottom - top and fonts.width(shown, size) <= room - 2:
                    self.on.write(middle, (top + bottom) / 2 + 0.36 * size, shown, size, ink, anchor=0.5)
                    self.bracketed |= "(" in shown
                    return

    def _written(self, node: Node) -> str:
        """A phrase's score, with its interaction in brackets where that is wanted, or named under the tree."""
        text, joint = self.tree.score(node, MINUS), self.tree.joint(node, MINUS)
        return f"{text} ({joint})" if joint and (self.numbers or node is self.named) else text

    def _runs(self, node: Node, places: list[tuple[int, float]]) -> list[tuple[float, float]]:
        """Where the atoms of a node stand, those side by side together."""
        runs: list[tuple[float, float]] = []
        beside = False
        for i, x in places:
            inside = node.cell.start <= i < node.cell.stop
            if inside and beside:
                runs[-1] = (runs[-1][0], x + self.widths[i])
            elif inside:
                runs.append((x, x + self.widths[i]))
            beside = inside
        return runs

    def _widths(self) -> list[float]:
        """Room of each atom: its text in its box, what is written into the phrases, and with numbers its own score."""
        atoms = self.panel.atoms
        widths = [
            fonts.width(atom.text, SIZE) + PAD * (2 - atom.glued - (i + 1 < len(atoms) and atoms[i + 1].glued))
            for i, atom in enumerate(atoms)
        ]
        for node in sorted(self.tree.nodes, key=lambda node: node.low):
            inside = range(node.cell.start, node.cell.stop)
            if node.low == 0 and self.numbers:
                lacks = fonts.width(self.tree.score(node, MINUS), TINY) + 1
                widths[node.cell.start] += max(0.0, lacks - sum(widths[i] for i in inside))
            elif node.low and len(inside) <= NEAR:
                room = sum(widths[i] + BLANK * atoms[i].space for i in inside) - BLANK * atoms[inside[0]].space
                widths[inside[-1]] += max(0.0, fonts.width(self._written(node), TINY) + 2.2 - room)
        return widths
