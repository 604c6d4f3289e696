"""Recurrent steps over rows of tokens, in which steps that many rows share are run once.

Perturbed copies of a text begin alike (with the words before the removed ones, or with pads before the kept ones). A
node stands for all rows that have read the same tokens so far; its parent's states and its last token determine it.
Once hardly any two rows are alike, each row is run separately.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from exegesis.nn.steps import Cell

ALIKE = 0.8  # nodes per row, above which sharing no longer pays off


@dataclass(eq=False)
class Pools:
    """Poolings of the states of rows, gathered as they step; ``total`` and ``top`` only if they are needed."""

    first: Float[Tensor, "n h"]
    started: Bool[Tensor, "n 1"]
    total: Float[Tensor, "n h"] | None = None
    top: Float[Tensor, "n h"] | None = None

    def add(self, hidden: Float[Tensor, "a h"], step: int) -> None:
        """Take in the states of one step, of the rows that still run."""
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
        return cast(Tensor, {"last": state, "first": self.first, "sum": self.total, "max": self.top}[kind])


def step_through(
    cell: Cell,
    table: Float[Tensor, "m g"],
    index: Int[Tensor, "n w"],
    remaining: Int[Tensor, " n"],
    state: list[Tensor],
    pools: Pools,
) -> list[Tensor]:
    """Step rows through ``table[index]``, ``remaining`` steps each, longest first; ``state`` is overwritten."""
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


class _Nodes:
    """States of nodes and their poolings, and the node of each row."""

    def __init__(self, start: list[Tensor], kinds: set[str], rows: int) -> None:
        none = torch.zeros_like(start[0][:1])
        self.state = [part[:1] for part in start]
        self.pools = {"first": none}
        if kinds & {"mean", "sum"}:
            self.pools["total"] = none
        if "max" in kinds:
            self.pools["top"] = none - torch.inf
        self.at = torch.zeros(rows, dtype=torch.long, device=none.device)

    def step(self, cell: Cell, table: Tensor, keys: Int[Tensor, " u"], where: Int[Tensor, " a"], first: bool) -> None:
        """Go on to the nodes of some keys (parent and token); ``where`` is the node of each row."""
        parent = torch.div(keys, len(table), rounding_mode="floor")
        self.state, _ = cell.forward(table.index_select(0, keys % len(table)), [part[parent] for part in self.state])
        pools = {name: part[parent] for name, part in self.pools.items()}
        hidden = self.state[0]
        self.pools["first"] = hidden if first else pools["first"]
        if "total" in pools:
            self.pools["total"] = pools["total"] + hidden
        if "top" in pools:
            self.pools["top"] = torch.maximum(pools["top"], hidden)
        self.at = where

    def rows(self, start: int, stop: int) -> tuple[list[Tensor], dict[str, Tensor]]:
        """States and poolings of some rows."""
        at = self.at[start:stop]
        return [part[at] for part in self.state], {name: part[at] for name, part in self.pools.items()}


def step_sharing(
    cell: Cell,
    table: Float[Tensor, "m g"],
    index: Int[Tensor, "n w"],
    remaining: Int[Tensor, " n"],
    start: list[Tensor],
    kinds: set[str],
) -> tuple[Float[Tensor, "n h"], Pools]:
    """Last states and poolings of rows that step through ``table[index]``, ``remaining`` steps each, longest first.

    All rows start from the first row of ``start``. The numbers are those of ``step_through``.
    """
    nodes = _Nodes(start, kinds, len(remaining))
    ended = torch.bincount(remaining, minlength=index.shape[1] + 1).cumsum(0)[: index.shape[1]]
    ends: list[tuple[Tensor, dict[str, Tensor]]] = []  # states and poolings of finished rows, last rows first
    going, step = len(remaining), 0
    for step, count in enumerate((len(remaining) - ended).tolist()):
        if count < going:
            state, pools = nodes.rows(count, going)
            ends.append((state[0], pools))
            going = count
        if count == 0:
            break
        keys, where = torch.unique(nodes.at[:count] * len(table) + index[:count, step], return_inverse=True)
        if len(keys) > ALIKE * count:
            ends.append(_apart(cell, table, index[:count, step:], remaining[:count] - step, nodes, step))
            going = 0
            break
        nodes.step(cell, table, keys, where, step == 0)
    if going:
        state, pools = nodes.rows(0, going)
        ends.append((state[0], pools))
    last = torch.cat([state for state, _ in ends[::-1]])
    pooled = {name: torch.cat([pools[name] for _, pools in ends[::-1]]) for name in nodes.pools}
    started = torch.ones(len(last), 1, dtype=torch.bool, device=last.device)
    return last, Pools(pooled["first"], started, pooled.get("total"), pooled.get("top"))


def _apart(
    cell: Cell, table: Tensor, index: Tensor, remaining: Tensor, nodes: _Nodes, step: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """The remaining steps, each row by itself."""
    state, so_far = nodes.rows(0, len(remaining))
    started = torch.full((len(remaining), 1), step > 0, device=index.device)
    pools = Pools(so_far["first"], started, so_far.get("total"), so_far.get("top"))
    state = step_through(cell, table, index, remaining, [part.contiguous() for part in state], pools)
    pooled = {"first": pools.first, "total": pools.total, "top": pools.top}
    return state[0], {name: part for name, part in pooled.items() if part is not None}
