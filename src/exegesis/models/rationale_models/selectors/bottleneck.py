"""Information bottleneck: a prior says how many words are to be kept (Paranjape et al. 2020)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.parameters import above, at_least, below
from exegesis.models.rationale_models.discrete import top_words
from exegesis.models.rationale_models.gates import relaxed
from exegesis.models.rationale_models.selectors.selector import Look, Reads, Scorer, Sizes, selector
from exegesis.models.trained.taught import Lesson
from exegesis.protocols.selective import Selection


@selector(
    "bottleneck",
    summary="relaxed draws, and the divergence from a prior that keeps a share of words",
    paper="Paranjape et al., An Information Bottleneck Approach for Controlling Conciseness in Rationale Extraction",
    year=2020,
)
@dataclass(frozen=True)
class Bottleneck:
    """Masks z_t ~ Bern(p_t(x)) with a prior Bern(share) (Paranjape et al. 2020, Sec. 3, Eqs. 3 to 7).

    The objective, with relaxed draws at ``temperature`` for z in training, is

        cross-entropy(y | z x) + beta sum_t KL(Bern(p_t) || Bern(share)),

    where the sum bounds the information that z keeps of x from above; it is 0 if and only if every p_t is the share.
    When the model is used, the ``share`` of a text's words with the largest p_t is kept, at least one: another rule
    than that of training, in which every word is seen a little. The unit is the word; the paper's is the sentence.
    """

    share: Annotated[float, above(0), below(1)] = 0.2
    beta: Annotated[float, at_least(0)] = 0.1
    temperature: Annotated[float, above(0)] = 0.5

    apart = False
    pairs = False

    def build(self, shape: Sizes) -> BottleneckChooser:
        return BottleneckChooser(self, shape.states)


class BottleneckChooser(Scorer):
    """A logit for each word, near that of the prior at first."""

    def __init__(self, given: Bottleneck, states: int) -> None:
        super().__init__(states)
        self.given, self.wanted = given, given.share
        torch.nn.init.constant_(self.score.bias, math.log(given.share / (1 - given.share)))

    def choose(self, look: Look) -> Selection:
        chance = self.chances(look)
        return Selection(chance, top_words(chance, look.real, self.given.share))

    def loss(self, network: Reads, look: Look, lesson: Lesson) -> Float[Tensor, ""]:
        logits = self.logits(look)
        drawn = relaxed(logits, self.given.temperature) * look.real
        losses = lesson.losses(network.read(*look.gated(drawn)))
        kept = (divergence(logits, self.given.share) * look.real).sum(1)
        return lesson.mean(losses + self.given.beta * kept)


def divergence(logits: Float[Tensor, "*n"], prior: float) -> Float[Tensor, "*n"]:
    """KL(Bern(sigmoid(logit)) || Bern(prior)) in nats."""
    p = torch.sigmoid(logits)
    log_p, log_q = torch.nn.functional.logsigmoid(logits), torch.nn.functional.logsigmoid(-logits)
    own = torch.as_tensor(prior, dtype=logits.dtype)
    return p * (log_p - own.log().to(p)) + (1 - p) * (log_q - torch.log1p(-own).to(p))
