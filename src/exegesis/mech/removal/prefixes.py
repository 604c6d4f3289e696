"""Steps that many rows have in common are taken once: rows that begin with the same tokens share their states.

Perturbed copies of one text begin alike (words before what is removed, pads before what is kept). A node stands for all
rows that have read the same tokens so far; what it needs to know are its parent's states and its last token. Once
hardly any two rows are alike any more, they go on one by one.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.mech.removal.pools import Pools, step_through
from exegesis.nn.steps import Cell

ALIKE = 0.8  # of the rows: beyond so many nodes nothing is won


class _Nodes:
    """States of nodes and their poolings, and which node each row stands at."""

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
        """To the nodes of some keys (parent and token); ``where`` says which each row stands at."""
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
        """What some rows hold."""
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
    """Last states and poolings of rows that step through ``table[index]``, ``remaining`` steps each, the longest first.

    All rows start from the first row of ``start``. The numbers are those of ``step_through``.
    """
    nodes = _Nodes(start, kinds, len(remaining))
    ended = torch.bincount(remaining, minlength=index.shape[1] + 1).cumsum(0)[: index.shape[1]]
    ends: list[tuple[Tensor, dict[str, Tensor]]] = []  # of the rows that have ended, the last rows first
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
    every = {name: torch.cat([pools[name] for _, pools in ends[::-1]]) for name in nodes.pools}
    started = torch.ones(len(last), 1, dtype=torch.bool, device=last.device)
    return last, Pools(every["first"], started, every.get("total"), every.get("top"))


def _apart(
    cell: Cell, table: Tensor, index: Tensor, remaining: Tensor, nodes: _Nodes, step: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """The rest of the way, each row for itself."""
    state, held = nodes.rows(0, len(remaining))
    started = torch.full((len(remaining), 1), step > 0, device=index.device)
    pools = Pools(held["first"], started, held.get("total"), held.get("top"))
    state = step_through(cell, table, index, remaining, [part.contiguous() for part in state], pools)
    found = {"first": pools.first, "total": pools.total, "top": pools.top}
    return state[0], {name: part for name, part in found.items() if part is not None}
