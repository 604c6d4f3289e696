"""Hierarchies laid out as boxes and words at places, like the survey's Figure 21. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from exegesis.results.hierarchy import Hierarchy
from exegesis.show.before.figure import fonts
from exegesis.show.before.figure.lines import fill
from exegesis.show.before.figure.page import BLANK, Page, beginning, blank, placed, stacked, widths
from exegesis.show.before.figure.scene import MARGIN, SIZE, SMALL, TINY, Box, Scene
from exegesis.show.documents.hierarchy import Nested, Node, facts, nested, notes, strongest
from exegesis.show.palette import Palette
from exegesis.show.wording import MINUS

NEAR = 12  # atoms of a phrase up to which its box is made wide enough for its score
BRACKETS = "In brackets behind a score: the interaction of the phrase."
OPEN = 7.0  # how far a box that goes on in another line reaches into the margin
Results = Hierarchy | Sequence[Hierarchy]
WORD, GAP = 16.5, 1.8  # heights: of the words' boxes, between rows
ROW, STACK = 15.0, 150.0  # of a phrase's row, and of all rows of a line together, from where on rows are lower
READ, MANY, DEEP = 9.2, 48, 222.0  # of a row whose score can be read; up to how many rows; of more rows together
UNREAD = "Where rows are too low for their scores, a .csv file has them."


def scene(
    results: Results,
    *,
    palette: str | Palette = "green-red",
    width: float = 7.0,
    numbers: bool = False,
    dark: bool = False,
) -> Scene:
    """Hierarchies laid out at most ``width`` inches wide: phrases as boxes over their words, the whole text on top.

    Long texts are broken into lines, each with the boxes that stand on it; the score of a box that goes on from the
    line before has an ellipsis before it. The interaction that is named as the strongest stands in brackets behind its
    phrase's score; with ``numbers=True`` all do, and words have their scores.
    """
    every = nested(results)
    drawing = blank(width, dark)
    pages = [_Page(drawing, tree, palette, numbers, dark) for tree in every]
    return stacked(drawing, f"Hierarchy of: {'; '.join(beginning(tree.panel) for tree in every[:3])}", pages)


class _Page(Page):
    """One hierarchy on a scene."""

    def __init__(self, drawing: Scene, tree: Nested, palette: str | Palette, numbers: bool, dark: bool) -> None:
        super().__init__(drawing, tree.panel, palette, numbers, dark)
        self.tree = tree
        self.named, self.bracketed, self.unread = strongest(tree), False, False
        self.left = MARGIN + (16.0 if self.panel.parts > 1 else 0.0)
        self.wide = drawing.width - MARGIN - self.left
        self.widths = self._widths()

    def draw(self, y: float) -> float:
        y = self.header(y, facts(self.tree, MINUS))
        for line in fill(self.panel, self.widths, BLANK, self.wide):
            y = self._line(line, y + (12.0 if line.start else 0.0))
        more = ([BRACKETS] if self.bracketed else []) + ([UNREAD] if self.unread else [])
        return self.under(notes(self.tree, MINUS, more=more), self.legend(y + 8))

    def _line(self, line: range, y: float) -> float:
        """One line of the text with all boxes that stand on it; gives where it ends."""
        count, here = self.tree.stacked(line)
        rows = max(count - 1, 1)
        tall = min(ROW, max(STACK / rows, READ if rows <= MANY else DEEP / rows))
        self.unread |= rows > MANY
        places = placed(self.panel, line, self.widths, self.left, self.wide)
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
            self.number(line, MARGIN, words)
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
            box = Box(left, top, right - left, bottom - top, paint.ground, title, 2.0)
            self.cell(box, node.cell.share, paint, signed=block.signed)
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
        sizes = widths(self.panel)
        for node in sorted(self.tree.nodes, key=lambda node: node.low):
            inside = range(node.cell.start, node.cell.stop)
            if node.low == 0 and self.numbers:
                lacks = fonts.width(self.tree.score(node, MINUS), TINY) + 1
                sizes[node.cell.start] += max(0.0, lacks - sum(sizes[i] for i in inside))
            elif node.low and len(inside) <= NEAR:
                room = sum(sizes[i] + BLANK * atoms[i].space for i in inside) - BLANK * atoms[inside[0]].space
                sizes[inside[-1]] += max(0.0, fonts.width(self._written(node), TINY) + 2.2 - room)
        return sizes
