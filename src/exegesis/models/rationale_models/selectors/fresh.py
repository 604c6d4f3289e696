"""FRESH: an extractor learns what explanations mark, and a classifier reads that alone (Jain et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.core.parameters import above, at_most, filled
from exegesis.models.rationale_models.discrete import discretised
from exegesis.models.rationale_models.selectors.selector import (
    Look,
    Reads,
    Scorer,
    Sizes,
    selector,
    supervised,
)
from exegesis.models.trained.taught import Lesson
from exegesis.protocols.selective import Selection


@selector(
    "fresh",
    summary="learns what a method finds important to a support model; nothing is drawn",
    paper="Jain et al., Learning to Faithfully Rationalize by Construction",
    year=2020,
)
@dataclass(frozen=True)
class Fresh:
    """Support model, extractor, classifier, each trained by itself (Jain et al. 2020, Sec. 4).

    1. ``method`` (any method of this library, with parameters as in ``lime:samples=100``) scores the words of the
       training texts for a support model's prediction, and they are made into marks: the top ``share`` of the words,
       rounded down, at least one (the published code rounds up), or the ``contiguous`` run of as many words with the
       largest sum.
    2. An extractor learns the marks by cross-entropy, and keeps as many words by its own probabilities, likewise.
    3. A classifier learns the labels from what the extractor keeps.

    Extractor and classifier have weights and word vectors of their own and no gradient goes from one to the other. It
    deviates from the paper in one point: they are trained side by side, so that the classifier sees what the extractor
    of that moment keeps, and its last epochs what it keeps at the end. With a share of 1 the classifier is an ordinary
    one. Marks given by people (``--marks``) stand in for those of step 1 where a text has them.
    """

    share: Annotated[float, above(0), at_most(1)] = 0.2
    contiguous: bool = False
    method: Annotated[str, filled] = "gradient-x-input"

    apart = True
    pairs = False

    def build(self, shape: Sizes) -> FreshChooser:
        return FreshChooser(self, shape.states)


class FreshChooser(Scorer):
    """The extractor: a logit for each word."""

    def __init__(self, given: Fresh, states: int) -> None:
        super().__init__(states)
        self.given, self.wanted = given, given.share

    def choose(self, look: Look) -> Selection:
        chance = self.chances(look)
        return Selection(chance, discretised(chance, look.real, self.given.share, self.given.contiguous))

    def loss(self, network: Reads, look: Look, lesson: Lesson) -> Float[Tensor, ""]:
        if lesson.marks is None:
            raise UsageError("fresh learns from marked words: give a support model (--support) or marks (--marks)")
        kept = self.choose(look).kept.to(look.vectors)
        logits = network.read(*look.gated(kept))
        return lesson.cross_entropy(logits) + supervised(self.chances(look), lesson.marks, look)
