"""Influence, plainly: one text at a time, dense matrices, the papers' letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor], Tensor]  # from the outputs [1, c] of one text to its loss


def gradient(module: nn.Module, outputs: Callable[[], Tensor], number: Loss) -> Tensor:
    """The gradient of a number of one text to all weights, by autograd, as one vector."""
    weights = list(module.parameters())
    found = torch.autograd.grad(number(outputs()), weights, allow_unused=True)
    filled = [torch.zeros_like(w) if g is None else g for w, g in zip(weights, found, strict=True)]
    return torch.cat([value.reshape(-1) for value in filled])


def logistic_hessian(inputs: Tensor, weights: Tensor, strength: float) -> Tensor:
    """The Hessian of a mean logistic loss with an L2 penalty: X'SX/n + λI."""
    p = (inputs @ weights).sigmoid()
    return inputs.t() @ ((p * (1 - p))[:, None] * inputs) / len(inputs) + strength * torch.eye(inputs.shape[1]).to(p)


def fit_logistic(inputs: Tensor, gold: Tensor, strength: float, keep: Sequence[bool] | None = None) -> Tensor:
    """The weights that minimise (1/n) Σ loss + λ/2 |w|², by Newton's steps; texts that are not kept weigh nothing."""
    n = len(inputs)
    kept = torch.ones(n).to(inputs) if keep is None else torch.tensor(keep).to(inputs)
    w = torch.zeros(inputs.shape[1]).to(inputs)
    for _ in range(9):
        p = (inputs @ w).sigmoid()
        slope = inputs.t() @ (kept * (p - gold)) / n + strength * w
        bend = inputs.t() @ ((kept * p * (1 - p))[:, None] * inputs) / n + strength * torch.eye(len(w)).to(w)
        w = w - torch.linalg.solve(bend, slope)
    return w
