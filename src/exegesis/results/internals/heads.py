"""What the heads of an encoder look at: dependencies, tags, special pieces; and what leaving them out costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.results.behaviour.study import Asked, Study


class Relation(NamedTuple):
    """A dependency relation and the head of the model that finds it best, beside the best fixed offset.

    ``direction`` says who looks: ``to head``, the dependent at its head, or ``to dependent``. Head, direction and
    offset are chosen on every other sentence; ``accuracy`` and ``baseline`` are shares of words on the rest whose most
    attended word (or the word at the offset) is the right one, with their 95 % intervals over sentences; ``apart_low``
    to ``apart_high`` is that of their difference. ``words`` is the number of words on the rest.
    """

    relation: str
    words: int
    layer: int
    head: int
    direction: str
    accuracy: float
    low: float
    high: float
    offset: int
    baseline: float
    baseline_low: float
    baseline_high: float
    apart_low: float
    apart_high: float


@dataclass(frozen=True, eq=False)
class HeadStudy(Study):
    """What every head of an encoder does over a treebank (see ``exegesis.study.heads``).

    ``special[l, h]`` is the share of attention of words that goes to special pieces, ``offsets`` maps ``previous``,
    ``same`` and ``next`` to the share of words whose most attended word is that one, ``tags`` maps a part of speech to
    the share of attention that goes to it. ``importance`` is the mean size of the derivative of the predicted class by
    a gate on the head (Michel et al. 2019), ``cost`` the mean total variation of the prediction without it, for the
    first ``tried`` sentences.
    """

    asked: Asked
    relations: tuple[Relation, ...]
    special: Float[np.ndarray, "layers heads"]
    offsets: dict[str, Float[np.ndarray, "layers heads"]]
    tags: dict[str, Float[np.ndarray, "layers heads"]]
    importance: Float[np.ndarray, "layers heads"]
    cost: Float[np.ndarray, "layers heads"]
    tried: int

    kind: ClassVar[str] = "heads"
    filled: ClassVar[tuple[str, ...]] = ("relations",)

    def of(self, relation: str) -> Relation:
        """The row of a relation. Raises KeyError for one that was too rare."""
        return {row.relation: row for row in self.relations}[relation]

    @property
    def found(self) -> tuple[str, ...]:
        """The relations that a head finds better than any fixed offset does, for sure."""
        return tuple(row.relation for row in self.relations if row.apart_low > 0)
