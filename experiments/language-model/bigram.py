"""The yardstick: an add-k bigram, which sees the word before and no more."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from torch import Tensor

GRID = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)


@dataclass(frozen=True, eq=False)
class Bigram:
    """p(w | v) = (count(v w) + k) / (count(v) + k V). Rows stand between start and stop token; neither is predicted."""

    pairs: Counter[tuple[int, int]]
    singles: Counter[int]
    size: int
    k: float

    @classmethod
    def fit(cls, rows: Sequence[Tensor], valid: Sequence[Tensor], size: int) -> Self:
        """Counts of the training rows; of GRID the k that is best on the held-out ones."""
        pairs: Counter[tuple[int, int]] = Counter()
        singles: Counter[int] = Counter()
        for row in rows:
            numbers = row[:-1].tolist()
            pairs.update(pairwise(numbers))
            singles.update(numbers[:-1])
        return min((cls(pairs, singles, size, k) for k in GRID), key=lambda one: one.log_loss(valid))

    def log_loss(self, rows: Sequence[Tensor]) -> float:
        """Mean negative log probability of a word, in nats."""
        total, count = 0.0, 0
        for row in rows:
            numbers = row[:-1].tolist()
            for before, word in pairwise(numbers):
                chance = (self.pairs[before, word] + self.k) / (self.singles[before] + self.k * self.size)
                total -= math.log(chance)
                count += 1
        return total / count
