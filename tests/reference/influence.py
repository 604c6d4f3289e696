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


def fast_influence(
    module: nn.Module,
    outputs: Sequence[Callable[[], Tensor]],
    gold: Sequence[int],
    standing: Sequence[float],
    damping: float,
    asked: Tensor,
) -> list[float]:
    """-(1/N) ∇L(z)ᵀ (H + λ)⁻¹ v of each text z, H = (1/N) Σ s J'(diag p - pp')J over texts that each stand for s, N in
    all, the matrix written out."""
    whole = sum(standing)
    bend = damping * torch.eye(len(asked)).to(asked)
    slopes = []
    for run, label, s in zip(outputs, gold, standing, strict=True):
        raw = run()
        p = raw[0].detach().softmax(0)
        rows = torch.stack([gradient(module, run, lambda raw, c=c: raw[0, c]) for c in range(len(p))])
        bend = bend + s / whole * rows.t() @ (p.diag() - p[:, None] * p) @ rows
        slopes.append((p - torch.eye(len(p)).to(p)[label]) @ rows)
    solution = torch.linalg.solve(bend, asked)
    return [-float(slope @ solution) / whole for slope in slopes]
