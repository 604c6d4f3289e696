"""Lines between two rows of words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.show.parts.scale import FAINT, share
from exegesis.show.parts.table import Table, table
from exegesis.show.wording import signed

CLEAR, MOST = 1.5, 0.5  # times the mean of its upper word's numbers, or of their sum, that a line is at least
STANDS_OUT = (
    f"Of each word above (or left) only lines that stand out are drawn, {CLEAR:g} times its mean or more: the numbers "
    "of a word without a line are nearly even, or small."
)


class Link(NamedTuple):
    """A line of an alignment: the numbers of its words in both rows, and its share of the scale, from -1 to 1."""

    upper: int
    lower: int
    share: float


@dataclass(frozen=True, eq=False)
class Alignment:
    """Two rows of words and a line for each number between them, as wide and deep as its ``share`` of the scale.

    Only lines that stand out are drawn: of at least 5 % of the scale, and at least 1.5 times the mean size of the
    numbers of their upper word (or half of their sum), so that a word whose numbers are nearly even has no line. What
    is against is dashed. Rows that are too long for a page become two columns. A terminal and LaTeX have no lines: they
    list each word of the ``upper`` row with its strongest partners.
    """

    upper: tuple[str, ...]
    lower: tuple[str, ...]
    values: Float[np.ndarray, "upper lower"]
    limit: float
    signed: bool = True
    title: str = ""

    @property
    def links(self) -> list[Link]:
        """The lines that are drawn, the strongest last, so that it lies on top."""
        sizes = np.abs(self.values)
        least = np.minimum(CLEAR * sizes.mean(1, keepdims=True), MOST * sizes.sum(1, keepdims=True))
        every = [
            Link(i, j, share(float(value), self.limit))
            for (i, j), value in np.ndenumerate(self.values)
            if sizes[i, j] >= least[i, 0] * (1 - 1e-9)
        ]
        return sorted((link for link in every if abs(link.share) >= FAINT), key=lambda link: abs(link.share))

    def spoken(self, link: Link) -> str:
        """A line with its words and its number, for the pointer and for screen readers."""
        return f"{self.upper[link.upper]} — {self.lower[link.lower]}: {self._written(link)}"

    def listed(self, most: int = 3) -> Table:
        """The words of the upper row, each with at most ``most`` partners from the strongest on."""
        best: dict[int, list[Link]] = {}
        for link in reversed(self.links):
            best.setdefault(link.upper, []).append(link)
        rows = [
            (name, ", ".join(f"{self.lower[link.lower]} {self._written(link)}" for link in best[number][:most]))
            if number in best
            else (name, "none stands out")
            for number, name in enumerate(self.upper)
        ]
        return table((self.title or "word", "its strongest lines"), rows, words=2)

    def _written(self, link: Link) -> str:
        return signed(float(self.values[link.upper, link.lower]), self.limit, sign=self.signed)
