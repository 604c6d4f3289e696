"""Words for the terminal: on coloured ground, or with signed numbers where there is no colour. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from exegesis.results.attribution import Attribution
from exegesis.show.before.figure.lines import fill, joint
from exegesis.show.documents.attribution import Block, Cell, Panel, Row, Scale, panels
from exegesis.show.documents.header import header, notes
from exegesis.show.terminal import bars
from exegesis.show.terminal.bars import FAINT
from exegesis.show.terminal.look import MUTED, Line, Look, clipped, folded, listed
from exegesis.show.wording import signed

STRONG = 0.5  # share from which it is bold where there is


def blocks(
    results: Attribution | Sequence[Attribution], look: Look, numbers: bool, *, scale: Scale | None = None
) -> Iterator[list[Line]]:
    """Each text with its results under each other.

    Where there is no colour the strong words carry their signed scores. Words against are underlined. A phrase stands
    as a bar with its score under its words. ``numbers=True`` adds a table of every span with a signed bar.
    """
    for panel in panels(results, scale):
        yield [*_panel(panel, look), *([[], *bars.table(panel, look)] if numbers else [])]


def _panel(panel: Panel, look: Look) -> list[Line]:
    facts = [(text, Style(bold=name == "prediction")) for name, text in header(panel).items()]
    lines = [*listed(facts, look.width), []]
    if not panel.atoms:
        lines.append([Segment("(the text is empty)", MUTED)])
    return [*lines, *_Drawing(panel, look).lines(), [], *_footer(panel, look)]


def _footer(panel: Panel, look: Look) -> list[Line]:
    """The scale, and what the numbers are."""
    every = notes(panel)
    room = min(max((cell_len(name) for name, _ in every), default=0), look.width // 2)
    lines = bars.legend(panel, look)
    for name, text in every:
        start = clipped(name, room) + "  " if name else ""
        for i, part in enumerate(folded(text, max(20, look.width - cell_len(start)))):
            lines.append([Segment((" " * cell_len(start) if i else start) + part, MUTED)])
    return lines


class _Drawing:
    """The words of one panel with the rows of all its blocks, line by line."""

    def __init__(self, panel: Panel, look: Look) -> None:
        self.panel, self.look = panel, look
        self.owners = {id(row): panel.owners(row) for block in panel.blocks for row in block.rows}
        self.texts = [[self._with_numbers(block, row) for row in block.rows] for block in panel.blocks]
        self.widths = self._widths()
        names = [self._name(block, row) for block in panel.blocks for row in block.rows]
        longest = max((cell_len(name) for name in [*names, "text"]), default=0) + (4 if panel.parts > 1 else 0)
        self.gutter = min(longest + 2, look.width // 2)

    def lines(self) -> Iterator[Line]:
        """Every line of text with the rows of all blocks; a blank line between two where there are several rows."""
        panel = self.panel
        tall = sum(len(block.rows) for block in panel.blocks) > 1
        for line in fill(panel, self.widths, 1, max(10, self.look.width - self.gutter)):
            if line.start and (tall or panel.atoms[line.start].part != panel.atoms[line.start - 1].part):
                yield []
            for block, texts in zip(panel.blocks, self.texts, strict=True):
                yield from self._block(block, texts, line)

    def _block(self, block: Block, texts: list[list[str]], line: range) -> Iterator[Line]:
        several = len(self.panel.blocks) > 1
        if several and len(block.rows) > 1:
            yield [Segment(_label(block), Style(bold=True))]
        if not self.panel.fine(block.rows[0]):
            yield [self._left("text", line), *self._words(block, None, [a.text for a in self.panel.atoms], line)]
        for row, own in zip(block.rows, texts, strict=True):
            fine = self.panel.fine(row)
            drawn = self._words(block, row, own, line) if fine else self._bars(block, row, line)
            yield [self._left(self._name(block, row), line), *drawn]

    def _name(self, block: Block, row: Row) -> str:
        return _label(block) if len(self.panel.blocks) > 1 and len(block.rows) == 1 else row.level

    def _left(self, name: str, line: range) -> Segment:
        panel = self.panel
        if panel.parts > 1:
            name += f" [{panel.atoms[line.start].part + 1}]"
        elif line.start and len(panel.blocks) == 1:
            name = ""
        return Segment(clipped(name, self.gutter - 2) + "  ", MUTED)

    def _words(self, block: Block, row: Row | None, texts: list[str], line: range) -> Iterator[Segment]:
        """The text itself on coloured ground."""
        plain = self.look.plain
        owners = self.owners[id(row)] if row is not None else None
        for i in line:
            cell = owners[i] if owners is not None else None
            style = plain if cell is None else self._style(block, cell)
            if joint(self.panel, line, i):
                yield Segment(" ", style if cell is not None and cell.start < i else plain)
            yield Segment(texts[i], style)
            if self.widths[i] > cell_len(texts[i]):
                yield Segment(" " * (self.widths[i] - cell_len(texts[i])), plain)

    def _bars(self, block: Block, row: Row, line: range) -> Iterator[Segment]:
        """A bar under the words of each span, with its score; open at a side where it goes on in another line."""
        places, column = {}, 0
        for i in line:
            column += joint(self.panel, line, i)
            places[i] = (column, column + self.widths[i])
            column += self.widths[i]
        at = 0
        for cell in dict.fromkeys(filter(None, self.owners[id(row)][line.start : line.stop])):
            start, stop = max(cell.start, line.start), min(cell.stop, line.stop)
            left, right = places[start][0], places[stop - 1][1]
            text = bars.bracket(_score(block, cell), right - left, cell.start == start, cell.stop == stop)
            yield Segment(" " * (left - at))
            yield Segment(text, self._style(block, cell, line=False))
            at = right

    def _style(self, block: Block, cell: Cell, *, line: bool = True) -> Style:
        paint = self.look.paint(cell.share, block.signed)
        against = line and block.signed and cell.share <= -FAINT
        strong = abs(cell.share) >= STRONG
        return Style(color=paint.ink, bgcolor=paint.ground, underline=against or None, bold=strong or None)

    def _with_numbers(self, block: Block, row: Row) -> list[str]:
        """The atoms of a row; where there is no colour, each word that weighs something with its signed score."""
        texts = [atom.text for atom in self.panel.atoms]
        if self.look.color is None and self.panel.fine(row):
            for cell in row.cells:
                if abs(cell.share) >= FAINT or math.isnan(cell.score):
                    texts[cell.stop - 1] += f"({_score(block, cell)})"
        return texts

    def _widths(self) -> list[int]:
        """Columns of each atom: room for its text in every row, and for the score of every bar under it."""
        panel = self.panel
        rows = [(block, row, own) for block, texts in zip(panel.blocks, self.texts, strict=True)
                for row, own in zip(block.rows, texts, strict=True)]  # fmt: skip
        widths = [cell_len(atom.text) for atom in panel.atoms]
        for _, row, own in rows:
            if panel.fine(row):
                widths = [max(width, cell_len(text)) for width, text in zip(widths, own, strict=True)]
        for block, row, _ in rows:
            for cell in () if panel.fine(row) else row.cells:
                blanks = sum(panel.atoms[i].space for i in range(cell.start + 1, cell.stop))
                room = blanks + sum(widths[cell.start : cell.stop])
                widths[cell.stop - 1] += max(0, len(_score(block, cell)) + 2 - room)
        return widths


def _label(block: Block) -> str:
    return f"{block.label} ({block.note})" if block.note else block.label


def _score(block: Block, cell: Cell) -> str:
    return signed(cell.score, block.limit, sign=block.signed)
