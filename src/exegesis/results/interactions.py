"""Interactions: the effect of any two words of a text together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError
from exegesis.core.escapes import escaped
from exegesis.core.values import published
from exegesis.results.header import TextResult, require_finite, require_one_target


class Pair(NamedTuple):
    """Two words, by their texts and numbers, with the strength of their interaction."""

    first: str
    second: str
    strength: float
    words: tuple[int, int]


@published
@dataclass(frozen=True, eq=False)
class Interactions(TextResult):
    """The interaction of every pair of words of one text, for one number that the model computed.

    ``values[i, j]`` belongs to words i and j; the matrix is symmetric with a diagonal of zeros. ``kind`` names the kind
    of interaction (see ``exegesis.interactions``), ``how`` the way in which words are removed.

    Raises UsageError for a matrix that is not square, symmetric and finite with a diagonal of zeros.
    """

    values: Float[np.ndarray, "words words"]
    kind: str
    how: str

    form: ClassVar[str] = "exegesis.interactions"
    noun: ClassVar[str] = "result of exegesis.interactions"

    def __post_init__(self) -> None:
        require_one_target(self)
        values = np.asarray(self.values, dtype=np.float64)
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        square = (len(self.text.words),) * 2
        if values.shape != square or not np.array_equal(values, values.T, equal_nan=True):
            raise UsageError(f"interactions of {len(self.text.words)} words make a symmetric square")
        require_finite("interactions", values)
        if values.diagonal().any():
            raise UsageError("interactions must be zero on the diagonal: a word has none with itself")
        errors = self.details.get("standard_error")
        if errors is not None and np.shape(errors) != square:
            raise UsageError(f"the standard errors of {len(self.text.words)} words make a square")

    @property
    def words(self) -> tuple[str, ...]:
        """The user's words, as written."""
        return self.text.word_strings()

    def pairs(self) -> tuple[Pair, ...]:
        """All pairs of words, in reading order."""
        words = self.words
        return tuple(
            Pair(words[i], words[j], float(self.values[i, j]), (i, j))
            for i in range(len(words))
            for j in range(i + 1, len(words))
        )

    def top(self, k: int = 5, *, sign: int = 0) -> tuple[Pair, ...]:
        """The k strongest pairs by magnitude; ``sign=1`` or ``-1`` keeps only interactions of this sign."""
        words, (first, second) = self.words, np.triu_indices(len(self.words), 1)
        strengths = self.values[first, second]
        places = np.flatnonzero(strengths * sign > 0) if sign else np.arange(strengths.size)
        strongest = places[np.argsort(-np.abs(strengths[places]), kind="stable")][:k].tolist()
        at = [(int(first[place]), int(second[place])) for place in strongest]
        return tuple(Pair(words[i], words[j], float(self.values[i, j]), (i, j)) for i, j in at)

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs; row i of ``interactions`` has those of word i with every word."""
        return {**super().readable(), "kind": self.kind, "how": self.how, "interactions": self.values.tolist()}

    def __repr__(self) -> str:
        best = " ".join(f"{pair.first}~{pair.second}{pair.strength:+.3g}" for pair in self.top(3))
        number = f"{self.target}={self.explained:.4g}"
        return escaped(f"<Interactions {self.kind} of {number}: {len(self.words)} words; {best}>")
