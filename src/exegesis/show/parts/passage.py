"""Words of a text in colour."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from exegesis.show.layout import Layout
from exegesis.show.wording import signed


class Cell(NamedTuple):
    """Atoms ``start`` to ``stop`` of a layout with their score; ``share`` of the scale, from -1 to 1, gives the colour.

    A ``marked`` cell, which the document is about, has brackets or an outline around it.
    """

    start: int
    stop: int
    score: float
    share: float
    marked: bool = False


class Row(NamedTuple):
    """Cells that do not overlap, in reading order.

    The text of a ``fine`` row is coloured itself, since each cell covers at most a word; other rows are boxes or
    brackets beside the words, each with its score. ``limit`` is the score of the deepest colour, 0 for the block's.
    """

    level: str
    cells: tuple[Cell, ...]
    fine: bool = True
    limit: float = 0.0

    def cell_at(self, atom: int) -> Cell | None:
        """The cell that covers an atom."""
        at = bisect_right(self.cells, atom, key=attrgetter("start")) - 1
        return self.cells[at] if at >= 0 and atom < self.cells[at].stop else None

    def runs(self, atoms: Iterable[int]) -> list[tuple[Cell | None, list[int]]]:
        """Atoms in the order in which they stand, those of one cell that stand together as one run, others alone."""
        runs: list[tuple[Cell | None, list[int]]] = []
        for i in atoms:
            cell = self.cell_at(i)
            if cell is not None and runs and runs[-1][0] is cell:
                runs[-1][1].append(i)
            else:
                runs.append((cell, [i]))
        return runs


@dataclass(frozen=True)
class Block:
    """The rows of one explanation of a text, finest level first; ``note`` stands beside its label, muted.

    ``limit`` is the score of the deepest colour. Scores speak for (+) or against (-) if ``signed``; else they are
    sizes, which have other colours.
    """

    label: str
    note: str
    rows: tuple[Row, ...]
    limit: float
    signed: bool = True

    def written(self, score: float) -> str:
        """A score as written under its words."""
        return signed(score, self.limit, sign=self.signed)


@dataclass(frozen=True)
class Passage:
    """Words of one text in colour, once for every row of every block; rows stand under each other, line by line.

    A row begins with its ``name``; a block of several rows among several blocks has its label above. A pair's texts are
    numbered 1 and 2. The sign never rests on colour alone: a bar above for, below against (figures, HTML), underlining
    (LaTeX, terminal), or signed numbers (terminal without colour). A score stands under its cell if numbers are asked
    for, and always in rows that are not fine. ``caption`` is a muted line above. An empty text is drawn as "(the text
    is empty)".

    ``pick`` says what the labels of blocks are to be chosen from ("a word of the answer"): a medium that can shows the
    labels in a line and the block of the chosen one below; all others draw all blocks.
    """

    layout: Layout
    blocks: tuple[Block, ...]
    caption: str = ""
    pick: str = ""

    def name(self, block: Block, row: Row) -> str:
        """The name at the start of a row."""
        return block.label if len(self.blocks) > 1 and len(block.rows) == 1 else row.level

    def spoken(self, block: Block, row: Row) -> str:
        """The full name of a row: its block if there are several, its level if the block has several."""
        parts = [block.label] if len(self.blocks) > 1 else []
        return " · ".join([*parts, row.level] if len(block.rows) > 1 or not parts else parts)
