"""The information in hidden states, written plainly: Eqs. 6 and 7 word by word, and the scheme of the released code."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

State = Callable[[Tensor], Tensor]  # word vectors [words, K] to a state


def entropy(sigma: float, width: int) -> float:
    """Eq. 6."""
    return 0.5 * width * float(torch.log(torch.tensor(2 * torch.pi * torch.e))) + width * float(
        torch.tensor(sigma).log()
    )


def closed_form(matrix: Tensor, word: int, width: int, rate: float, variance: float) -> float:
    """σ_i of a linear state s = matrix @ x, from Kλσ_S² / (2‖J_i‖²)."""
    block = matrix[:, word * width : (word + 1) * width]
    return float((rate * variance / (2 * (block**2).sum())) ** 0.5)


def objective(state: State, x: Tensor, sigma: Tensor, noise: Tensor, allowed: float) -> float:
    """Eq. 7 with K λ σ_S² = ``allowed``, over given draws."""
    rest, total = state(x), 0.0
    for one in noise:
        total += float(((state(x + sigma[:, None] * one) - rest) ** 2).sum())
    return float(-sigma.log().sum()) + total / len(noise) / allowed


def certificate(state: State, x: Tensor, sigma: Tensor, noise: Tensor, allowed: float, word: int) -> float:
    """σ_i ∂/∂σ_i of the second term of Eq. 7, by a difference: 1 at a minimum."""
    step = 1e-4
    up, down = sigma.clone(), sigma.clone()
    up[word] *= 1 + step
    down[word] *= 1 - step
    both = [objective(state, x, one, noise, allowed) + float(one.log().sum()) for one in (up, down)]
    return (both[0] - both[1]) / (2 * step)


def released(
    state: State, x: Tensor, allowed: float, cap: float, steps: int = 150, rate: float = 0.01, seed: int = 0
) -> Tensor:
    """σ by the scheme of the code that came with the paper: Adam on a squashed σ below a cap, from random values, one
    draw a step, and in the end the σ of the draw whose loss was the least."""
    draws = torch.Generator().manual_seed(seed)
    ratios = torch.randn(len(x), 1, generator=draws, dtype=x.dtype).requires_grad_()
    adam = torch.optim.Adam([ratios], lr=rate)
    rest, best, least = state(x).detach(), torch.empty(0), float("inf")
    for _ in range(steps):
        sigma = torch.sigmoid(ratios) * cap
        noise = torch.randn(x.shape, generator=draws, dtype=x.dtype)
        loss = -sigma.log().sum() + ((state(x + sigma * noise) - rest) ** 2).sum() / allowed
        if float(loss.detach()) < least:
            least, best = float(loss.detach()), sigma.detach()[:, 0].clone()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return best


def descended(state: State, x: Tensor, noise: Tensor, allowed: float, start: Tensor, steps: int = 200) -> Tensor:
    """σ at the minimum of Eq. 7 over given draws, by plain descent in log σ (L-BFGS) from ``start``."""
    rest, u = state(x).detach(), start.log().requires_grad_()
    search = torch.optim.LBFGS([u], max_iter=steps, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        total = sum(((state(x + u.exp()[:, None] * one) - rest) ** 2).sum() for one in noise) / len(noise)
        value = -u.sum() + total / allowed
        value.backward()
        return value

    search.step(loss)
    return u.detach().exp()
