"""The concepts through which a model decides, over a corpus: excerpts, weights, and how well they can be told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import unknown
from exegesis.results.behaviour.study import Asked, Study


class Excerpt(NamedTuple):
    """An excerpt of a concept, in how many texts it was read where the concept is present, and its mean chance."""

    text: str
    uses: int
    chance: float


class LearnedConcept(NamedTuple):
    """A concept of a model.

    ``share`` is that of the texts in which it is present, ``adds`` what it adds to each label's logit in the mean over
    those (NaN: in none). ``recognised`` is the share of its held-out excerpts that a fresh classifier of words takes
    for its own (NaN: too few), ``alone`` the share of its excerpts' words that no other present concept of the text
    reads. ``excerpts`` are the commonest, the most used first.
    """

    name: str
    share: float
    adds: Float[np.ndarray, " labels"]
    recognised: float
    alone: float
    excerpts: tuple[Excerpt, ...]

    @property
    def state(self) -> str:
        """``dead`` if it is present in no text, ``always`` in all, else ``in use``."""
        return "dead" if not self.share else "always" if self.share == 1 else "in use"


@dataclass(frozen=True, eq=False)
class ConceptPage(Study):
    """The concepts through which a model decides (see ``exegesis.study.excerpts``).

    ``recognised`` is the share of all held-out excerpts that a fresh classifier of words gives to their concept, and
    ``chance`` that of the commonest concept; ``accuracy`` is the model's on texts with labels (NaN without).
    """

    asked: Asked
    labels: tuple[str, ...]
    accuracy: float
    recognised: float
    chance: float
    concepts: tuple[LearnedConcept, ...]

    kind: ClassVar[str] = "excerpts"
    filled: ClassVar[tuple[str, ...]] = ("concepts",)

    def of(self, name: str) -> LearnedConcept:
        """The concept of a name. Raises UsageError for one that the model does not have."""
        for concept in self.concepts:
            if concept.name == name:
                return concept
        raise unknown("concept", name, [concept.name for concept in self.concepts])
