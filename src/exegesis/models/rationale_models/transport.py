"""Optimal transport between the words of two texts, by Sinkhorn's iterations on logarithms."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def sinkhorn(
    cost: Float[Tensor, "b n m"], rows: Float[Tensor, "b n"], columns: Float[Tensor, "b m"], epsilon: float, steps: int
) -> Float[Tensor, "b n m"]:
    """The plan P that makes <P, C> - epsilon H(P) smallest among those with these sums of rows and columns.

    Row i has the sum a_i, column j the sum b_j; both have the same total, and zeros stand for padding. Potentials are
    updated as logarithms (Peyre and Cuturi 2019, Sec. 4.4), so that no kernel exp(-C / epsilon) underflows:

        f_i <- epsilon log a_i - epsilon log sum_j exp((g_j - C_ij) / epsilon), and g_j likewise,

    ``steps`` times, columns last: their sums are exact, and those of rows approach a as steps go on. As epsilon falls
    the plan approaches one of least cost; far above the spread of the costs, it is a b^T / sum a.
    """
    log_a, log_b = torch.log(rows), torch.log(columns)  # -inf on padding, which stays out of every sum
    scaled = cost / epsilon
    g = torch.zeros_like(columns).masked_fill(columns == 0, -torch.inf)
    f = torch.zeros_like(rows)
    for _ in range(steps):
        f = log_a - torch.logsumexp(g[:, None] - scaled, 2)
        g = log_b - torch.logsumexp(f[:, :, None] - scaled, 1)
    return torch.exp(f[:, :, None] + g[:, None] - scaled)


def alignment(
    cost: Float[Tensor, "b n m"],
    first: Bool[Tensor, "b n"],
    second: Bool[Tensor, "b m"],
    count: Float[Tensor, " b"],
    epsilon: float,
    steps: int,
) -> Float[Tensor, "b n m"]:
    """A plan that aligns words of two texts one to one, ``count`` pairs in all (Swanson et al. 2020, Sec. 4.3).

    ``first`` and ``second`` are true on words. A dummy column takes the words of the first text that have no partner, n
    less count of them, and a dummy row those of the second; both cost nothing, and nothing goes from one dummy to the
    other. So every word gives or takes at most 1, and its sum over real partners is its gate. As epsilon falls, the
    plan becomes 0 and 1.
    """
    n, m = first.sum(1), second.sum(1)
    rows = torch.cat([first.to(cost), (m - count)[:, None].clamp(min=1e-9)], 1)
    columns = torch.cat([second.to(cost), (n - count)[:, None].clamp(min=1e-9)], 1)
    padded = torch.nn.functional.pad(cost - 2.0, (0, 1, 0, 1))  # a real pair is better than none: costs are 0 to 2
    corner = torch.zeros_like(padded)
    corner[:, -1, -1] = 1e3
    return sinkhorn(padded + corner, rows, columns, epsilon, steps)[:, :-1, :-1]
