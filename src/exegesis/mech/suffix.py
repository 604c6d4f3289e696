"""Removing a span from a text that a single recurrent layer reads: only what follows the span is run again.

A direction's state before a span does not change when the span does. For every (text, span) the layer starts from the
whole text's state before the span and reads the rest; poolings combine it with what the states before gave. The
numbers are those of a whole new run, at half of its steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.batch import Batch
from exegesis.core.errors import UnsupportedError
from exegesis.core.model import Classifier, Recurrent, offers
from exegesis.core.recurrent import Direction, Term, Unrolled
from exegesis.nn.recurrent import cells, continue_from, reading_order

PIECES = 32768


@dataclass(frozen=True, eq=False)
class Suffixes:
    """A pass over whole texts from which every text without a span can be continued."""

    model: Recurrent
    batch: Batch
    how: str
    seen: Unrolled
    cells: tuple[Float[Tensor, "b t h"] | None, ...]
    filler: Float[Tensor, " d"] | None

    @classmethod
    def of(cls, model: Classifier, batch: Batch, how: str) -> Self | None:
        """None where the model, or this way of removing, does not allow it (the caller then runs whole texts)."""
        if not offers(model, Recurrent) or len(batch) == 0 or int(batch.lengths.max()) < 2:
            return None
        model = cast(Recurrent, model)
        try:
            seen = model.unroll(batch)
        except UnsupportedError:
            return None
        known = all(term.kind in ("last", "first", "mean", "sum", "max") for term in seen.terms)
        if len(seen.layers) != 1 or not known or not _plain(model, batch, seen):
            return None
        filler = None
        if how == "zero":
            filler = torch.zeros_like(seen.layers[0][0].inputs[0, 0])
        elif how != "drop":
            filler = model.embed(_one(batch, model.tokens[how]))[0, 0]
        states = tuple(cells(d) if d.cell == "lstm" else None for d in seen.layers[0])
        return cls(model, batch, how, seen, states, filler)

    def outputs(
        self, owner: Int[Tensor, " n"], start: Int[Tensor, " n"], stop: Int[Tensor, " n"]
    ) -> Float[Tensor, "n c"]:
        """Raw outputs for text ``owner[j]`` without pieces ``start[j]`` to ``stop[j]``."""
        device = self.batch.device
        owner, start, stop = owner.to(device), start.to(device), stop.to(device)
        lengths = self.batch.lengths[owner]
        gone = (start == 0) & (stop == lengths) if self.how == "drop" else torch.zeros_like(start, dtype=torch.bool)
        raw = self.seen.bias.expand(len(owner), -1).clone()
        for number, direction in enumerate(self.seen.layers[0]):
            terms = [term for term in self.seen.terms if term.direction == number]
            first, last = (lengths - stop, lengths - start) if direction.reverse else (start, stop)
            if terms:
                self._add(raw, number, terms, owner, first, last)
        if bool(gone.any()):
            raw[gone] = self.model.outputs(_one(self.batch, self.model.tokens["pad"]))[0]
        return raw

    def _add(self, raw: Tensor, number: int, terms: list[Term], owner: Tensor, first: Tensor, last: Tensor) -> None:
        """Add one direction's part, rows of like remaining length sharing a run."""
        direction = self.seen.layers[0][number]
        begin = last if self.how == "drop" else first
        remaining = direction.lengths.to(owner.device)[owner] - begin
        kept = direction.lengths.to(owner.device)[owner] - (last - first if self.how == "drop" else 0)
        before = _Before(direction, [term.kind for term in terms])
        order = torch.argsort(remaining, descending=True, stable=True)
        sizes = remaining[order].tolist()
        at = 0
        while at < len(sizes):
            part = order[at : at + max(PIECES // max(sizes[at], 1), 1)]
            rows, place = owner[part], first[part]
            hidden = self._rest(number, rows, place, last[part], begin[part], sizes[at])
            for term in terms:
                value = before.pooled(term.kind, rows, place, hidden, remaining[part], kept[part])
                raw[part] += torch.nn.functional.linear(value, term.linear)
            at += len(part)

    def _rest(
        self, number: int, rows: Tensor, first: Tensor, last: Tensor, begin: Tensor, width: int
    ) -> Float[Tensor, "n s h"]:
        """States over what remains from ``begin`` on, started from the state before ``first``."""
        direction, states = self.seen.layers[0][number], self.cells[number]
        ahead = (first - 1).clamp_min(0)
        opening = (first == 0)[:, None]
        h0 = torch.where(opening, direction.h0[rows], direction.hidden[rows, ahead])
        c0 = None
        if states is not None and direction.c0 is not None:
            c0 = torch.where(opening, direction.c0[rows], states[rows, ahead])
        if width == 0:
            return h0[:, None, :][:, :0]
        step = begin[:, None] + torch.arange(width, device=rows.device)
        inputs = direction.inputs[rows[:, None], step.clamp_max(direction.inputs.shape[1] - 1)]
        if self.filler is not None:
            inputs = torch.where(((step >= first[:, None]) & (step < last[:, None]))[..., None], self.filler, inputs)
        return continue_from(direction, inputs, h0, c0)


class _Before:
    """What the states before a span contribute to a pooling."""

    def __init__(self, direction: Direction, kinds: list[str]) -> None:
        self.direction = direction
        hidden = direction.hidden
        start = hidden.new_zeros(len(hidden), 1, hidden.shape[-1])
        if {"mean", "sum"} & set(kinds):
            self.sums = torch.cat([start, hidden.cumsum(1)], 1)
        if "max" in kinds:
            self.highest = torch.cat([start - torch.inf, hidden.cummax(1).values], 1)

    def pooled(
        self, kind: str, rows: Tensor, first: Tensor, hidden: Tensor, remaining: Tensor, kept: Tensor
    ) -> Float[Tensor, "n h"]:
        whole = self.direction.hidden
        width = hidden.shape[1]
        inside = (torch.arange(width, device=rows.device) < remaining[:, None])[..., None]
        index = torch.arange(len(rows), device=rows.device)
        earlier = torch.where((first > 0)[:, None], whole[rows, (first - 1).clamp_min(0)], self.direction.h0[rows])
        if kind == "last":
            if width == 0:
                return earlier
            return torch.where((remaining > 0)[:, None], hidden[index, (remaining - 1).clamp_min(0)], earlier)
        if kind == "first":
            fresh = hidden[:, 0] if width else earlier
            return torch.where((first > 0)[:, None], whole[rows, 0], fresh)
        if kind == "max":
            rest = hidden.masked_fill(~inside, -torch.inf)
            ahead = self.highest[rows, first]
            return torch.maximum(ahead, rest.amax(1)) if width else ahead
        total = self.sums[rows, first] + (hidden * inside).sum(1)
        return total / kept.clamp_min(1)[:, None] if kind == "mean" else total


def _plain(model: Recurrent, batch: Batch, seen: Unrolled) -> bool:
    """Whether the layer reads the word vectors themselves, and starts every text from the same state."""
    vectors = model.embed(batch)
    for d in seen.layers[0]:
        inputs = reading_order(d.inputs, d.lengths, d.reverse)
        if inputs.shape != vectors.shape or not torch.equal(inputs[batch.mask], vectors[batch.mask]):
            return False
        for state in (d.h0, d.c0):
            if state is not None and not torch.equal(state, state[:1].expand_as(state)):
                return False
    return True


def _one(batch: Batch, number: int) -> Batch:
    ids = torch.full((1, 1), number, dtype=torch.long, device=batch.device)
    return Batch(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))
