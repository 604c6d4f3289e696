"""InteGrad as the paper's sentence may also be read, "integrate all Vanilla gradients": a norm, which has no sign."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from exegesis.engine.methods import Scores, method
from exegesis.mech.gradients.gradient import gradients
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable
from exegesis.protocols.target import Target

NAME = "path-gradient"


@method(
    NAME,
    question="which words?",
    summary="size of the mean gradient on the straight path from zero vectors",
    paper="Du et al., On Attribution of Recurrent Neural Network Predictions via Additive Decomposition",
    year=2019,
    signed=False,
)
@dataclass(frozen=True)
class PathGradient:
    """L2 norm of a word's gradient, averaged over the midpoints of equal parts of the path."""

    points: int = 16

    def __call__(self, model: Differentiable, batch: Batch, target: Target) -> Scores:
        vectors = model.embed(batch)
        found: list[Tensor] = [
            gradients(model, vectors * ((step + 0.5) / self.points), batch, target)[1] for step in range(self.points)
        ]
        return Scores(torch.stack(found).mean(0).norm(dim=-1) * batch.mask[:, None])
