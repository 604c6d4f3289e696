"""Words in a terminal: on coloured ground, or with signed numbers if there is no colour."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from exegesis.show.document import FAINT, Block, Cell, Passage, Row
from exegesis.show.layout import Layout
from exegesis.show.terminal.look import BOLD, MUTED, Line, Look, hyphened, padded

STRONG = 0.5  # share from which a word is bold


def passage(part: Passage, look: Look) -> list[Line]:
    """A text with its rows under each other.

    Without colour the strong words carry their signed scores. Words against are underlined. A phrase stands as a
    bracket with its score under its words.
    """
    if not part.layout.atoms:
        return [[Segment("(the text is empty)", MUTED)]]
    return [*look.muted(part.caption), *_Drawing(part, look).lines()]


def tinted(look: Look, cell: Cell, signed: bool, *, line: bool = True) -> Style:
    """The style of a cell; with ``line`` what speaks against is underlined."""
    if look.color is None:
        return Style()
    paint = look.paint(cell.share, signed)
    against = line and (cell.marked or (signed and cell.share <= -FAINT))
    strong = cell.marked or abs(cell.share) >= STRONG
    return Style(color=paint.ink, bgcolor=paint.ground, underline=against or None, bold=strong or None)


def places(layout: Layout, line: range, widths: list[int]) -> dict[int, tuple[int, int]]:
    """The columns of each atom of a line."""
    columns, column = {}, 0
    for i in line:
        column += layout.blank(line, i)
        columns[i] = (column, column + widths[i])
        column += widths[i]
    return columns


def bracket(text: str, width: int, begins: bool, ends: bool) -> str:
    """A score in a bracket of some width: ``└── +1.2 ──┘``; an open side if the span goes on in another line."""
    if width < len(text) + 2:
        return "─" * width
    room = width - 2
    inner = f" {text} " if room >= len(text) + 2 else text
    return ("└" if begins else "─") + inner.center(room, "─") + ("┘" if ends else "─")


class _Drawing:
    """The words of a passage with the rows of all its blocks, line by line."""

    def __init__(self, part: Passage, look: Look) -> None:
        self.part, self.look, self.layout = part, look, part.layout
        rows = [(block, row) for block in part.blocks for row in block.rows]
        self.texts = {id(row): self._texts(block, row) for block, row in rows}
        self.widths = self._widths(rows)
        names = [self._name(block, row) for block, row in rows]
        names += ["text"] if any(not row.fine for _, row in rows) else []
        longest = max(map(cell_len, names)) + (4 if self.layout.parts > 1 else 0)
        self.gutter = min(longest + 2, look.width // 2) if longest else 0

    def lines(self) -> Iterator[Line]:
        """Every line of text with the rows of all blocks; a blank line between two if there are several rows."""
        part, atoms = self.part, self.layout.atoms
        tall = sum(len(block.rows) for block in part.blocks) > 1
        for line in self.layout.lines(self.widths, 1, max(10, self.look.width - self.gutter)):
            if line.start and (tall or atoms[line.start].part != atoms[line.start - 1].part):
                yield []
            for block in part.blocks:
                yield from self._block(block, line)

    def _block(self, block: Block, line: range) -> Iterator[Line]:
        if len(self.part.blocks) > 1 and len(block.rows) > 1:
            yield [Segment(f"{block.label} ({block.note})" if block.note else block.label, BOLD)]
        if not block.rows[0].fine:
            yield [self._left("text", line), *self._words(block, Row("", ()), line)]
        for row in block.rows:
            segments = self._words(block, row, line) if row.fine else self._brackets(block, row, line)
            yield [self._left(self._name(block, row), line), *segments]

    def _name(self, block: Block, row: Row) -> str:
        name = self.part.name(block, row)
        return f"{name} ({block.note})" if block.note and name == block.label else name

    def _left(self, name: str, line: range) -> Segment:
        if self.layout.parts > 1:
            name += f" [{self.layout.atoms[line.start].part + 1}]"
        elif line.start and len(self.part.blocks) == 1:
            name = ""
        return Segment(padded(name, self.gutter - 2) + "  " if self.gutter else "", MUTED)

    def _words(self, block: Block, row: Row, line: range) -> Iterator[Segment]:
        """The text itself on coloured ground."""
        texts, plain = self.texts.get(id(row)) or self._texts(block, row), self.look.plain
        for cell, atoms in row.runs(line):
            style = plain if cell is None else tinted(self.look, cell, block.signed)
            for i in atoms:
                yield Segment(" " * self.layout.blank(line, i), style if i > atoms[0] else plain)
                yield Segment(texts[i], style)
                yield Segment(" " * (self.widths[i] - cell_len(texts[i])), plain)

    def _brackets(self, block: Block, row: Row, line: range) -> Iterator[Segment]:
        """A bracket under the words of each span, with its score; open at a side at which it goes on."""
        columns, at = places(self.layout, line, self.widths), 0
        for cell, atoms in row.runs(line):
            if cell is not None:
                left, right = columns[atoms[0]][0], columns[atoms[-1]][1]
                begins, ends = cell.start == atoms[0], cell.stop == atoms[-1] + 1
                yield Segment(" " * (left - at))
                text = bracket(_score(block, cell), right - left, begins, ends)
                yield Segment(text, tinted(self.look, cell, block.signed, line=False))
                at = right

    def _texts(self, block: Block, row: Row) -> list[str]:
        """The atoms of a row; without colour, each word that weighs something with its signed score."""
        texts = [atom.text for atom in self.layout.atoms]
        for cell in row.cells if self.look.color is None and row.fine else ():
            if abs(cell.share) >= FAINT or math.isnan(cell.score):
                texts[cell.stop - 1] += f"({_score(block, cell)})"
                if cell.start and not self.layout.atoms[cell.start].space and texts[cell.start - 1].endswith(")"):
                    texts[cell.start] = f" {texts[cell.start]}"  # a sign after a word that has a score too
            if cell.marked:
                texts[cell.start] = f"[{texts[cell.start]}"
                texts[cell.stop - 1] += "]"
        return texts

    def _widths(self, rows: list[tuple[Block, Row]]) -> list[int]:
        """Columns of each atom: room for its text in every row, and for the score of every bracket under it."""
        atoms = self.layout.atoms
        widths = [cell_len(atom.text) for atom in atoms]
        for _, row in rows:
            if row.fine:
                widths = [max(width, cell_len(text)) for width, text in zip(widths, self.texts[id(row)], strict=True)]
        for block, row in rows:
            for cell in () if row.fine else row.cells:
                blanks = sum(atoms[i].space for i in range(cell.start + 1, cell.stop))
                room = blanks + sum(widths[cell.start : cell.stop])
                widths[cell.stop - 1] += max(0, len(_score(block, cell)) + 2 - room)
        return widths


def _score(block: Block, cell: Cell) -> str:
    return hyphened(block.written(cell.score))
