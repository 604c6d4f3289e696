"""Gradient methods by their definitions: finite differences, and sums over points or noisy copies by a loop.

``f`` takes the vectors of one text, a tensor [T, d], and gives one number.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

F = Callable[[torch.Tensor], torch.Tensor]


def finite_differences(f: F, x: torch.Tensor, step: float = 1e-5) -> np.ndarray:
    """df / dx [T, d] by central differences of fourth order."""
    found = np.zeros(tuple(x.shape))
    for t in range(x.shape[0]):
        for d in range(x.shape[1]):
            for times, share in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
                moved = x.clone()
                moved[t, d] += times * step
                found[t, d] += share * float(f(moved)) / (12 * step)
    return found


def gradient(f: F, x: torch.Tensor) -> torch.Tensor:
    leaf = x.detach().clone().requires_grad_(True)
    f(leaf).backward()
    assert leaf.grad is not None
    return leaf.grad


def riemann(f: F, x: torch.Tensor, start: torch.Tensor, points: int) -> np.ndarray:
    """Integrated gradients (Sundararajan et al. 2017, Eq. 3) with points in the middle of their intervals."""
    total = torch.zeros_like(x)
    for m in range(points):
        total += gradient(f, start + (m + 0.5) / points * (x - start)) / points
    return ((x - start) * total).sum(-1).numpy()


def gauss(f: F, x: torch.Tensor, start: torch.Tensor, points: int) -> np.ndarray:
    """The same integral by Gauss-Legendre points on [0, 1], one after the other."""
    places, shares = np.polynomial.legendre.leggauss(points)
    total = torch.zeros_like(x)
    for place, share in zip(places, shares, strict=True):
        total += share / 2 * gradient(f, start + (place + 1) / 2 * (x - start))
    return ((x - start) * total).sum(-1).numpy()


def smoothgrad(f: F, x: torch.Tensor, draws: list[torch.Tensor], noise: float) -> torch.Tensor:
    """Mean gradient at x + sigma * draw, sigma = noise * (max - min) of x (Smilkov et al. 2017, Sec. 3)."""
    sigma = noise * (x.max() - x.min())
    total = torch.zeros_like(x)
    for draw in draws:
        total += gradient(f, x + sigma * draw)
    return total / len(draws)
