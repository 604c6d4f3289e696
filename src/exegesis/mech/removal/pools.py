"""Rows of a recurrent cell stepped by hand, with the poolings of their states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from exegesis.nn.steps import Cell


@dataclass(eq=False)
class Pools:
    """Poolings of the states of rows, gathered as they step; ``total`` and ``top`` only where they are wanted."""

    first: Float[Tensor, "n h"]
    started: Bool[Tensor, "n 1"]
    total: Float[Tensor, "n h"] | None = None
    top: Float[Tensor, "n h"] | None = None

    def add(self, hidden: Float[Tensor, "a h"], step: int) -> None:
        active = len(hidden)
        if step == 0:
            self.first[:active] = torch.where(self.started[:active], self.first[:active], hidden)
        if self.total is not None:
            self.total[:active] += hidden
        if self.top is not None:
            torch.maximum(self.top[:active], hidden, out=self.top[:active])

    def value(self, kind: str, state: Float[Tensor, "n h"], length: Int[Tensor, " n"]) -> Float[Tensor, "n h"]:
        """A pooling by its name, over ``length`` states in all."""
        if kind == "mean":
            return cast(Tensor, self.total) / length.clamp_min(1)[:, None]
        found = {"last": state, "first": self.first, "sum": self.total, "max": self.top}[kind]
        return cast(Tensor, found)


def step_through(
    cell: Cell,
    table: Float[Tensor, "m g"],
    index: Int[Tensor, "n w"],
    remaining: Int[Tensor, " n"],
    state: list[Tensor],
    pools: Pools,
) -> list[Tensor]:
    """Step rows through ``table[index]``, ``remaining`` steps each, the longest first; ``state`` is overwritten."""
    ended = torch.bincount(remaining, minlength=index.shape[1] + 1).cumsum(0)[: index.shape[1]]
    active: list[int] = (len(remaining) - ended).tolist()
    for step, count in enumerate(active):
        if count == 0:
            break
        pre = table.index_select(0, index[:count, step])
        new, _ = cell.forward(pre, [s[:count] for s in state])
        for old, value in zip(state, new, strict=True):
            old[:count] = value
        pools.add(new[0], step)
    return state
