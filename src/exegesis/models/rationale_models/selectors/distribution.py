"""Rationales whose features and predictions match those of the whole text (Huang et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.parameters import above, at_least, at_most
from exegesis.models.rationale_models.discrete import top_words
from exegesis.models.rationale_models.gates import share_of, straight, transitions_of
from exegesis.models.rationale_models.selectors.selector import Look, Reads, Scorer, Sizes, selector
from exegesis.models.trained.taught import Lesson
from exegesis.protocols.selective import Selection

WIDTH = 2.0  # of the interval (-1, 1) in which features lie


@selector(
    "distribution-matching",
    summary="what is kept has the features and the prediction of the whole text",
    paper="Huang et al., Distribution Matching for Rationalization",
    year=2021,
)
@dataclass(frozen=True)
class DistributionMatching:
    """Feature and output matching (DMR; Huang et al. 2021, Sec. 3; survey, Fig. 16 right).

    A guide reads the whole text, with features h(x) and prediction p(y | x); the classifier reads z x, with features
    h(z x) and prediction p(y | z x). With the cross-entropies of both, the objective adds

        features CMD_K(h(z x), h(x)) + outputs H(p(y | x), p(y | z x))
            + sparsity |mean z - share| + coherence mean |z_t - z_{t-1}|,

    CMD_K the central moment discrepancy over the texts of a batch (see ``central_moments``) and H the cross-entropy.
    The guide follows its own cross-entropy alone, whatever the matching asks. When the model is used the ``share`` of
    the words with the largest probabilities is kept, at least one. It deviates from the paper in these: gradients go
    straight through the draws with noise of their own (with a bias), and the features of a convolution, or of an
    encoder of transformers, are their tanh.
    """

    share: Annotated[float, above(0), at_most(1)] = 0.2
    features: Annotated[float, at_least(0)] = 0.5
    outputs: Annotated[float, at_least(0)] = 0.5
    moments: Annotated[int, at_least(1)] = 5
    sparsity: Annotated[float, at_least(0)] = 1.0
    coherence: Annotated[float, at_least(0)] = 0.1
    temperature: Annotated[float, above(0)] = 0.5

    apart = False
    pairs = False

    def build(self, shape: Sizes) -> MatchingChooser:
        return MatchingChooser(self, shape)


class MatchingChooser(Scorer):
    """A logit for each word, and the guide."""

    def __init__(self, given: DistributionMatching, shape: Sizes) -> None:
        super().__init__(shape.states)
        self.given, self.wanted = given, given.share
        self.bounded = shape.encoder in ("lstm", "gru")
        self.guide = shape.new_encoder()
        self.verdict = nn.Linear(shape.states, shape.classes)

    def begin(self, network: Reads) -> None:
        """The guide starts as the classifier does."""
        for own, other in zip((self.guide, self.verdict), network.players, strict=True):
            own.load_state_dict(other.state_dict())

    def choose(self, look: Look) -> Selection:
        chance = self.chances(look)
        return Selection(chance, top_words(chance, look.real, self.given.share))

    def loss(self, network: Reads, look: Look, lesson: Lesson) -> Float[Tensor, ""]:
        given = self.given
        z = straight(self.logits(look), given.temperature) * look.real
        kept = network.represent(*look.gated(z))
        whole = self.guide.read(*look.gated(look.real.to(look.vectors)))
        logits, guided = network.decide(kept), self.verdict(whole)
        own, full = (kept, whole.detach()) if self.bounded else (torch.tanh(kept), torch.tanh(whole.detach()))
        outputs = -(guided.detach().softmax(1) * logits.log_softmax(1)).sum(1)
        few = (share_of(z, look.real) - given.share).abs()
        runs = transitions_of(z, look.real) / look.lengths.to(z)
        each = lesson.losses(logits) + lesson.losses(guided) + given.outputs * outputs
        each = each + given.sparsity * few + given.coherence * runs
        return lesson.mean(each) + given.features * central_moments(own, full, given.moments, WIDTH)


def central_moments(
    first: Float[Tensor, "n h"], second: Float[Tensor, "m h"], moments: int, width: float
) -> Float[Tensor, ""]:
    """The central moment discrepancy of two samples in an interval of a width (Zellinger et al. 2017, Def. 2):

        (1 / w) ||E x - E y|| + sum_{k=2..K} (1 / w^k) ||E (x - E x)^k - E (y - E y)^k||,

    powers component by component; 0 for equal samples. The norm's slope at 0 is taken as 0.
    """
    means = first.mean(0), second.mean(0)
    total = _norm(means[0] - means[1]) / width
    for k in range(2, moments + 1):
        central = ((sample - mean) ** k for sample, mean in zip((first, second), means, strict=True))
        one, other = (part.mean(0) for part in central)
        total = total + _norm(one - other) / width**k
    return total


def _norm(vector: Float[Tensor, " h"]) -> Float[Tensor, ""]:
    squares = vector.square().sum()
    return torch.where(squares > 0, squares.clamp(min=1e-24).sqrt(), torch.zeros_like(squares))
