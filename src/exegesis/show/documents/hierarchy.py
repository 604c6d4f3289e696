"""What every view of a hierarchy draws: phrases as boxes that stand on their words. Imports no torch.

Rows rise from the words to the whole text, as in the survey's Figure 21. A phrase stands in the row above its highest
part and fills every row up to the phrase that takes it in, so each row is the text cut in its own way.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from exegesis.results.hierarchy import Hierarchy, Part
from exegesis.results.result import each
from exegesis.show.documents.attribution import Block, Cell, Panel, Row, atoms_of, parts_of, rtl_of
from exegesis.show.documents.header import header
from exegesis.show.wording import number, signed, target_phrase, visible

JOINED = {
    "hedge": "the Shapley interaction of its two parts",
    "": "its score beyond the sum of its parts",
}
FOUND = {
    "acd": "Words were joined from below, the strongest first (ACD).",
    "soc": "Words were joined from below by sampling and occlusion (SOC).",
    "scd": "Words were joined from below by sampling contextual decomposition (SCD).",
    "hedge": "The text was cut from above where its parts interact least (HEDGE).",
    "parse": "The phrases are those of a given tree.",
    "owen": "The phrases are those of a given tree; the score of a phrase is the sum of its words'.",
}


class Node(NamedTuple):
    """A phrase as a box over atoms, in the rows from ``low`` to ``high``; words stand in row 0."""

    cell: Cell
    low: int
    high: int
    interaction: float | None
    step: int


@dataclass(frozen=True)
class Nested:
    """One hierarchy: a panel of its text, whose only block holds the words' row, and a node for each phrase."""

    result: Hierarchy
    panel: Panel
    nodes: tuple[Node, ...]

    @property
    def block(self) -> Block:
        return self.panel.blocks[0]

    def stacked(self, line: range) -> tuple[int, list[tuple[Node, int, int]]]:
        """The nodes that touch a line of atoms, the lowest first, with the rows that they fill there; how many rows.

        Rows that begin no phrase on this line are left out.
        """
        here = [node for node in self.nodes if node.cell.start < line.stop and line.start < node.cell.stop]
        lows = sorted({node.low for node in here})
        rank = {low: row for row, low in enumerate(lows)}
        found = [(node, rank[node.low], bisect_left(lows, node.high + 1) - 1) for node in here]
        return len(lows), sorted(found, key=lambda one: (one[1], one[0].cell.start))

    def score(self, node: Node, minus: str = "-") -> str:
        """A score as written."""
        return signed(node.cell.score, self.block.limit, minus=minus, sign=self.block.signed)

    def joint(self, node: Node, minus: str = "-") -> str:
        """An interaction as written; nothing where there is none."""
        if node.interaction is None:
            return ""
        return signed(node.interaction, self.block.limit, minus=minus)

    def spoken(self, node: Node, minus: str = "-") -> str:
        """A phrase with its numbers, for the pointer and for readers of the screen."""
        joint = self.joint(node, minus)
        said = f"{self.panel.surface(node.cell)}: {self.score(node, minus)}"
        return f"{said}; interaction {joint}" if joint else said


def nested(results: Hierarchy | Sequence[Hierarchy]) -> tuple[Nested, ...]:
    """The hierarchies as they are drawn, in order."""
    return tuple(map(_nested, each(results)))


def _nested(result: Hierarchy) -> Nested:
    raw = result.text.raw
    places = [result.text.characters(part.span) for part in result.parts]
    starts, atoms = atoms_of(raw, {edge for place in places for edge in place}, parts_of(result.text))
    limit = max((abs(part.score) for part in result.parts), default=0.0)
    over = _over(result.parts)
    nodes = []
    for at, (part, (start, stop)) in enumerate(zip(result.parts, places, strict=True)):
        share = max(-1.0, min(1.0, part.score / limit)) if limit else 0.0
        cell = Cell(bisect_left(starts, start), bisect_left(starts, stop), part.score, share)
        if cell.stop > cell.start:
            high = result.heights[over[at]] - 1 if at in over else result.heights[at]
            nodes.append(Node(cell, result.heights[at], high, part.interaction, part.step))
    row = Row("word", tuple(node.cell for node in nodes if node.low == 0))
    block = Block("", "", result.words(), (row,), limit)
    parts = 1 + max((atom.part for atom in atoms), default=0)
    return Nested(result, Panel(tuple(atoms), (block,), parts, False, rtl_of(raw)), tuple(nodes))


def _over(parts: Sequence[Part]) -> dict[int, int]:
    """For each part but the whole, the number of the phrase that takes it in."""
    return {child: number for number, part in enumerate(parts) for child in part.children}


def nesting(tree: Nested) -> list[tuple[int, Node]]:
    """The phrases from left to right, each before its parts, and how deep each lies."""
    found: list[tuple[int, Node]] = []
    around: list[Node] = []
    for node in sorted(tree.nodes, key=lambda node: (node.cell.start, -node.cell.stop)):
        while around and around[-1].cell.stop <= node.cell.start:
            around.pop()
        found.append((len(around), node))
        around.append(node)
    return found


def strongest(tree: Nested) -> Node | None:
    """The phrase of the strongest interaction; none where no two parts interact."""
    joints = [node for node in tree.nodes if node.interaction]
    return max(joints, key=lambda node: abs(node.interaction or 0.0), default=None)


def facts(tree: Nested, minus: str = "-") -> dict[str, str]:
    """What stands over a hierarchy, as ``notes.header``; where its scores are leads, with that of the whole text."""
    found = header(tree.panel, minus)
    if leads(tree.result):
        label = tree.result.target.partition(":")[2]
        found["target"] += f"; its lead over other labels {number(tree.result.root.score, minus)}" if label else ""
    return found


def leads(result: Hierarchy) -> bool:
    """Whether scores are not values of the number in the header, but leads of its label over the strongest other.

    HEDGE's are; where the label has no rival (a margin, log odds of two labels) its lead is the number itself.
    """
    root = result.root.score
    return result.name == "hedge" and abs(root - result.explained) > 1e-6 * max(1.0, abs(root))


def notes(tree: Nested, minus: str = "-", *, more: Sequence[str] = ()) -> list[str]:
    """What stands under a hierarchy: how its phrases were found, what scores and interactions are, ``more`` on how they
    are written, what adds up."""
    result = tree.result
    lines = [FOUND.get(result.name, "")] if len(result.text.words) > 1 else []
    lines.append(f"Score: {visible(result.scorer)}.")
    if leads(result):
        what, lead = target_phrase(result.target), number(result.root.score, minus)
        lines.append(
            f"The lead is of the {what} over that of the strongest other label; of the whole text it is {lead}."
        )
    strong = strongest(tree)
    if strong is not None:
        what = JOINED.get(result.name, JOINED[""])
        text = tree.panel.surface(strong.cell)
        shown = text if len(text) <= 60 else text[:59] + "…"
        lines.append(f"A phrase's interaction is {what}; the strongest is {tree.joint(strong, minus)}, of “{shown}”.")
    return [line for line in (*lines, *more, _account(result, minus)) if line]


def _account(result: Hierarchy, minus: str) -> str:
    what = target_phrase(result.target)
    if not result.complete or result.details.get("signed") is False:
        return f"The {what} is {number(result.explained, minus)}; scores of phrases need not add up to it."
    words = sum(part.score for part in result.parts if not part.children)
    kept = [f"{visible(name)} {number(_plain(value), minus)}" for name, value in result.account.items()]
    gap = result.explained - words - sum(map(_plain, result.account.values()))
    rest = "" if abs(gap) <= 1e-6 * max(1.0, abs(result.explained)) else f", but for a gap of {number(gap, minus)}"
    whole = f"the {what}, {number(result.explained, minus)}{rest}."
    given = f"; with {' and '.join(kept)} they make" if kept else " for"
    return f"The words' scores add up to {number(words, minus)}{given} {whole}"


def _plain(value: object) -> float:
    found = float(value)  # type: ignore[arg-type]
    return 0.0 if math.isnan(found) else found
