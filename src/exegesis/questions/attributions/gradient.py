"""Methods that read the gradient of the explained number at the text, or around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.parameters import at_least
from exegesis.engine.methods import BACKWARD, Scores, method
from exegesis.mech.gradients.gradient import chunks, gradients
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import budget_for
from exegesis.protocols.draws import generator
from exegesis.protocols.model import Differentiable
from exegesis.protocols.target import Target

# from gradients [..., d] and word vectors [..., d] to one number per piece
REDUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l2": lambda gradient, _: gradient.norm(dim=-1),
    "squared": lambda gradient, _: gradient.square().sum(-1),
    "mean-absolute": lambda gradient, _: gradient.abs().mean(-1),
    "x-input": lambda gradient, vector: (gradient * vector).sum(-1),
}


@method(
    "gradient",
    question="which words?",
    summary="size of the gradient at each word's vector",
    paper="Simonyan et al., Deep Inside Convolutional Networks; Li et al., Visualizing and Understanding Neural Models",
    year=2014,
    signed=False,
)
@dataclass(frozen=True)
class Gradient:
    """The size of the explained number's gradient at a word's vector; never negative, without a direction.

    ``norm``: ``l2``, the Euclidean norm (REAT paper, Sec. 4.3); ``squared``, the sum of squares (gradient-based
    sensitivity, LRP chapter, Sec. 11.2.1); ``mean-absolute``, the mean absolute value over the dimensions (saliency of
    Ghaeini et al. 2018 and of Li et al. 2016). The score of a word of several pieces is the sum over them.
    """

    norm: Literal["l2", "squared", "mean-absolute"] = "l2"

    def __call__(self, model: Differentiable, batch: Batch, target: Target) -> Scores:
        vectors = model.embed(batch)
        return Scores(_reduced(model, vectors, batch, target, self.norm) * batch.mask[:, None])

    def passes(self, words: int, numbers: int) -> int:
        """A pass, and a backward pass for each number."""
        return 1 + BACKWARD * numbers


@method(
    "gradient-x-input",
    question="which words?",
    summary="gradient at each word's vector times the vector",
    paper="Denil et al., Extraction of Salient Sentences; Shrikumar et al., Not Just a Black Box",
    year=2014,
)
@dataclass(frozen=True)
class GradientXInput:
    """The first-order share of each word: its vector's dot product with the gradient, in units of the number.

    If the model is linear in the word vectors, the scores sum to the number less its value at zero vectors.
    """

    def __call__(self, model: Differentiable, batch: Batch, target: Target) -> Scores:
        vectors = model.embed(batch)
        return Scores(_reduced(model, vectors, batch, target, "x-input") * batch.mask[:, None])

    def passes(self, words: int, numbers: int) -> int:
        """A pass, and a backward pass for each number."""
        return 1 + BACKWARD * numbers


@method(
    "smoothgrad",
    question="which words?",
    summary="gradient averaged over noisy copies of the word vectors",
    paper="Smilkov et al., SmoothGrad: Removing Noise by Adding Noise",
    year=2017,
)
@dataclass(frozen=True)
class SmoothGrad:
    """The mean gradient over ``samples`` noisy copies of the text's vectors, then reduced to one number per piece.

    The noise is Gaussian; its standard deviation is ``noise`` times the range (largest less smallest component) of the
    text's own vectors, as in the paper. ``reduce`` is one of ``gradient``'s norms, or ``x-input``. Draws depend on the
    text and ``seed``, not on other texts in the batch.
    """

    samples: Annotated[int, at_least(1)] = 25
    noise: Annotated[float, at_least(0)] = 0.15
    reduce: Literal["l2", "squared", "mean-absolute", "x-input"] = "l2"
    seed: int = 0

    @property
    def signed(self) -> bool:
        """True if scores have a sign; norms are sizes."""
        return self.reduce == "x-input"

    def __call__(self, model: Differentiable, batch: Batch, target: Target) -> Scores:
        vectors = model.embed(batch)
        rows, width, size = vectors.shape
        values = vectors.new_zeros(rows, target.count, width)
        highest = vectors.masked_fill(~batch.mask[..., None], -torch.inf).amax((1, 2))
        lowest = vectors.masked_fill(~batch.mask[..., None], torch.inf).amin((1, 2))
        scale = self.noise * (highest - lowest)
        budget = budget_for("gradients", batch.device)
        for part in chunks(rows, width, budget):
            rest = batch.take(part)
            inner, own = rest.ids.shape[1], vectors[part.to(vectors.device), : rest.ids.shape[1]]
            for some in torch.split(torch.arange(target.count), max(1, budget.numbers // (len(part) * inner * size))):
                seeds = [generator(batch.texts[row], self.seed) for row in part.tolist()]  # the same noise for all
                target_part = target.take(part).some(some)
                mean = vectors.new_zeros(len(part), len(some), inner, size)
                for _ in range(self.samples):
                    noise = vectors.new_zeros(len(part), inner, size)
                    for place, row in enumerate(part.tolist()):
                        length = len(batch.texts[row])
                        draw = torch.randn(length, size, generator=seeds[place], dtype=torch.float64)
                        noise[place, :length] = draw.to(noise)
                    noisy = own + noise * scale[part.to(scale.device), None, None]
                    mean += gradients(model, noisy, rest, target_part)[1] / self.samples
                values[part[:, None], some, :inner] = REDUCTIONS[self.reduce](mean, own[:, None])
        return Scores(values * batch.mask[:, None])

    def passes(self, words: int, numbers: int) -> int:
        """Those of a gradient, for each sample."""
        return self.samples * (1 + BACKWARD * numbers)


def _reduced(
    model: Differentiable, vectors: Float[Tensor, "b t d"], batch: Batch, target: Target, kind: str
) -> Float[Tensor, "b k t"]:
    """The gradient of each number at each piece as one number."""
    return gradients(model, vectors, batch, target, lambda slope, rows: REDUCTIONS[kind](slope, vectors[rows]))[1]
