"""Small moves of word vectors that change a loss most: in any direction, or towards other words only."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def neighbours(
    table: Float[Tensor, "v d"], vectors: Float[Tensor, "n d"], own: Int[Tensor, " n"], count: int,
    usable: Bool[Tensor, " v"],
) -> Int[Tensor, "n k"]:  # fmt: skip
    """The numbers of the ``count`` usable rows of a table that are nearest to each vector (cosine), nearest first.

    Row ``own`` of each vector (-1: none) and rows of zeros are no neighbours; fewer come where the table has no more.
    """
    norms = table.norm(dim=1)
    units = table / norms.clamp_min(torch.finfo(table.dtype).tiny)[:, None]
    banned = ~usable | (norms == 0)
    count = max(1, min(count, int((~banned).sum()) - 1))
    found = [vectors.new_empty(0, count, dtype=torch.long)]
    for part, rows in zip(torch.split(vectors, 1024), torch.split(own, 1024), strict=True):
        cosines = (part @ units.T).masked_fill(banned, -torch.inf)
        known = (rows >= 0).nonzero()[:, 0]
        cosines[known, rows[known]] = -torch.inf
        found.append(cosines.topk(count, dim=1).indices)
    return torch.cat(found)


def directions(
    vectors: Float[Tensor, "b t d"], others: Float[Tensor, "b t k d"], real: Bool[Tensor, "b t"]
) -> Float[Tensor, "b t k d"]:
    """Unit vectors from each word's vector to those of other words (Sato et al. 2018); zero at a place that is not
    real, and towards a word with the same vector."""
    moves = (others - vectors[:, :, None]) * real[..., None, None]
    units: Tensor = moves / moves.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(moves.dtype).tiny)
    return units


def steepest(slope: Float[Tensor, b * n], budget: float) -> Float[Tensor, b * n]:
    """The step of the norm ``budget`` along the slope of each text; zero where the slope is."""
    norm = slope.flatten(1).norm(dim=1).clamp_min(torch.finfo(slope.dtype).tiny)
    step: Tensor = budget * slope / norm.view(-1, *(1 for _ in slope.shape[1:]))
    return step


def weights_of(
    slope: Float[Tensor, "b t d"], towards: Float[Tensor, "b t k d"], budget: float
) -> Float[Tensor, "b t k"]:
    """The weights α of the directions of a first step (Sato et al. 2018): ε D g / ‖D g‖, with g the slope of the loss
    by the word vectors and D g its product with every direction."""
    return steepest(torch.einsum("btkd,btd->btk", towards, slope), budget)


def moved(weights: Float[Tensor, "b t k"], towards: Float[Tensor, "b t k d"]) -> Float[Tensor, "b t d"]:
    """The moves r(α) = Σ_k α_k d_k of the word vectors (Sato et al. 2018)."""
    return torch.einsum("btk,btkd->btd", weights, towards)


def within(weights: Float[Tensor, "b t k"], budget: float) -> Float[Tensor, "b t k"]:
    """Weights cut down to the norm ``budget`` where they are longer."""
    norm = weights.flatten(1).norm(dim=1).clamp_min(torch.finfo(weights.dtype).tiny)
    cut: Tensor = weights * (budget / norm).clamp(max=1.0)[:, None, None]
    return cut
