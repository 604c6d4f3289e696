"""What every view of interactions draws: words down a diagonal, and a cell where two of them meet. Imports no torch.

A cell stands to the left of the later word of its pair and below the earlier one, so no word is written twice and none
is turned. Long texts are cut down to the words of their strongest pairs.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from exegesis.results.attribution import Attribution
from exegesis.results.interactions import Interactions, Pair
from exegesis.results.result import Origin
from exegesis.show.documents.attribution import Block, Panel, rtl_of
from exegesis.show.wording import number, signed, target_phrase, visible

WHAT = {
    "shapley": "on average over which of the other words are there (the Shapley interaction index)",
    "removal": "in the whole text",
    "alone": "where all other words are left out",
}
PLACE = "A cell stands left of one word of its pair and below the other."
NAMED = 3  # pairs that are named under the cells


@dataclass(frozen=True)
class Grid:
    """Interactions of one text as they are drawn. ``kept`` are the numbers of the words that are, in reading order;
    ``panel`` has no words of its own and serves for what stands around them."""

    result: Interactions
    panel: Panel
    kept: tuple[int, ...]
    words: tuple[str, ...]

    @property
    def limit(self) -> float:
        """The strength that is drawn in the deepest colour."""
        return self.panel.blocks[0].limit

    def share(self, first: int, second: int) -> float:
        """A cell's share of the scale, from -1 to 1, by the places of its words among those kept."""
        return self.shared(float(self.result.values[self.kept[first], self.kept[second]]))

    def shared(self, strength: float) -> float:
        return strength / self.limit if self.limit else 0.0

    def score(self, strength: float, minus: str = "-") -> str:
        """A strength as written."""
        return signed(strength, self.limit, minus=minus)

    def cell(self, first: int, second: int, minus: str = "-") -> str:
        """A cell's strength as written."""
        return self.score(float(self.result.values[self.kept[first], self.kept[second]]), minus)

    def spoken(self, first: int, second: int, minus: str = "-") -> str:
        """A cell with its words, for the pointer and for readers of the screen."""
        return f"{self.words[first]} ~ {self.words[second]}: {self.cell(first, second, minus)}"


def grid(result: Interactions, most: int) -> Grid:
    """Interactions as they are drawn, with at most so many words."""
    limit = float(np.abs(result.values).max(initial=0.0))
    name = f"{result.kind} interactions"
    around = Attribution(result.subject, Origin(name, name, result.seconds), (), np.zeros((1, 0)))
    panel = Panel((), (Block("", "", around, (), limit),), 1, False, rtl_of(result.text.raw))
    kept, words = _kept(result, max(2, most)), result.words
    return Grid(result, panel, kept, tuple(shown(words[number]) for number in kept))


def shown(word: str) -> str:
    """A word as it is written beside its cells, in one line."""
    return visible(" ".join(word.split()))


def _kept(result: Interactions, most: int) -> tuple[int, ...]:
    count = len(result.words)
    if count <= most:
        return tuple(range(count))
    found: set[int] = set()
    for pair in strongest(result, most * most):
        if len(found | set(pair.words)) > most:
            break
        found |= set(pair.words)
    return tuple(sorted(found))


def strongest(result: Interactions, most: int) -> list[Pair]:
    """The pairs of strongest interaction by magnitude, those that are zero left out; ties stand in reading order."""
    first, second = np.triu_indices(len(result.words), 1)
    sizes = np.abs(result.values[first, second])
    best = heapq.nsmallest(most, np.flatnonzero(sizes).tolist(), key=lambda at: (-sizes[at], at))
    words = result.words
    return [
        Pair(words[i], words[j], float(result.values[i, j]), (i, j))
        for i, j in ((int(first[at]), int(second[at])) for at in best)
    ]


def notes(drawn: Grid, minus: str = "-", *, more: Sequence[str] = (), listed: bool = True) -> list[str]:
    """What stands under the cells: what an interaction is, which are strongest (where ``listed``), what is left
    out."""
    result, count = drawn.result, len(drawn.result.words)
    if count < 2:
        return ["A single word has no interaction."]
    what = f"An interaction is what two words do to the {target_phrase(result.target)} together, beyond what each does,"
    lines = [f"{what} {WHAT[result.kind]}.", *more]
    named = ", ".join(
        f"“{_short(pair.first)}” ~ “{_short(pair.second)}” {drawn.score(pair.strength, minus)}"
        for pair in strongest(result, NAMED)
    )
    if not named:
        lines.append("No two words interact: what they do only adds up.")
    elif listed:
        lines.append(f"Strongest: {named}.")
    error = result.details.get("standard_error")
    if error is not None and np.size(error):
        lines.append(f"Estimated from drawn orders: standard errors up to {number(float(np.max(error)), minus)}.")
    if len(drawn.kept) < count:
        left = f"The {len(drawn.kept)} words of the strongest interactions are drawn, of {count}"
        lines.append(f"{left}; a .csv file has every pair.")
    return lines


def _short(word: str) -> str:
    word = shown(word)
    return word if len(word) <= 30 else word[:29] + "…"
