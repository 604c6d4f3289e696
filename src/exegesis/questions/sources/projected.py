"""Random projections: influence in a space of few random directions of the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.core.parameters import at_least
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import Losses
from exegesis.mech.curvature.projection import Projection
from exegesis.protocols.loss import loss
from exegesis.protocols.target import Link
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.method import Queries, Scored, Training, method

LIFT = 1e-3  # of the mean eigenvalue, what is added to the features' products by default


@method(
    "random-projections",
    summary="influence in a space of few random directions: TRAK, of one model",
    unit="change of the explained number that the text is responsible for, where the model is linear in its weights",
    paper="Park et al., TRAK: Attributing Model Behavior at Scale",
    year=2023,
)
@dataclass(frozen=True)
class RandomProjections:
    """TRAK: φ(x)ᵀ (ΦᵀΦ + λ)⁻¹ φ(z) (1 - p(z)), where φ are randomly projected gradients of log odds.

    φ(z) is the gradient of the log odds of z's own label, log p/(1 - p), to all weights, projected to about ``width``
    numbers for each weight (see ``mech.curvature.projection``: both sides of a matrix are projected by themselves,
    where the paper projects the whole gradient); Φ has those of all training texts; φ(x) is the gradient of the number
    explained. It is the influence on a model that is linear in its weights, without the weights p(1 - p) of the
    curvature, as in the paper. Of one model: the paper averages over several. ``damping`` λ, by default a thousandth of
    the mean eigenvalue of ΦᵀΦ. Raises UnsupportedError for a regression.
    """

    width: Annotated[int, at_least(1)] = 64
    damping: Annotated[float, at_least(0)] | None = None
    weights: str = ""
    seed: Annotated[int, at_least(0)] = 0

    def __call__(self, model: Trained, training: Training, queries: Queries) -> Scored:
        if model.link is Link.IDENTITY:
            raise UnsupportedError("random-projections explains log odds, which a regression has not")
        passes = Passes(model, self.weights.split())
        projection = Projection(passes.layout, self.width, self.seed)
        losses = Losses(passes, training.texts, training.gold)
        features, missed = self._features(losses, projection)
        asked = torch.cat([
            projection.of(queries.factors(passes, row))[0] for row in range(len(queries.texts))
        ]).double()  # fmt: skip
        damping = self.damping
        if damping is None:
            damping = LIFT * float(features.square().sum()) / min(features.shape)
        values = in_span(features, asked, damping) * missed
        detail = {"damping": damping, "features": features.shape[1]}
        return Scored(values, [detail for _ in queries.texts])

    def _features(self, losses: Losses, projection: Projection) -> tuple[Float[Tensor, "n f"], Float[Tensor, " n"]]:
        """The projected gradients of the log odds of every training text, and 1 - p of its label."""
        link = losses.passes.model.link
        rows: list[Tensor] = [torch.empty(0)] * losses.count
        missed = torch.zeros(losses.count, dtype=torch.float64)
        for number, (numbers, batch) in enumerate(losses.parts):
            gold = losses.golds(number)
            kept: list[Tensor] = []

            def slopes(raw: Tensor, gold: Tensor = gold, kept: list[Tensor] = kept) -> Tensor:
                leaf = raw.detach().double().requires_grad_()
                chance = -loss(leaf, gold, link)
                odds = chance - torch.log(-torch.expm1(chance.clamp_max(-1e-12)))
                kept.append(-torch.expm1(chance.detach()))
                return torch.autograd.grad(odds.sum(), leaf)[0][None].to(raw)

            _, factors = losses.passes.factors(batch, slopes)
            missed[numbers] = kept[-1].cpu()
            for at, row in zip(numbers.tolist(), projection.of(factors)[0], strict=True):
                rows[at] = row
        return torch.stack(rows).double(), missed


def in_span(features: Float[Tensor, "n f"], asked: Float[Tensor, "q f"], damping: float) -> Float[Tensor, "q n"]:
    """φ(x)ᵀ (ΦᵀΦ + λ)⁻¹ Φᵀ, by the smaller of the two matrices of products."""
    n, size = features.shape
    eye = torch.eye(min(n, size), dtype=features.dtype, device=features.device)
    if size <= n:
        small: Tensor = torch.linalg.solve(features.t() @ features + damping * eye, asked.t())
        return small.t() @ features.t()
    turned: Tensor = torch.linalg.solve(features @ features.t() + damping * eye, features @ asked.t())
    return turned.t()
