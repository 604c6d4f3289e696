"""Trees as boxes and words at places, like the survey's Figure 21."""

from __future__ import annotations

from exegesis.show.document import Node, Row, Tree
from exegesis.show.figure import fonts
from exegesis.show.figure.scene import BLANK, SIZE, SMALL, TINY, Box, Canvas, placed, widths

NEAR = 12  # atoms of a phrase up to which its box is made wide enough for its score
OPEN = 7.0  # how far a box that goes on in another line reaches into the margin
PART = 16.0  # room for the number of a text of a pair
WORD, GAP = 16.5, 1.8  # heights: of the words' boxes, between rows
ROW, STACK = 15.0, 150.0  # of a phrase's row, and of all rows of a line together, from which on rows are lower
READ, MANY, DEEP = 9.2, 48, 222.0  # of a row whose score can be read; up to how many rows; of more rows together
BRACKETS = "In brackets after a score: the interaction of the phrase."
UNREAD = "Where rows are too low for their scores, a .csv file has them."


def drawn(tree: Tree, canvas: Canvas, y: float) -> float:
    """Draw a tree from ``y`` on and return where it ends: phrases as boxes over their words, the whole text on top.

    A long text is broken into lines, each with the boxes that stand on it; the score of a box that goes on from the
    line before has an ellipsis before it. The strongest interaction stands in brackets after its phrase's score; with
    numbers all do, and words have their scores.
    """
    drawing = _Drawing(tree, canvas)
    for line in tree.layout.lines(drawing.widths, BLANK, drawing.room):
        y = drawing.line(line, y + (12.0 if line.start else 0.0))
    canvas.remarks.extend([BRACKETS] * drawing.bracketed + [UNREAD] * drawing.unread)
    return y + 8


class _Drawing:
    """A tree on a canvas: the room of its atoms, and which marks it came to need."""

    def __init__(self, tree: Tree, canvas: Canvas) -> None:
        self.tree, self.canvas, self.layout = tree, canvas, tree.layout
        self.named, self.bracketed, self.unread = tree.strongest, False, False
        self.left = canvas.left + (PART if self.layout.parts > 1 else 0.0)
        self.room = canvas.right - self.left
        self.widths = self._widths()

    def line(self, line: range, y: float) -> float:
        """Draw a line of the text with all boxes that stand on it; return where it ends."""
        count, nodes = self.tree.stacked(line)
        rows = max(count - 1, 1)
        tall = min(ROW, max(STACK / rows, READ if rows <= MANY else DEEP / rows))
        self.unread |= rows > MANY
        places = placed(self.layout, line, self.widths, self.left, self.room)
        inks: dict[int, str] = {}
        for node, low, high in nodes:
            top = y + (count - 1 - high) * tall
            bottom = y + (count - 1) * tall + WORD if low == 0 else y + (count - low) * tall - min(GAP, 0.2 * tall)
            ink = self._node(node, places, line, (top, bottom), low)
            if low == 0:
                inks |= dict.fromkeys(range(node.cell.start, node.cell.stop), ink)
        words = y + (count - 1) * tall
        for i, x in places:
            text, ink = self.layout.atoms[i].text, inks.get(i, self.canvas.ground.ink)
            self.canvas.write(x + self.widths[i] / 2, words + 12.0, text, SIZE, ink, anchor=0.5)
        if self.layout.parts > 1:
            self.canvas.number(self.layout.atoms[line.start].part, self.canvas.left, words)
        return words + WORD + (9.0 if self.canvas.numbers else 0.0)

    def _node(
        self, node: Node, places: list[tuple[int, float]], line: range, ends: tuple[float, float], low: int
    ) -> str:
        """A box for each run of its atoms that stand side by side; returns the colour of its text."""
        top, bottom = ends
        signed = self.tree.signed
        paint = self.canvas.palette.paint(node.cell.share, dark=self.canvas.dark, signed=signed)
        at = dict(places)
        runs = [inside for cell, inside in Row("", (node.cell,)).runs(at) if cell]
        for number, inside in enumerate(runs):
            left, right = at[inside[0]], at[inside[-1]] + self.widths[inside[-1]]
            if low and not self.layout.rtl:  # open at the side at which it goes on in another line
                left -= OPEN if node.cell.start < line.start and number == 0 else 0.0
                right += OPEN if node.cell.stop > line.stop and right > places[-1][1] else 0.0
            box = Box(left, top, right - left, bottom - top, paint.ground, self.tree.spoken(node), 2.0)
            self.canvas.cell(box, node.cell.share, paint, signed=signed)
            if number == 0 and (low or node.cell.start >= line.start):
                self._score(node, box, low, paint.ink, goes_on=node.cell.start < line.start)
        return paint.ink

    def _score(self, node: Node, box: Box, low: int, ink: str, *, goes_on: bool) -> None:
        """The score in a phrase's box if there is room; a word's under it if numbers are asked for."""
        canvas, middle = self.canvas, box.x + box.width / 2
        text = self.tree.written(node.cell.score)
        if low == 0:
            if canvas.numbers and fonts.width(text, TINY) <= box.width + 2 * BLANK:
                canvas.write(middle, box.y + box.height + 6.6, text, TINY, anchor=0.5)
            return
        for written in dict.fromkeys([self._written(node), text]):
            shown = f"… {written}" if goes_on else written
            for size in (SMALL, TINY):
                if size * 1.15 <= box.height and fonts.width(shown, size) <= box.width - 2:
                    canvas.write(middle, box.y + box.height / 2 + 0.36 * size, shown, size, ink, anchor=0.5)
                    self.bracketed |= "(" in shown
                    return

    def _written(self, node: Node) -> str:
        """A phrase's score, with its interaction in brackets if that is asked for, or if it is the strongest."""
        text, joint = self.tree.written(node.cell.score), self.tree.joint(node)
        return f"{text} ({joint})" if joint and (self.canvas.numbers or node is self.named) else text

    def _widths(self) -> list[float]:
        """The room of each atom: its text in its box, what is written into phrases, and with numbers its own score."""
        atoms = self.layout.atoms
        sizes = widths(self.layout)
        for node in sorted(self.tree.nodes, key=lambda node: node.low):
            inside = range(node.cell.start, node.cell.stop)
            if node.low == 0 and self.canvas.numbers:
                needed = fonts.width(self.tree.written(node.cell.score), TINY) + 1
                sizes[node.cell.start] += max(0.0, needed - sum(sizes[i] for i in inside))
            elif node.low and len(inside) <= NEAR:
                room = sum(sizes[i] + BLANK * atoms[i].space for i in inside) - BLANK * atoms[inside[0]].space
                sizes[inside[-1]] += max(0.0, fonts.width(self._written(node), TINY) + 2.2 - room)
        return sizes
