"""Rationales by REINFORCE: a generator draws the words that an encoder reads (Lei et al. 2016; survey, Eqs. 21-25)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from exegesis.core.parameters import at_least
from exegesis.models.rationale_models.gates import transitions_of
from exegesis.models.rationale_models.selectors.selector import Look, Reads, Scorer, Sizes, selector
from exegesis.models.trained.taught import Lesson, Shares
from exegesis.protocols.selective import Selection

MEMORY = 30  # width of the state that remembers what was selected


@selector(
    "lei",
    summary="words are drawn, independently or in sequence; REINFORCE, penalties for many words and many runs",
    paper="Lei et al., Rationalizing Neural Predictions",
    year=2016,
)
@dataclass(frozen=True)
class Lei:
    """A generator p(z|x) draws z in {0, 1}^T; an encoder reads the words with z_t = 1 (Lei et al. 2016, Sec. 4).

    The objective is the mean over z of the cost (survey, Eqs. 23 to 25; the cross-entropy stands for the squared error)

        cost(z) = L(enc(z, x), y) + sparsity sum_t z_t + coherence sum_t |z_t - z_{t-1}|

    with sums over the words of a text. The encoder follows the gradient of L; the generator follows

        E[(cost(z) - baseline) d log p(z|x)],

    with ``samples`` draws for each text. The baseline of a draw is the mean cost of the text's other draws, or with one
    draw a moving average of the costs of earlier batches (nothing in the first one); neither depends on the draw, so
    the estimate has no bias. The paper has no baseline.

    The penalties have their full weight at once, as in the paper, or (``warm``) grow to it over so many batches:
    where generator and encoder start together from nothing, words that are given up before the encoder knows them do
    not come back. Where the encoder knows them before, growing penalties do harm, as probabilities near 1 stay there.

    ``kind`` independent: p(z|x) is a product over words; sequential: p(z_t | x, z_1 ... z_{t-1}) through a recurrent
    state (Eq. 22). When the model is used a word is kept if its probability is above 1/2, in sequence after the words
    chosen before it; a word's chance is that probability.
    """

    sparsity: Annotated[float, at_least(0)] = 0.03
    coherence: Annotated[float, at_least(0)] = 0.005
    kind: Literal["independent", "sequential"] = "independent"
    samples: Annotated[int, at_least(1)] = 4
    warm: Annotated[int, at_least(0)] = 0

    apart = False
    pairs = False

    def build(self, shape: Sizes) -> LeiChooser:
        return SequentialChooser(self, shape.states) if self.kind == "sequential" else LeiChooser(self, shape.states)


class LeiChooser(Scorer):
    """The independent generator: a logit for each word."""

    average: Tensor
    batches: Tensor

    def __init__(self, given: Lei, states: int) -> None:
        super().__init__(states)
        self.given = given
        self.register_buffer("batches", torch.zeros((), dtype=torch.float32))
        self.register_buffer("average", torch.full((), torch.nan, dtype=torch.float32))

    def choose(self, look: Look) -> Selection:
        chance = self.chances(look)
        return Selection(chance, chance > 0.5)

    def drawn(self, look: Look, samples: int) -> tuple[Bool[Tensor, "s b t"], Float[Tensor, "s b"]]:
        """Draws of z, and the logarithm of the probability of each, with a gradient."""
        logits = self.logits(look).expand(samples, *look.real.shape)
        z = (torch.rand_like(logits) < torch.sigmoid(logits)) & look.real
        return z, (log_probability(logits, z) * look.real).sum(-1)

    def loss(self, network: Reads, look: Look, lesson: Lesson) -> Float[Tensor, ""]:
        samples, texts = self.given.samples, len(look.real)
        z, log_p = self.drawn(look, samples)
        logits = network.read(*look.gated(z.to(look.vectors).flatten(0, 1)))
        losses = torch.stack([lesson.losses(part) for part in torch.split(logits, texts)])
        cost = losses.detach() + self._warmth() * self.penalty(z, look)
        learned = losses.mean(0) + ((cost - self._baseline(cost)) * log_p).mean(0)
        value = cost.mean(0)  # the loss that is told is the cost, whatever carries the gradient
        return lesson.mean(learned + (value - learned).detach())

    def penalty(self, z: Bool[Tensor, "s b t"], look: Look) -> Float[Tensor, "s b"]:
        """The penalties of draws (survey, Eq. 24)."""
        gate = z.to(look.vectors)
        return self.given.sparsity * gate.sum(-1) + self.given.coherence * transitions_of(gate, look.real)

    def fits(self, shares: Shares) -> bool:
        """An epoch may be the best one only where the penalties have their full weight."""
        return float(self.batches) >= self.given.warm and super().fits(shares)

    def _warmth(self) -> Float[Tensor, ""]:
        """The weight of the penalties at this batch, 0 to 1."""
        self.batches.add_(1.0)
        return (self.batches / max(1, self.given.warm)).clamp(max=1.0)

    def _baseline(self, cost: Float[Tensor, "s b"]) -> Float[Tensor, "#s #b"]:
        if len(cost) > 1:
            return (cost.sum(0) - cost) / (len(cost) - 1)
        mean, first = cost.mean(), torch.isnan(self.average)
        before = torch.nan_to_num(self.average)
        self.average.copy_(torch.where(first, mean, 0.9 * before + 0.1 * mean))
        return before.reshape(1, 1)


class SequentialChooser(LeiChooser):
    """The sequential generator: a recurrent state remembers what was selected before a word."""

    def __init__(self, given: Lei, states: int) -> None:
        super().__init__(given, states)
        self.memory = nn.GRUCell(states + 1, MEMORY)
        self.score = nn.Linear(states + MEMORY, 1)

    def chances(self, look: Look) -> Float[Tensor, "b t"]:
        return torch.sigmoid(self._walked(look.states, None)[1]) * look.real

    def choose(self, look: Look) -> Selection:
        z, logits = self._walked(look.states, None)
        return Selection(torch.sigmoid(logits) * look.real, z & look.real)

    def drawn(self, look: Look, samples: int) -> tuple[Bool[Tensor, "s b t"], Float[Tensor, "s b"]]:
        texts, words = look.real.shape
        states = look.states.expand(samples, *look.states.shape).flatten(0, 1)
        z, logits = self._walked(states, torch.rand(len(states), words, device=states.device, dtype=states.dtype))
        z, logits = z.reshape(samples, texts, words) & look.real, logits.reshape(samples, texts, words)
        return z, (log_probability(logits, z) * look.real).sum(-1)

    def _walked(
        self, states: Float[Tensor, "n t h"], uniform: Float[Tensor, "n t"] | None
    ) -> tuple[Bool[Tensor, "n t"], Float[Tensor, "n t"]]:
        """What is chosen word by word, and the logits; the likelier choice without ``uniform`` draws."""
        memory = states.new_zeros(len(states), MEMORY)
        chosen, logits = [], []
        for t in range(states.shape[1]):
            logit = self.score(torch.cat([states[:, t], memory], 1)).squeeze(1)
            bound = 0.5 if uniform is None else uniform[:, t]
            z = torch.sigmoid(logit) > bound
            memory = self.memory(torch.cat([states[:, t], z.to(states)[:, None]], 1), memory)
            chosen.append(z)
            logits.append(logit)
        return torch.stack(chosen, 1), torch.stack(logits, 1)


def log_probability(logits: Float[Tensor, "*n"], z: Bool[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """log p(z) of independent draws with these logits."""
    return -functional.binary_cross_entropy_with_logits(logits, z.to(logits), reduction="none")
