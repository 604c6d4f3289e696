"""Structural probes: linear maps under which squared distances of states are distances in a syntax tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import minimum_spanning_tree
from torch import Tensor

EPOCHS, STEPS, RATE, BATCH = 20, 400, 0.02, 20  # of Adam: at least so many of both; sentences of like length


class Trees(NamedTuple):
    """Sentences with their states and trees, padded: ``states[s, t]``, ``distance[s, t, u]`` arcs between words,
    ``depth[s, t]`` arcs to the root, and ``real[s, t]``, false on padding."""

    states: Float[Tensor, "s t d"]
    distance: Float[Tensor, "s t t"]
    depth: Float[Tensor, "s t"]
    real: Bool[Tensor, "s t"]

    def take(self, rows: Int[Tensor, " n"]) -> Trees:
        """Some of the sentences, cut to the longest of them."""
        size = int(self.real[rows].sum(1).max())
        return Trees(
            self.states[rows, :size], self.distance[rows, :size, :size], self.depth[rows, :size],
            self.real[rows, :size],
        )  # fmt: skip


def arcs(heads: Sequence[int]) -> tuple[Int[np.ndarray, "n n"], Int[np.ndarray, " n"]]:
    """The number of arcs between every two words of a tree, and from each word to the root; -1 is the root's head.

    Raises ValueError for heads that are no tree.
    """
    ways: list[list[int]] = []
    for word in range(len(heads)):
        way = [word]
        while heads[way[-1]] >= 0:
            way.append(heads[way[-1]])
            if len(way) > len(heads):
                raise ValueError("the heads of a sentence run in a circle")
        ways.append(way[::-1])
    if len({way[0] for way in ways}) > 1:
        raise ValueError("a sentence has several roots")
    depth = np.array([len(way) - 1 for way in ways])
    shared = np.array([
        [sum(1 for a, b in zip(one, other, strict=False) if a == b) - 1 for other in ways] for one in ways
    ])  # fmt: skip
    return depth[:, None] + depth[None] - 2 * shared, depth


def squared_distances(projected: Float[Tensor, "s t r"]) -> Float[Tensor, "s t t"]:
    """‖B h_i − B h_j‖² (Hewitt and Manning 2019, Eq. 1), from the products of the projections."""
    sizes = projected.square().sum(-1)
    products = projected @ projected.transpose(1, 2)
    return (sizes[:, :, None] + sizes[:, None] - 2 * products).clamp_min(0)


def distance_loss(found: Float[Tensor, "s t t"], trees: Trees) -> Float[Tensor, ""]:
    """The mean over sentences of Σ_ij |d_T − d_B²| / length² (Hewitt and Manning 2019, Sec. 2.2)."""
    both = trees.real[:, :, None] & trees.real[:, None]
    return ((found - trees.distance).abs() * both).sum((1, 2)).div(trees.real.sum(1).square()).mean()


def depth_loss(found: Float[Tensor, "s t"], trees: Trees) -> Float[Tensor, ""]:
    """The mean over sentences of Σ_i |depth − ‖B h_i‖²| / length."""
    return ((found - trees.depth).abs() * trees.real).sum(1).div(trees.real.sum(1)).mean()


@torch.enable_grad()
def fitted(trees: Trees, rank: int, seed: int, *, depth: bool = False) -> Float[Tensor, "r d"]:
    """The map B of a probe of distances, or of depths, by torch's Adam over batches of 20 sentences."""
    width = trees.states.shape[2]
    draws = torch.Generator().manual_seed(seed)
    size = float(trees.states[trees.real].square().mean().sqrt()) or 1.0
    first = torch.randn(min(rank, width), width, generator=draws, dtype=torch.float64) / (width * size)
    matrix = first.to(trees.states).requires_grad_()
    lengths = trees.real.sum(1)
    batches = [trees.take(rows) for rows in torch.split(lengths.argsort(stable=True), BATCH)]
    optimizer = torch.optim.Adam([matrix], lr=RATE / (size * width**0.5))
    epochs = max(EPOCHS, -(-STEPS // len(batches)))
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(batches))
    for _ in range(epochs):
        for number in torch.randperm(len(batches), generator=draws).tolist():
            optimizer.zero_grad()
            batch = batches[number]
            projected = batch.states @ matrix.T
            if depth:
                loss = depth_loss(projected.square().sum(-1), batch)
            else:
                loss = distance_loss(squared_distances(projected), batch)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            rates.step()
    return matrix.detach()


def spanning(distances: Float[np.ndarray, "n n"]) -> set[tuple[int, int]]:
    """The arcs of the smallest spanning tree of some words, each as (smaller, larger)."""
    upper = np.triu(np.asarray(distances, dtype=np.float64) + 1e-9, 1)  # zero would be no arc to SciPy
    found = minimum_spanning_tree(upper).tocoo()
    return {(int(min(a, b)), int(max(a, b))) for a, b in zip(found.row, found.col, strict=True)}
