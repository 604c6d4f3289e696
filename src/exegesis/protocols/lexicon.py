"""Words that a model knows as one piece each."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Words of one piece, each with the id of its piece; every id occurs once."""

    words: tuple[str, ...]
    ids: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.words)
