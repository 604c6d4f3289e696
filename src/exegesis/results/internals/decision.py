"""A decision through concepts: the excerpt of each, whether it is present, and what it adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError
from exegesis.core.escapes import escaped
from exegesis.core.values import published
from exegesis.results.header import Account, TextResult, require_finite


@published
@dataclass(frozen=True, eq=False)
class ConceptDecision(TextResult):
    """How a model that decides through concepts came to its numbers for one text.

    ``words[k]`` are the numbers of the words that concept ``concepts[k]`` reads, ``chance[k]`` its probability (or its
    share of attention), ``present[k]`` whether it counts. ``parts[k, t]`` is what it adds to the number ``targets[t]``,
    in the number's own unit, 0 if it does not count. The parts and the account, the output bias, add up to the numbers
    explained.
    """

    concepts: tuple[str, ...]
    words: tuple[tuple[int, ...], ...]
    chance: Float[np.ndarray, " concepts"]
    present: tuple[bool, ...]
    parts: Float[np.ndarray, "concepts targets"]
    remainder: Account

    form: ClassVar[str] = "exegesis.concepts"
    noun: ClassVar[str] = "result of exegesis.concepts"

    def __post_init__(self) -> None:
        count = len(self.concepts)
        if self.parts.shape != (count, len(self.targets)) or self.chance.shape != (count,):
            raise UsageError(f"{count} concepts need as many chances, and a part for each number")
        if len(self.words) != count or len(self.present) != count:
            raise UsageError(f"{count} concepts need as many excerpts and presences")
        limit = len(self.text.words)
        if any(not 0 <= word < limit for words in self.words for word in words):
            raise UsageError(f"an excerpt has a word that is none of the {limit} of the text")
        if any(len(numbers) != len(self.targets) for numbers in self.remainder.parts.values()):
            raise UsageError(f"{len(self.targets)} numbers need as many of each part of the account")
        for name in ("chance", "parts"):
            require_finite(name, getattr(self, name))
            getattr(self, name).setflags(write=False)

    @property
    def excerpts(self) -> tuple[str, ...]:
        """The words that each concept reads, joined by blanks; runs that do not stand together by an ellipsis."""
        own = self.text.word_strings()
        return tuple(
            "".join(
                own[word] if not at else f" {own[word]}" if word == words[at - 1] + 1 else f" … {own[word]}"
                for at, word in enumerate(words)
            )
            for words in self.words
        )

    @property
    def gap(self) -> Float[np.ndarray, " targets"]:
        """The numbers explained less all parts and the account; rounding."""
        account = np.sum(list(self.remainder.parts.values()), axis=0)
        rest: np.ndarray = np.array(self.subject.explained) - self.parts.sum(0) - account
        return rest

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: each concept with its excerpt and what it adds."""
        concepts = [
            {"concept": name, "excerpt": excerpt, "present": present, "chance": float(chance), "adds": parts.tolist()}
            for name, excerpt, present, chance, parts in zip(
                self.concepts, self.excerpts, self.present, self.chance, self.parts, strict=True
            )
        ]
        account = {name: list(numbers) for name, numbers in self.remainder.parts.items()}
        return {**super().readable(), "concepts": concepts, "account": account}

    def __repr__(self) -> str:
        present = [name for name, flag in zip(self.concepts, self.present, strict=True) if flag]
        return escaped(f"<ConceptDecision on {self.target}: {', '.join(present)[:60] or 'no concept'} present>")
