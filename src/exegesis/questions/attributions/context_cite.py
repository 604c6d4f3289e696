"""ContextCite: a sparse linear model of the number over which words, or sources, are there (Cohen-Wang et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from exegesis.core.parameters import above, at_least, below
from exegesis.core.text import Text
from exegesis.engine.methods import Scores, method
from exegesis.mech.removal.perturbed import How, check, outputs_keeping
from exegesis.protocols.batch import Batch
from exegesis.protocols.draws import generator
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Target

ROUNDS, SETTLED = 10_000, 1e-12  # of the descent over the weights, and the step at which it ends


@method(
    "context-cite",
    question="which words?",
    summary="weights of a sparse linear model over which words are present",
    paper="Cohen-Wang et al., ContextCite: Attributing Model Generation to Context",
    year=2024,
)
@dataclass(frozen=True)
class ContextCite:
    """The weight of a word in a Lasso of the number on the presence of words, in units of the number.

    In each of ``samples`` texts every word is there with the chance ``keep``, on its own draw (Sec. 3). The weights w
    minimise ``|y - b - X w|² / (2 samples) + penalty Σ|w_i s_i|`` with X the presence of words and s_i its standard
    deviation over the samples, so that most are exactly 0. The paper removes sentences of a context and explains the
    log odds of a whole answer's probability, divided by its pieces, with a penalty of 0.01; ``exegesis.citations`` does
    so, here the number is the one that is asked for. ``how`` says what replaces removed words. The account has the
    intercept, so that the gap is the model's error at the whole text; ``details`` hold the R² of the fit for each
    target. Draws depend on the text and ``seed``.
    """

    samples: Annotated[int, at_least(2)] = 64
    keep: Annotated[float, above(0), below(1)] = 0.5
    penalty: Annotated[float, at_least(0)] = 0.01
    how: How = "drop"
    seed: int = 0

    def __call__(self, model: Classifier, batch: Batch, target: Target) -> Scores:
        check(model, self.how)
        presence = [drawn(text, self.samples, self.keep, self.seed) for text in batch.texts]
        numbers = numbers_keeping(model, batch, target, presence, self.how)
        values = torch.zeros(len(batch), target.count, batch.ids.shape[1], dtype=torch.float64)
        intercepts = torch.zeros(len(batch), target.count, dtype=torch.float64)
        details = []
        for row, (text, present) in enumerate(zip(batch.texts, presence, strict=True)):
            fits = [lasso(present.double(), numbers[row][:, k], self.penalty) for k in range(target.count)]
            for k, (weights, intercept, _) in enumerate(fits):
                values[row, k, [word.start for word in text.words]] = weights
                intercepts[row, k] = intercept
            details.append({"r2": [fit for _, _, fit in fits]})
        return Scores(values, {"intercept": intercepts}, details)

    def passes(self, words: int, numbers: int) -> int:
        """One for each sample."""
        return self.samples


def drawn(text: Text, samples: int, keep: float, seed: int) -> Bool[Tensor, "s w"]:
    """A flag for each word that is present in each sample."""
    return torch.rand(samples, len(text.words), generator=generator(text, seed), dtype=torch.float64) < keep


def numbers_keeping(
    model: Classifier, batch: Batch, target: Target, presence: list[Bool[Tensor, "s _"]], how: str
) -> list[Float[Tensor, "s k"]]:
    """The numbers of each text with some of its words only, ``presence`` of each sample."""
    owner = torch.repeat_interleave(torch.arange(len(batch)), torch.tensor([len(flags) for flags in presence]))
    keep = torch.ones(len(owner), batch.ids.shape[1], dtype=torch.bool)
    at = 0
    for text, flags in zip(batch.texts, presence, strict=True):
        for number, word in enumerate(text.words):
            keep[at : at + len(flags), word.start : word.stop] = flags[:, number : number + 1]
        at += len(flags)
    numbers = target.take(owner).of(outputs_keeping(model, batch, owner, keep, how)).cpu().double()
    return list(torch.split(numbers, [len(flags) for flags in presence]))


def lasso(
    features: Float[Tensor, "s w"], numbers: Float[Tensor, " s"], penalty: float
) -> tuple[Float[Tensor, " w"], float, float]:
    """Weights, intercept and R² of a Lasso on standardised features, by descent over one weight at a time.

    A feature that never changes has no weight.
    """
    middle, level = features.mean(0), float(numbers.mean())
    spread = features.std(0, correction=0)
    used = spread > 0
    x = torch.where(used, (features - middle) / spread.where(used, torch.ones_like(spread)), torch.zeros_like(features))
    rest, weights, count = numbers - level, torch.zeros(x.shape[1], dtype=x.dtype), len(x)
    size = float(rest.abs().max())
    for _ in range(ROUNDS):
        largest = 0.0
        for i in used.nonzero()[:, 0].tolist():
            before = float(weights[i])
            pull = float(x[:, i] @ rest) / count + before
            after = max(abs(pull) - penalty, 0.0) * (1.0 if pull > 0 else -1.0)
            if after != before:
                rest = rest - x[:, i] * (after - before)
                weights[i] = after
                largest = max(largest, abs(after - before))
        if largest <= SETTLED * max(size, 1e-300):
            break
    total = float(((numbers - level) ** 2).sum())
    fit = 1 - float((rest**2).sum()) / total if total > 0 else 0.0
    own = torch.where(used, weights / spread.where(used, torch.ones_like(spread)), torch.zeros_like(weights))
    return own, level - float(middle @ own), fit
