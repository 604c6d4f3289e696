"""Rationales of pairs of texts: the words that align, by optimal transport (Swanson et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from exegesis.core.parameters import above, at_least, at_most
from exegesis.models.rationale_models.selectors.selector import Chooser, Look, Reads, Sizes, selector
from exegesis.models.rationale_models.transport import alignment
from exegesis.models.trained.taught import Lesson
from exegesis.protocols.selective import Selection


@selector(
    "matching",
    summary="of a pair of texts the words that align at the least cost, one to one",
    paper="Swanson et al., Rationalizing Text Matching: Learning Sparse Alignments via Optimal Transport",
    year=2020,
)
@dataclass(frozen=True)
class Matching:
    """Words of two texts that align (Swanson et al. 2020, Sec. 4): a plan P of least cost, one to one, sparse.

    The cost of a pair of words is 1 less the cosine of their states (after a linear map). A share of the shorter
    text's words is aligned, K = max(1, share min(n, m)) pairs in all, in a plan with dummies for the others
    (``transport.alignment``): every word is in at most one pair, and exact plans have no more than K pairs. In training
    the gate of a word is its sum in the plan of Sinkhorn's iterations at ``epsilon``, which has a gradient. When the
    model is used the K words of each text (rounded) with the largest gates are kept. A classifier reads the kept words
    of both texts, with the border between them, and nothing else. It deviates from the paper in two points: words are
    aligned rather than sentences, and a reader of what is kept decides, where the paper compares the aligned
    vectors, so that words outside the plan reach nothing.
    """

    share: Annotated[float, above(0), at_most(1)] = 0.3
    epsilon: Annotated[float, above(0)] = 0.1
    steps: Annotated[int, at_least(1)] = 30

    apart = False
    pairs = True

    def build(self, shape: Sizes) -> AligningChooser:
        return AligningChooser(self, shape)


class AligningChooser(Chooser):
    """A map of the states of words, whose cosines make the costs."""

    def __init__(self, given: Matching, shape: Sizes) -> None:
        super().__init__()
        self.given = given
        self.map = nn.Linear(shape.states, shape.states)

    def choose(self, look: Look) -> Selection:
        first, second = self.sides(look)
        chance = self.chances(look)
        count = torch.floor(self.count(first, second) + 1e-9).clamp(min=1)
        kept = look.border.clone()
        for side in (first, second):
            order = torch.argsort(chance.masked_fill(~side, -torch.inf), dim=1, descending=True, stable=True)
            kept |= (torch.argsort(order, dim=1) < count[:, None]) & side
        return Selection(chance, kept)

    def chances(self, look: Look) -> Float[Tensor, "b t"]:
        plan = self.plan(look)
        return (plan.sum(2) + plan.sum(1)).clamp(max=1.0) + look.border

    def loss(self, network: Reads, look: Look, lesson: Lesson) -> Float[Tensor, ""]:
        return lesson.cross_entropy(network.read(*look.gated(self.chances(look))))

    def plan(self, look: Look) -> Float[Tensor, "b t t"]:
        """The plan between all words of a row: zero unless the one is of the first text and the other of the second."""
        first, second = self.sides(look)
        mapped = functional.normalize(self.map(look.states), dim=-1)
        cost = 1 - mapped @ mapped.transpose(1, 2)
        count = self.count(first, second).to(cost)
        return alignment(cost, first, second, count, self.given.epsilon, self.given.steps)

    def sides(self, look: Look) -> tuple[Bool[Tensor, "b t"], Bool[Tensor, "b t"]]:
        """True on the words of the first text, and of the second."""
        behind = look.border.to(torch.uint8).cumsum(1) > 0
        return look.real & ~behind, look.real & behind & ~look.border

    def count(self, first: Bool[Tensor, "b t"], second: Bool[Tensor, "b t"]) -> Float[Tensor, " b"]:
        """How many pairs there are to be, at least one."""
        shorter = torch.minimum(first.sum(1), second.sum(1)).double()
        return (shorter * self.given.share).clamp(min=1.0)
