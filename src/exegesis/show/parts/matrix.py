"""Numbers of rows by columns in colour."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from exegesis.show.parts.scale import share
from exegesis.show.wording import decimal, signed


@dataclass(frozen=True, eq=False)
class Matrix:
    """Numbers of rows by columns in colour, each its ``share`` of the scale.

    If ``half``, rows and columns are the same words: a word stands at the end of its row, on the diagonal, and row i
    has i cells, so no word is written twice; ``shortened`` leaves the words that fit. Else ``across`` names the columns
    above them. A cell's number is written into it if ``digits`` is set or numbers are asked for; blank if NaN. ``hue``
    is the categorical colour of a matrix that is not signed (None: the palette's colour of sizes). HTML folds a matrix
    with ``fold`` under that name, with its neighbours of the same name; one such fold of a page is open at a time.
    """

    down: tuple[str, ...]
    across: tuple[str, ...]
    values: Float[np.ndarray, "down across"]
    limit: float
    signed: bool = True
    half: bool = False
    title: str = ""
    digits: int | None = None
    hue: int | None = None
    fold: str = ""

    def share(self, row: int, column: int) -> float:
        """The share of the scale, from -1 to 1."""
        return share(float(self.values[row, column]), self.limit)

    def written(self, row: int, column: int) -> str:
        """A number as written in its cell."""
        value = float(self.values[row, column])
        if self.digits is not None or math.isnan(value):
            return decimal(value, self.digits or 0)
        return signed(value, self.limit, sign=self.signed)

    def spoken(self, row: int, column: int) -> str:
        """A number with its names, for the pointer and for screen readers."""
        first, second = (self.across[column], self.down[row]) if self.half else (self.down[row], self.across[column])
        return f"{first} ~ {second}: {self.written(row, column)}"

    def shortened(self, most: int) -> tuple[Matrix, str]:
        """A half matrix of at most ``most`` words, those of the strongest cells, and the sentence that says so; the
        matrix itself and no sentence if all words fit."""
        count, most = len(self.down), max(2, most)
        if count <= most or not self.half:
            return self, ""
        rows, columns = np.tril_indices(count, -1)
        sizes = np.abs(self.values[rows, columns])
        strongest: set[int] = set()
        for at in np.argsort(-sizes, kind="stable")[: most * most]:
            more = strongest | {int(rows[at]), int(columns[at])}
            if not sizes[at] or len(more) > most:
                break
            strongest = more
        places = sorted(strongest)
        words = tuple(self.down[place] for place in places)
        shortened = replace(self, down=words, across=words, values=self.values[np.ix_(places, places)])
        sentence = f"The {len(places)} words of the strongest interactions are drawn, of {count}"
        return shortened, f"{sentence}; a .csv file has every pair."
