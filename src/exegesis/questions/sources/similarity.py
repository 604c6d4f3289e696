"""Gradient similarity: training texts whose step would move the number most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import Losses
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.method import Queries, Scored, Training, method


@method(
    "gradient-similarity",
    summary="change of the number by one step of training on the text: the product of their gradients",
    unit="change of the explained number by a step of gradient descent on the text, per unit of its learning rate",
    paper="Charpiat et al., Input Similarity from the Neural Network Perspective",
    year=2019,
    products=True,
)
@dataclass(frozen=True)
class GradientSimilarity:
    """The product -∇f · ∇L(z) of the gradients of the explained number f and of the loss of a training text z.

    To first order it is the change of f by a step of gradient descent on z with a learning rate of 1; above zero, the
    step helps. ``measure``: ``dot``, that number; ``cosine``, divided by the lengths of both gradients, from -1 to 1:
    texts that the model finds hard, and words that are frequent, count no more than others. ``weights`` names the
    weights that count, several separated by blanks; all by default. The loss holds neither weight decay nor dropout.
    """

    measure: Literal["dot", "cosine"] = "dot"
    weights: str = ""

    def __call__(self, model: Trained, training: Training, queries: Queries) -> Scored:
        passes = Passes(model, self.weights.split())
        losses = Losses(passes, training.texts, training.gold)
        count = len(queries.texts)
        vectors = queries.gradients(passes, range(count))
        values = vectors.new_zeros(count, len(training))
        for rows, factors in losses.gradients():
            made = -factors.times(vectors)[:, :, 0]
            if self.measure == "cosine":
                made = made / factors.squares()[0].sqrt().clamp_min(1e-30)
                made = made / vectors.norm(dim=1)[:, None].clamp_min(1e-30)
            values[:, rows.to(values.device)] = made
        return Scored(values.to(torch.float64), vectors=vectors if self.measure == "dot" else None)
