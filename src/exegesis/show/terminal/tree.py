"""Trees of phrases in a terminal: coloured boxes that stand on their words, or brackets if there is no colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.segment import Segment

from exegesis.show.document import FAINT, Node, Tree
from exegesis.show.terminal.look import MUTED, Line, Look, hyphened
from exegesis.show.terminal.passage import bracket, places, tinted

MAX_ROWS = 40  # rows of boxes over one line of text
FEWER = "The tree is too deep for all of its rows; a .csv file has every phrase."
Stack = Sequence[tuple[Node, int, int]]


def tree(part: Tree, look: Look) -> list[Line]:
    """The whole text on top and its words below, line by line of the text; a box or bracket is open at a side at which
    it goes on in another line."""
    drawing = _Drawing(part, look)
    lines = list(drawing.lines())
    return lines + (look.muted(FEWER) if drawing.left_out else [])


class _Drawing:
    """The boxes of one tree."""

    def __init__(self, part: Tree, look: Look) -> None:
        self.tree, self.look, self.layout = part, look, part.layout
        self.texts = [atom.text for atom in self.layout.atoms]
        self.bare, self.left_out = look.color is None, False
        self.widths = self._widths()
        self.gutter = 4 if self.layout.parts > 1 else 0

    def lines(self) -> Iterator[Line]:
        for line in self.layout.lines(self.widths, 1, max(10, self.look.width - self.gutter)):
            if line.start:
                yield []
            count, stack = self.tree.stacked(line)
            columns = places(self.layout, line, self.widths)
            rows = list(range(1, count))
            if len(rows) > MAX_ROWS:
                rows = sorted({1 + round(at * (count - 2) / (MAX_ROWS - 1)) for at in range(MAX_ROWS)})
                self.left_out = True
            indent = Segment(" " * self.gutter)
            for row in reversed(rows):
                yield [indent, *self._boxes(stack, row, line, columns)]
            tag = f"[{self.layout.atoms[line.start].part + 1}] " if self.gutter else ""
            yield [Segment(tag, MUTED), *self._words(stack, line, columns)]
            if self.bare:
                yield [indent, *self._scores(stack, line, columns)]

    def _boxes(self, stack: Stack, row: int, line: range, columns: dict[int, tuple[int, int]]) -> Iterator[Segment]:
        """A row above the words: the boxes that fill it, their scores in the row in which they begin."""
        at = 0
        filled = (entry for entry in stack if entry[1] <= row <= entry[2])
        for node, low, _ in sorted(filled, key=lambda entry: entry[0].cell.start):
            left, right = self._edges(node, line, columns)
            yield Segment(" " * (left - at))
            text = self._box(node, self._score(node) if low == row else "", right - left, line)
            yield Segment(text, tinted(self.look, node.cell, self.tree.signed, line=False))
            at = right

    def _box(self, node: Node, text: str, width: int, line: range) -> str:
        if not self.bare:
            return text.center(width) if len(text) <= width else " " * width
        if not text:
            return " " * width
        begins, ends = node.cell.start >= line.start, node.cell.stop <= line.stop
        return bracket(text, width, begins, ends).replace("└", "┌").replace("┘", "┐")

    def _words(self, stack: Stack, line: range, columns: dict[int, tuple[int, int]]) -> Iterator[Segment]:
        owner = {i: node for node, low, _ in stack if low == 0 for i in range(node.cell.start, node.cell.stop)}
        at, plain = 0, self.look.plain
        for i in line:
            left, right = columns[i]
            style = tinted(self.look, owner[i].cell, self.tree.signed) if i in owner else plain
            glued = i > line.start and i in owner and owner[i] is owner.get(i - 1)
            yield Segment(" " * (left - at), style if glued else plain)
            yield Segment(self.texts[i], style)
            yield Segment(" " * (right - left - cell_len(self.texts[i])), plain)
            at = right

    def _scores(self, stack: Stack, line: range, columns: dict[int, tuple[int, int]]) -> Iterator[Segment]:
        """The scores of the words that weigh something, under them."""
        at = 0
        for node in sorted((node for node, low, _ in stack if low == 0), key=lambda node: node.cell.start):
            if self._scored(node) and node.cell.start >= line.start:
                left, right = self._edges(node, line, columns)
                yield Segment(" " * (left - at) + self._score(node).center(right - left), MUTED)
                at = right

    def _score(self, node: Node) -> str:
        return hyphened(self.tree.written(node.cell.score))

    def _scored(self, node: Node) -> bool:
        return node.low > 0 or (self.bare and abs(node.cell.share) >= FAINT)

    def _edges(self, node: Node, line: range, columns: dict[int, tuple[int, int]]) -> tuple[int, int]:
        return columns[max(node.cell.start, line.start)][0], columns[min(node.cell.stop, line.stop) - 1][1]

    def _widths(self) -> list[int]:
        """Columns of each atom: room for its text, and for the score of every box over it."""
        atoms, widths = self.layout.atoms, [cell_len(text) for text in self.texts]
        for node in sorted(self.tree.nodes, key=lambda node: node.low):
            if self._scored(node):
                inside = range(node.cell.start, node.cell.stop)
                blanks = sum(atoms[i].space for i in inside[1:])
                after = inside[-1] + 1  # if no blank follows, one is left, so that scores side by side stay apart
                apart = after < len(widths) and not atoms[after].space
                needed = len(self._score(node)) + (2 if self.bare and node.low else int(apart))
                widths[inside[-1]] += max(0, needed - blanks - sum(widths[i] for i in inside))
        return widths
