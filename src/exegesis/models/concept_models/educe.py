"""EDUCE: one excerpt a concept, its presence, a linear layer over what is present (Bouchacourt and Denoyer 2019)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from exegesis.models.concept_models.network import TINY, ConceptNetwork, bernoulli, usual
from exegesis.models.concept_models.shape import ConceptConfig
from exegesis.models.trained.taught import Lesson
from exegesis.protocols.conceptual import Decision

OFTEN, WEIGHT = 0.3, 0.5  # the share of texts in which a concept is usually present, and the weight of this
SHARP = 2.0  # how much the logit of presence counts in the choice of an excerpt


class Educe(ConceptNetwork):
    """The steps of EDUCE (Sun et al. 2021, Sec. 4.3.2): an excerpt s_k from p(s | x, k), its presence z_k from
    p(z_k | s_k, k), a prediction from the binary z alone; a concept classifier is trained on the excerpts beside it.

    p(s | x, k) is a softmax over all runs of 1 to ``longest`` words, whose score is a number of the first word's state
    plus one of the last word's, plus the run's own logit of p(z_k | s, k): an excerpt is what speaks for its concept. A
    run is read as the mean of its word vectors, through a tanh layer that all concepts share. In use the likeliest run
    is the excerpt, and a concept is present if its probability is above a half.

    Training sums over excerpts instead of drawing them: given the text, z_k is one with the probability
    sum_s p(s | x, k) p(z_k = 1 | s, k), independently for each concept, which is the distribution that drawing gives.
    The loss is the cross-entropy for drawn z, plus ``consistency`` times the expected cross-entropy of the concept
    classifier on the excerpts of concepts that are present (its slope goes to what is read, not to the choice of
    excerpts), plus half of how far each concept's mean probability of presence lies from 0.3 (``usual``): without that,
    concepts die, or are present where something is missing.

    Deviations: z is drawn by the straight-through binary concrete estimator, which is biased; runs are read as the mean
    of their vectors, so that the order of an excerpt's words says nothing; the last term is this package's.
    """

    def __init__(self, config: ConceptConfig) -> None:
        super().__init__(config, 2)
        self.presence = nn.Linear(config.hidden, config.concepts)
        self.classifier = nn.Linear(config.hidden, config.concepts)
        nn.init.constant_(self.presence.bias, -1.0)
        nn.init.normal_(self.presence.weight, std=0.5)  # detectors of some words from the start, which labels choose
        nn.init.normal_(self.output.weight, std=1.0)

    def decide(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Decision:
        """The concepts of texts: the likeliest excerpts, and those that are present with more than a half."""
        scores, presence, _ = self._runs(ids, lengths)
        best = scores.argmax(1)
        chance = torch.sigmoid(presence.gather(1, best[:, None])[:, 0])
        present = chance > 0.5
        parts = present.double()[..., None] * self.output.weight.double().t()
        excerpt = _pieces(best, self.config.longest, ids.shape[1])
        return Decision(excerpt, chance, present, parts, self.output.bias.double())

    def loss(self, lesson: Lesson) -> Float[Tensor, ""]:
        """The cross-entropy, that of the concept classifier, and how far presences are from the usual."""
        scores, presence, read = self._runs(lesson.ids, lesson.lengths)
        both = torch.softmax(scores, 1) * torch.sigmoid(presence)
        chance = both.sum(1).clamp(TINY, 1 - TINY)
        z = bernoulli(torch.logit(chance), True)
        total = self.mean_loss(lesson, self.output(z)) + WEIGHT * usual(chance.mean(0), OFTEN)
        if not self.config.consistency:
            return total
        told = torch.log_softmax(self.classifier(read), -1)
        weight = both.detach() if lesson.present is None else both.detach() * lesson.present[:, None, None]
        return total - self.config.consistency * (told * weight).sum() / weight.sum().clamp(min=1.0)

    def _runs(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of every run and concept the score and the logit of presence ``[b, n, k]``; what is read ``[b, n, h]``."""
        vectors, states, real = self.seen(ids, lengths)
        first, last = self.generator(states).chunk(2, -1)
        longest = self.config.longest
        read = torch.tanh(self.reader(_means(vectors * real[..., None], longest))).flatten(1, 2)
        presence = self.presence(read)
        ends = torch.stack([first + _shifted(last, more) for more in range(longest)], 2).flatten(1, 2)
        inside = torch.stack([_shifted(real[..., None], more)[..., 0] for more in range(longest)], 2).flatten(1, 2)
        return (torch.tanh(ends) + SHARP * presence).masked_fill(~inside[..., None], -torch.inf), presence, read


def _means(vectors: Float[Tensor, "b t d"], longest: int) -> Float[Tensor, "b t l d"]:
    """The mean vector of the run of l + 1 words that begins at t, summed from its own words alone."""
    total, means = torch.zeros_like(vectors), []
    for more in range(longest):
        total = total + _shifted(vectors, more)
        means.append(total / (more + 1))
    return torch.stack(means, 2)


def _shifted(values: Tensor, more: int) -> Tensor:
    """What stands ``more`` places later; zeros (or False) beyond the end."""
    if not more:
        return values
    rest = values[:, more:]
    return torch.cat([rest, values.new_zeros(len(values), min(more, values.shape[1]), values.shape[2])], 1)


def _pieces(numbers: Int[Tensor, "b k"], longest: int, width: int) -> Bool[Tensor, "b k t"]:
    """The places of runs by their numbers."""
    start, count = numbers // longest, numbers % longest + 1
    places = torch.arange(width, device=numbers.device)
    return (places >= start[..., None]) & (places < (start + count)[..., None])
