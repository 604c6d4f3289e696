"""Removal of a span from a text that a single recurrent layer reads: only the rest after the span runs again.

A direction's state before a span does not depend on the span. For every (text, span) the layer starts from the whole
text's state before the span and reads the rest; poolings combine both parts. The numbers are those of a whole new run,
in half of its steps, and the product of word vectors and weights is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.mech.one_layer import plain_pass
from exegesis.mech.removal.prefixes import Pools, step_through
from exegesis.nn.recurrent import cells
from exegesis.nn.steps import Cell, cell_of
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import budget_for
from exegesis.protocols.model import Classifier, Recurrent
from exegesis.protocols.recurrent import Direction, Term, Unrolled


@dataclass(frozen=True, eq=False)
class Suffixes:
    """A pass over whole texts from which every text without a span can be continued."""

    model: Recurrent
    batch: Batch
    how: str
    unrolled: Unrolled
    filler: Float[Tensor, " d"] | None
    tails: dict[int, _Tails] = field(default_factory=dict)  # one per direction, made on first use

    @classmethod
    @torch.no_grad()
    def of(cls, model: Classifier, batch: Batch, how: str) -> Self | None:
        """None if the model does not allow it (the caller then runs whole texts)."""
        unrolled = plain_pass(model, batch)
        if unrolled is None:
            return None
        model = cast(Recurrent, model)
        filler = None
        if how == "zero":
            filler = torch.zeros_like(unrolled.layers[0][0].inputs[0, 0])
        elif how != "drop":
            filler = model.embed(_one_piece(batch, model.tokens[how]))[0, 0]
        return cls(model, batch, how, unrolled, filler)

    @torch.no_grad()
    def outputs(
        self, owner: Int[Tensor, " n"], start: Int[Tensor, " n"], stop: Int[Tensor, " n"]
    ) -> Float[Tensor, "n c"]:
        """Raw outputs for text ``owner[j]`` without pieces ``start[j]`` to ``stop[j]``."""
        device = self.batch.device
        owner, start, stop = owner.to(device), start.to(device), stop.to(device)
        lengths = self.batch.lengths[owner]
        raw = self.unrolled.bias.expand(len(owner), -1).clone()
        for number, direction in enumerate(self.unrolled.layers[0]):
            terms = [term for term in self.unrolled.terms if term.direction == number]
            if terms:
                first, last = (lengths - stop, lengths - start) if direction.reverse else (start, stop)
                if number not in self.tails:
                    self.tails[number] = _Tails(direction, terms, self.how == "drop", self.filler)
                self.tails[number].add_to(raw, owner, first, last)
        empty = (start == 0) & (stop == lengths)
        if self.how == "drop" and bool(empty.any()):
            raw[empty] = self.model.outputs(_one_piece(self.batch, self.model.tokens["pad"]))[0]
        return raw


class _Tails:
    """The runs of a direction that continue each text after (or from) its span, aligned at the ends of the texts."""

    def __init__(self, direction: Direction, terms: list[Term], drop: bool, filler: Float[Tensor, " d"] | None) -> None:
        self.direction, self.terms, self.drop = direction, terms, drop
        self.kinds = {term.kind for term in terms}
        self.cell: Cell = cell_of(direction)
        pre = self.cell.pre(direction.inputs).flatten(0, 1)
        self.pre = pre if filler is None else torch.cat([pre, self.cell.pre(filler[None])])
        self.states = [direction.hidden, *([cells(direction)] if direction.c0 is not None else [])]
        self.starts = [direction.h0, *([direction.c0] if direction.c0 is not None else [])]
        hidden = direction.hidden
        none = hidden.new_zeros(len(hidden), 1, hidden.shape[-1])
        if self.kinds & {"mean", "sum"}:
            self.sums = torch.cat([none, hidden.cumsum(1)], 1)
        if "max" in self.kinds:
            self.highest = torch.cat([none - torch.inf, hidden.cummax(1).values], 1)

    def add_to(self, raw: Tensor, owner: Tensor, first: Tensor, last: Tensor) -> None:
        """Add this direction's part of the outputs for text ``owner[j]`` without ``first[j]`` to ``last[j]``."""
        lengths = self.direction.lengths.to(owner.device)[owner]
        remaining = lengths - (last if self.drop else first)
        rows = budget_for("suffixes", owner.device).rows_of(self.direction.inputs.shape[1])
        for part in torch.split(torch.argsort(remaining, descending=True, stable=True), rows):
            count = lengths[part] - (last[part] - first[part] if self.drop else 0)
            state, pools = self._run(owner[part], first[part], last[part], remaining[part])
            for term in self.terms:
                raw[part] += torch.nn.functional.linear(pools.value(term.kind, state, count), term.linear)

    def _run(self, rows: Tensor, first: Tensor, last: Tensor, remaining: Tensor) -> tuple[Float[Tensor, "n h"], Pools]:
        """The last state of each row and the poolings of all rows, which come with the longest rest first."""
        width = self.direction.inputs.shape[1]
        ahead, opening = (first - 1).clamp_min(0), (first == 0)[:, None]
        state = [torch.where(opening, s[rows], h[rows, ahead]) for s, h in zip(self.starts, self.states, strict=True)]
        pools = Pools(
            torch.where(opening, state[0], self.direction.hidden[rows, 0]),
            ~opening,
            self.sums[rows, first] if self.kinds & {"mean", "sum"} else None,
            self.highest[rows, first] if "max" in self.kinds else None,
        )
        begin = (last if self.drop else first)[:, None]
        step = begin + torch.arange(int(remaining.max()) if len(remaining) else 0, device=rows.device)
        index = rows[:, None] * width + step.clamp_max(width - 1)
        if not self.drop:
            index = index.masked_fill(step < last[:, None], len(self.pre) - 1)
        return step_through(self.cell, self.pre, index, remaining, state, pools)[0], pools


def _one_piece(batch: Batch, number: int) -> Batch:
    """A text of one piece, by its id."""
    ids = torch.full((1, 1), number, dtype=torch.long, device=batch.device)
    return Batch(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))
