"""How any two words of a text act together. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError, unknown
from exegesis.core.text import Text
from exegesis.results.attribution import Prediction
from exegesis.results.result import Result

KINDS = ("shapley", "removal", "alone")


class Pair(NamedTuple):
    """Two words, by their texts and numbers, with the strength of their interaction."""

    first: str
    second: str
    strength: float
    words: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Interactions(Result):
    """The interaction of every pair of words of one text, for one number that the model computed.

    ``values[i, j]`` belongs to words i and j; the matrix is symmetric with zeros in its diagonal. ``kind`` says which
    interaction (see ``exegesis.interactions``).
    """

    text: Text
    values: Float[np.ndarray, "words words"]
    kind: str
    how: str
    target: str
    prediction: Prediction
    explained: float
    seconds: float = 0.0
    model: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    views: ClassVar[str] = "interactions"
    noun: ClassVar[str] = "result of exegesis.interactions"

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64)
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        if values.shape != (len(self.text.words),) * 2 or not np.array_equal(values, values.T):
            raise UsageError(f"interactions of {len(self.text.words)} words make a symmetric square")
        if not np.isfinite(values).all() or values.diagonal().any():
            raise UsageError("interactions are finite numbers, and a word has none with itself")
        if self.kind not in KINDS:
            raise unknown("kind of interaction", self.kind, KINDS)

    @property
    def words(self) -> tuple[str, ...]:
        """The user's words, as written."""
        return self.text.word_strings()

    def pairs(self) -> tuple[Pair, ...]:
        """Every pair, in reading order."""
        words = self.words
        return tuple(
            Pair(words[i], words[j], float(self.values[i, j]), (i, j))
            for i in range(len(words))
            for j in range(i + 1, len(words))
        )

    def top(self, k: int = 5, *, sign: int = 0) -> tuple[Pair, ...]:
        """The k strongest by magnitude; ``sign=1`` only those that add, ``sign=-1`` only those that take away."""
        kept = [pair for pair in self.pairs() if sign == 0 or pair.strength * sign > 0]
        return tuple(sorted(kept, key=lambda pair: -abs(pair.strength))[:k])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``exegesis.read`` gives the result back, every number to the last bit."""
        from exegesis.results.matrices import interactions_to_dict

        return interactions_to_dict(self)

    def __repr__(self) -> str:
        best = " ".join(f"{pair.first}~{pair.second}{pair.strength:+.3g}" for pair in self.top(3))
        return f"<Interactions {self.kind} of {self.target}={self.explained:.4g}: {len(self.words)} words; {best}>"
