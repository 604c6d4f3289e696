"""How far a number of a model follows concepts in its hidden states, beside random sets of examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import unknown
from exegesis.results.behaviour.study import Asked, Study

CERTAIN = 0.05


class ConceptAt(NamedTuple):
    """A concept at a layer (Kim et al. 2018).

    ``examples`` is their number, ``accuracy`` the share of held-out examples that lie on the right side of the linear
    classifier (0.5 is chance; NaN for fewer than two on a side). ``score`` is TCAV (their Eq. 2): the share of texts
    whose number grows as the state moves along the direction; ``effect`` is the mean of its derivative, in units of the
    number for one standard deviation of the examples along the direction. ``low`` to ``high`` of each hold 95 % of the
    random sets; the p values are the shares of sets that lie as far from 0.5, or from 0, as the concept, in Holm's
    correction for all concepts and layers of the study. ``direction`` is the mean direction, as long as that deviation.
    """

    concept: str
    layer: str
    examples: int
    accuracy: float
    score: float
    score_low: float
    score_high: float
    score_p: float
    effect: float
    effect_low: float
    effect_high: float
    effect_p: float
    direction: Float[np.ndarray, " dimensions"]


@dataclass(frozen=True, eq=False)
class ConceptStudy(Study):
    """How far a number follows concepts, layer by layer (see ``exegesis.study.concepts``).

    ``compared`` is the number of examples of no concept, ``sets`` that of random sets beside each concept; ``within``
    says that examples are whole texts that hold a word of the concept.
    """

    asked: Asked
    compared: int
    sets: int
    within: bool
    rows: tuple[ConceptAt, ...]

    kind: ClassVar[str] = "concepts"
    filled: ClassVar[tuple[str, ...]] = ("rows",)

    @property
    def concepts(self) -> tuple[str, ...]:
        """The concepts, in order."""
        return tuple(dict.fromkeys(row.concept for row in self.rows))

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers, in order."""
        return tuple(dict.fromkeys(row.layer for row in self.rows))

    def of(self, concept: str, layer: str) -> ConceptAt:
        """A concept at a layer. Raises UsageError for one that is not in the study."""
        for row in self.rows:
            if (row.concept, row.layer) == (concept, layer):
                return row
        raise unknown(
            "concept and layer", f"{concept} at {layer}", [f"{row.concept} at {row.layer}" for row in self.rows]
        )

    @property
    def followed(self) -> tuple[ConceptAt, ...]:
        """The concepts and layers whose effect no random set explains."""
        return tuple(row for row in self.rows if row.effect_p <= CERTAIN)
