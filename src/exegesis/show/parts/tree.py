"""Phrases as boxes on their words."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import NamedTuple

from exegesis.show.layout import Layout
from exegesis.show.parts.passage import Cell
from exegesis.show.wording import signed


class Node(NamedTuple):
    """A phrase as a box over its atoms that fills the rows ``low`` to ``high``; words stand in row 0."""

    cell: Cell
    low: int
    high: int
    interaction: float | None = None


@dataclass(frozen=True)
class Tree:
    """Phrases as boxes that stand on their words, the whole text on top; LaTeX lists them.

    A long text is broken into lines, each with the boxes that stand on it (``stacked``); a box is open at a side at
    which it goes on in another line. A box holds its score; figures write the strongest interaction in brackets after
    it (all of them if numbers are asked for), HTML shows them at the pointer. The score of a word stands under it if
    numbers are asked for, and always in a terminal without colour.
    """

    layout: Layout
    nodes: tuple[Node, ...]
    limit: float
    signed: bool = True

    def stacked(self, line: range) -> tuple[int, list[tuple[Node, int, int]]]:
        """The number of rows on a line of atoms; the nodes that touch the line, lowest first, with the first and last
        row that each fills. Rows in which no phrase of this line begins are left out."""
        nodes = [node for node in self.nodes if node.cell.start < line.stop and line.start < node.cell.stop]
        lows = sorted({node.low for node in nodes})
        rank = {low: row for row, low in enumerate(lows)}
        placed = [(node, rank[node.low], bisect_left(lows, node.high + 1) - 1) for node in nodes]
        return len(lows), sorted(placed, key=lambda entry: (entry[1], entry[0].cell.start))

    @property
    def nested(self) -> list[tuple[int, Node]]:
        """The phrases from left to right, each before its parts, with their depth."""
        entries: list[tuple[int, Node]] = []
        around: list[Node] = []
        for node in sorted(self.nodes, key=lambda node: (node.cell.start, -node.cell.stop)):
            while around and around[-1].cell.stop <= node.cell.start:
                around.pop()
            entries.append((len(around), node))
            around.append(node)
        return entries

    @property
    def strongest(self) -> Node | None:
        """The phrase of the strongest interaction; None if no two parts interact."""
        joints = [node for node in self.nodes if node.interaction]
        return max(joints, key=lambda node: abs(node.interaction or 0.0), default=None)

    def written(self, score: float) -> str:
        """A score as written in its box."""
        return signed(score, self.limit, sign=self.signed)

    def joint(self, node: Node) -> str:
        """An interaction as written; empty for a phrase without one."""
        return "" if node.interaction is None else signed(node.interaction, self.limit)

    def spoken(self, node: Node) -> str:
        """A phrase with its numbers, for the pointer and for screen readers."""
        score = f"{self.layout.surface(node.cell.start, node.cell.stop)}: {self.written(node.cell.score)}"
        return f"{score}; interaction {self.joint(node)}" if node.interaction is not None else score
