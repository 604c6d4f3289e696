"""Projected gradients of the log odds of training texts: what random projections, and stores of them, are made of."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.mech.curvature.products import Losses
from exegesis.mech.curvature.projection import Projection
from exegesis.protocols.loss import loss


def features(
    losses: Losses, projection: Projection
) -> tuple[Float[Tensor, "n f"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Of every training text: the projected gradient of its log odds, 1 - p of its label, and p (1 - p) times the
    squared length of the gradient before it was projected, which of two labels is the trace of its curvature."""
    link = losses.passes.model.link
    rows: list[Tensor] = [torch.empty(0)] * losses.count
    missed, pulls = (torch.zeros(losses.count, dtype=torch.float64) for _ in range(2))
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
        chance = kept[-1].cpu()
        missed[numbers] = chance
        pulls[numbers] = chance * (1 - chance) * factors.squares()[0].double().cpu()
        for at, row in zip(numbers.tolist(), projection.of(factors)[0], strict=True):
            rows[at] = row.cpu()
    return torch.stack(rows).double(), missed, pulls
