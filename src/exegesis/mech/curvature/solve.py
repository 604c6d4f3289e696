"""Products of vectors with the inverse of a damped curvature, by iterations that need its products alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import ModelError
from exegesis.mech.curvature.products import Product, curved

Times = Callable[[Float[Tensor, "q p"]], Float[Tensor, "q p"]]


@dataclass(frozen=True, eq=False)
class Solved:
    """Solutions h of (H + λ)h = v for each vector v: ``residual[q]`` is |(H + λ)h - v| / |v|, measured;
    ``products`` counts the products with H over all texts (parts of it for products over a few); ``negative`` says that
    H + λ was negative along some direction."""

    solutions: Float[Tensor, "q p"]
    residual: Float[Tensor, " q"]
    products: float
    negative: bool = False


def conjugate_gradients(
    times: Times,
    vectors: Float[Tensor, "q p"],
    damping: float,
    iterations: int,
    tolerance: float,
    enough: Callable[[int, Float[Tensor, "q p"]], bool] = lambda steps, solutions: False,
) -> Solved:
    """Solve by conjugate gradients, each vector on its own, all in the same products.

    After each step ``enough`` may end the work, from the number of steps and the solutions so far.

    A vector is done where its residual is below ``tolerance``, or where the curvature along its direction is not above
    zero (a Hessian away from a minimum): the last steps before that are far too long, so of what was reached by then
    that of the smallest residual is kept, which says how good it is.
    """
    solutions, rest = torch.zeros_like(vectors), vectors.clone()
    direction, sizes = rest.clone(), vectors.square().sum(1)
    squares = sizes.clone()
    best, least, fell = solutions.clone(), sizes.clone(), torch.zeros_like(sizes, dtype=torch.bool)
    count, open_rows = 0, sizes > 0
    while count < iterations and bool(open_rows.any()):
        made = times(direction) + damping * direction
        count += 1
        along = (direction * made).sum(1)
        fell |= open_rows & (along <= 0)
        open_rows = open_rows & (along > 0)
        step = torch.where(open_rows, squares / along.where(along > 0, torch.ones_like(along)), 0.0)[:, None]
        solutions += step * direction
        rest -= step * made
        new = rest.square().sum(1)
        better = (new < least)[:, None]
        best, least = torch.where(better, solutions, best), torch.minimum(new, least)
        direction = torch.where(open_rows[:, None], rest + (new / squares.clamp_min(1e-300))[:, None] * direction, 0.0)
        squares = new
        open_rows = open_rows & (new > tolerance**2 * sizes)
        if enough(count, solutions):
            break
    solutions = torch.where(fell[:, None], best, solutions)
    return Solved(solutions, residual(times, solutions, vectors, damping), count + 1, bool(fell.any()))


def lissa(
    product: Product,
    vectors: Float[Tensor, "q p"],
    damping: float,
    depth: int,
    repeats: int,
    scale: float | None,
    seed: int,
) -> Solved:
    """Solve by the recursion h ← h + (v - (H_B + λ)h)/s over random batches B, averaged over ``repeats`` runs.

    λ is the damping itself. (In the recursion of Agarwal et al. as it is often coded, h ← v + (1 - d)h - H_B h/s with
    h/s read out, the damping is d·s.) It converges where s is above half of the largest eigenvalue; by default s
    is that eigenvalue, of the batch where it is largest, by power iteration. Raises ModelError if it diverges, or if
    neither curvature nor damping is above zero.
    """
    draws = torch.Generator().manual_seed(seed)
    count, spent = product.batches(), 0.0
    if scale is None:
        scale, spent = largest(product, vectors, draws)
        scale = curved(scale + damping)
    total = torch.zeros_like(vectors)
    for _ in range(repeats):
        solution = torch.zeros_like(vectors)
        order = torch.cat([torch.randperm(count, generator=draws) for _ in range(-(-depth // count))])[:depth]
        for number in order.tolist():
            made = product.of_batch(number, solution) + damping * solution
            solution = solution + (vectors - made) / scale
        spent += depth / count
        total += solution / repeats
    if not bool(torch.isfinite(total).all()):
        raise ModelError(f"lissa diverges with a scale of {scale:g}: give a larger scale, or take solver=cg")
    left = residual(product.times, total, vectors, damping)
    if bool((left > 10).any()):
        raise ModelError(f"lissa diverges with a scale of {scale:g}: give a larger scale, or take solver=cg")
    return Solved(total, left, spent + 1)


def largest(product: Product, like: Tensor, draws: torch.Generator, rounds: int = 8) -> tuple[float, float]:
    """An upper estimate of the largest eigenvalue of any batch's matrix, and the products that it took."""
    count = product.batches()
    vector = torch.randn(1, like.shape[1], generator=draws, dtype=torch.float64).to(like)
    for _ in range(rounds):
        vector = vector / vector.norm().clamp_min(1e-300)
        vector = product.times(vector)
    tops = []
    for number in range(count):
        one = vector / vector.norm().clamp_min(1e-300)
        for _ in range(3):
            made = product.of_batch(number, one)
            one = made / made.norm().clamp_min(1e-300)
        tops.append(float(made.norm()))
    return max(tops, default=0.0) * 1.1, rounds + 3.0


def residual(
    times: Times, solutions: Tensor, vectors: Tensor, damping: float | Float[Tensor, " p"]
) -> Float[Tensor, " q"]:
    """The share of each vector that a solution leaves: |(H + λ)h - v| / |v|; 0 of a vector of zeros.

    λ is one number, or one for each weight.
    """
    left: Tensor = torch.linalg.vector_norm(times(solutions) + damping * solutions - vectors, dim=1)
    sizes: Tensor = torch.linalg.vector_norm(vectors, dim=1)
    return left / sizes.clamp_min(torch.finfo(sizes.dtype).tiny)
