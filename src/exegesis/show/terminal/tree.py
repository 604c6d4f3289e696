"""Hierarchies for the terminal: coloured boxes that stand on their words, or brackets where there is no colour."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from exegesis.results.hierarchy import Hierarchy
from exegesis.show.before.figure.lines import fill, joint
from exegesis.show.documents.hierarchy import Nested, Node, facts, nested, nesting, notes
from exegesis.show.terminal import bars
from exegesis.show.terminal.bars import FAINT
from exegesis.show.terminal.look import MUTED, Line, Look, clipped, folded, listed
from exegesis.show.terminal.passage import STRONG

PLAIN = "+ speaks for, - against"
ROWS = 40  # of boxes over one line of text
FEWER = "The tree is too deep for all of its rows; a .csv file has every phrase."
Placed = dict[int, tuple[int, int]]  # an atom's columns


def blocks(results: Hierarchy | Sequence[Hierarchy], look: Look, numbers: bool) -> Iterator[list[Line]]:
    """Each text's tree, the whole text on top and its words below.

    Long texts are broken into lines, each with what stands on it; a box or bracket is open at a side where it goes on
    in another line. ``numbers=True`` adds a table of every phrase with its score and interaction.
    """
    for tree in nested(results):
        yield [*_whole(tree, look), *([[], *_table(tree, look)] if numbers else [])]


def _whole(tree: Nested, look: Look) -> list[Line]:
    over = [(text, Style(bold=name == "prediction")) for name, text in facts(tree).items()]
    under = [Segment(part, MUTED) for text in notes(tree) for part in folded(text, look.width)]
    drawing = _Drawing(tree, look)
    drawn = list(drawing.lines())
    if drawing.left_out:
        under += [Segment(part, MUTED) for part in folded(FEWER, look.width)]
    legend = bars.legend(tree.panel, look) if look.color else []
    if not look.color and tree.block.signed:
        legend = [[Segment(part, MUTED)] for part in folded(_plain(tree), look.width)]
    return [*listed(over, look.width), [], *drawn, [], *legend, *([one] for one in under)]


def _plain(tree: Nested) -> str:
    """What signs and bare words mean where there is no colour."""
    bare = any(node.low == 0 and abs(node.cell.share) < FAINT for node in tree.nodes)
    return f"{PLAIN}; {bars.BARE}." if bare else f"{PLAIN}."


class _Drawing:
    """The boxes of one hierarchy, line of text by line of text."""

    def __init__(self, tree: Nested, look: Look) -> None:
        self.tree, self.look, self.panel = tree, look, tree.panel
        self.texts = [atom.text for atom in self.panel.atoms]
        self.plain, self.left_out = look.color is None, False
        self.widths = self._widths()
        self.gutter = 4 if self.panel.parts > 1 else 0

    def lines(self) -> Iterator[Line]:
        for line in fill(self.panel, self.widths, 1, max(10, self.look.width - self.gutter)):
            if line.start:
                yield []
            count, here = self.tree.stacked(line)
            places = self._places(line)
            tag = f"[{self.panel.atoms[line.start].part + 1}] " if self.gutter else ""
            rows = list(range(1, count))
            if len(rows) > ROWS:
                rows = sorted({1 + round(at * (count - 2) / (ROWS - 1)) for at in range(ROWS)})
                self.left_out = True
            for row in reversed(rows):
                yield [Segment(" " * self.gutter), *self._boxes(here, row, line, places)]
            yield [Segment(tag, MUTED), *self._words(here, line, places)]
            if self.plain:
                yield [Segment(" " * self.gutter), *self._scores(here, line, places)]

    def _places(self, line: range) -> Placed:
        places, column = {}, 0
        for i in line:
            column += joint(self.panel, line, i)
            places[i] = (column, column + self.widths[i])
            column += self.widths[i]
        return places

    def _boxes(self, here: Sequence[tuple[Node, int, int]], row: int, line: range, places: Placed) -> Iterator[Segment]:
        """One row above the words: the boxes that fill it, their scores in the row in which they begin."""
        at = 0
        for node, low, _ in sorted((one for one in here if one[1] <= row <= one[2]), key=lambda one: one[0].cell.start):
            left, right = self._edges(node, line, places)
            yield Segment(" " * (left - at))
            text = self.tree.score(node) if low == row else ""
            yield Segment(self._box(node, text, right - left, line), self._style(node))
            at = right

    def _box(self, node: Node, text: str, width: int, line: range) -> str:
        if not self.plain:
            return text.center(width) if len(text) <= width else " " * width
        if not text:
            return " " * width
        begins, ends = node.cell.start >= line.start, node.cell.stop <= line.stop
        return bars.bracket(text, width, begins, ends).replace("└", "┌").replace("┘", "┐")

    def _words(self, here: Sequence[tuple[Node, int, int]], line: range, places: Placed) -> Iterator[Segment]:
        owner = {i: node for node, low, _ in here if low == 0 for i in range(node.cell.start, node.cell.stop)}
        at = 0
        for i in line:
            left, right = places[i]
            glued = i > line.start and owner.get(i) is not None and owner.get(i) is owner.get(i - 1)
            yield Segment(" " * (left - at), self._style(owner[i], line=True) if glued else self.look.plain)
            style = self._style(owner[i], line=True) if i in owner else self.look.plain
            yield Segment(self.texts[i], style)
            yield Segment(" " * (right - left - cell_len(self.texts[i])), self.look.plain)
            at = right

    def _scores(self, here: Sequence[tuple[Node, int, int]], line: range, places: Placed) -> Iterator[Segment]:
        """Where there is no colour, the scores of the words that weigh something, under them."""
        at = 0
        for node in sorted((node for node, low, _ in here if low == 0), key=lambda node: node.cell.start):
            if self._scored(node) and node.cell.start >= line.start:
                left, right = self._edges(node, line, places)
                yield Segment(" " * (left - at) + self.tree.score(node).center(right - left), MUTED)
                at = right

    def _scored(self, node: Node) -> bool:
        return node.low > 0 or (self.plain and abs(node.cell.share) >= FAINT)

    def _edges(self, node: Node, line: range, places: Placed) -> tuple[int, int]:
        return places[max(node.cell.start, line.start)][0], places[min(node.cell.stop, line.stop) - 1][1]

    def _style(self, node: Node, *, line: bool = False) -> Style:
        if self.plain:
            return Style()
        block = self.tree.block
        paint = self.look.paint(node.cell.share, block.signed)
        against = line and block.signed and node.cell.share <= -FAINT
        strong = abs(node.cell.share) >= STRONG
        return Style(color=paint.ink, bgcolor=paint.ground, underline=against or None, bold=strong or None)

    def _widths(self) -> list[int]:
        """Columns of each atom: room for its text, and for the score of every box over it."""
        widths = [cell_len(text) for text in self.texts]
        for node in sorted(self.tree.nodes, key=lambda node: node.low):
            if self._scored(node):
                inside = range(node.cell.start, node.cell.stop)
                blanks = sum(self.panel.atoms[i].space for i in inside[1:])
                after = inside[-1] + 1  # where no blank follows, one is left, so that scores side by side stay apart
                apart = after < len(widths) and not self.panel.atoms[after].space
                needed = len(self.tree.score(node)) + (2 if self.plain and node.low else int(apart))
                widths[inside[-1]] += max(0, needed - blanks - sum(widths[i] for i in inside))
        return widths


def _table(tree: Nested, look: Look) -> list[Line]:
    """Every phrase, the whole text first, each under the phrase that it is a part of, with a signed bar."""
    entries = [
        ("  " * deep + tree.panel.surface(node.cell), tree.score(node), tree.joint(node), node.cell.share)
        for deep, node in nesting(tree)
    ]
    digits = max(len("score"), *(len(score) for _, score, _, _ in entries))
    joints = max(len("interaction"), *(len(joint) for _, _, joint, _ in entries))
    bar = 2 * bars.HALF + 3 if look.width >= digits + joints + 2 * bars.HALF + 27 else 0
    room = max(8, min(look.width - digits - joints - 4 - bar, max(cell_len(text) for text, *_ in entries)))
    head = f"{clipped('phrase', room)}  {'score':>{digits}}  {'interaction':>{joints}}"
    lines: list[Line] = [[Segment(head, MUTED)]]
    for text, score, joined, share in entries:
        colour = look.paint(math.copysign(1.0, share), tree.block.signed).mark
        drawn = [Segment("  " + bars.bar(share), Style(color=colour))] if bar else []
        lines.append([Segment(f"{clipped(text, room)}  {score:>{digits}}  {joined:>{joints}}"), *drawn])
    return lines
