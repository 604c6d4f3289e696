"""Contextual decomposition (Murdoch, Liu & Yu 2018; Singh, Murdoch & Yu 2019): the part of a phrase in raw outputs.

Every state is split into the part of the phrase (relevant) and the rest, ``mech.split_cells`` says how. Any number of
phrases of any texts of a batch run together, one row each. Before a phrase begins its part of all states is zero, so a
row begins there; only in layers above two directions does it begin with the text, because the reverse direction below
has carried the phrase to earlier positions. The rest of a state is the state less the part, and gates, cell and hidden
states of whole texts are known before any row runs: a step is one product with the recurrent weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.recurrent import Term, Unrolled
from exegesis.mech.split_cells import SplitCell, split_cell
from exegesis.nn.product import linear
from exegesis.nn.recurrent import reading_order

VARIANTS = ("original", "acd")
ROWS = 1024  # phrases that step together
NUMBERS = 1 << 24  # at most so many numbers of their states in one layer, where a layer above reads them


@dataclass(frozen=True, eq=False)
class Phrases:
    """Pieces ``start`` to ``stop`` of text ``owner``, one row each."""

    owner: Int[Tensor, " n"]
    start: Int[Tensor, " n"]
    stop: Int[Tensor, " n"]

    def take(self, rows: Int[Tensor, " m"]) -> Phrases:
        return Phrases(self.owner[rows], self.start[rows], self.stop[rows])

    def turned(self, lengths: Int[Tensor, " n"], reverse: bool) -> Phrases:
        """The same in the order in which a direction reads."""
        return Phrases(self.owner, lengths - self.stop, lengths - self.start) if reverse else self


@torch.no_grad()
def relevant(seen: Unrolled, phrases: Phrases, variant: str, orderings: str) -> Float[Tensor, "n c"]:
    """The relevant part of the raw outputs for each phrase, the output bias aside.

    ``variant``: what biases alone make at a step is the phrase's at all of its words (``acd``) or at all but the last
    that the direction reads (``original``), and the rest's elsewhere.
    """
    if len(phrases.owner) == 0:
        return seen.outputs[:0]
    plan = [[split_cell(direction, orderings) for direction in layer] for layer in seen.layers]
    rows = ROWS
    if len(plan) > 1:
        rows = min(rows, max(1, NUMBERS // max(sum(c.direction.hidden[0].numel() for c in layer) for layer in plan)))
    parts = torch.split(torch.arange(len(phrases.owner), device=phrases.owner.device), rows)
    return torch.cat([_through(plan, seen, phrases.take(part), variant == "original") for part in parts])


def _through(
    plan: Sequence[Sequence[SplitCell]], seen: Unrolled, phrases: Phrases, early: bool
) -> Float[Tensor, "n c"]:
    raw = seen.outputs.new_zeros(len(phrases.owner), seen.outputs.shape[1])
    below: Float[Tensor, "n t d"] | None = None
    for number, layer in enumerate(plan):
        top, states = number == len(plan) - 1, []
        everywhere = number > 0 and len(plan[number - 1]) > 1
        for way, cell in enumerate(layer):
            terms = [term for term in seen.terms if term.direction == way] if top else []
            if terms or not top:
                pooled, kept = _run(cell, phrases, below, terms, early, everywhere)
                for term, value in zip(terms, pooled, strict=True):
                    raw += linear(value, term.linear, None)
                states += [] if kept is None else [kept]
        below = None if top else torch.cat(states, -1)
    return raw


def _run(
    cell: SplitCell,
    phrases: Phrases,
    below: Float[Tensor, "n t d"] | None,
    terms: Sequence[Term],
    early: bool,
    everywhere: bool,
) -> tuple[list[Float[Tensor, "n h"]], Float[Tensor, "n t h"] | None]:
    """The rows through one direction: each term's pooling of the relevant parts; where there is no term, all of them,
    in the order of the text.
    """
    direction = cell.direction
    lengths = direction.lengths.to(phrases.owner.device)[phrases.owner]
    mine = phrases.turned(lengths, direction.reverse)
    begin = torch.zeros_like(mine.start) if everywhere else mine.start
    order = torch.argsort(lengths - begin, descending=True, stable=True)
    mine, begin, remaining = mine.take(order), begin[order], (lengths - begin)[order]
    if below is not None:
        below = reading_order(below, lengths, direction.reverse)[order]
    width, size = direction.hidden.shape[1:]
    pools = [_Pool(term, direction.hidden.new_zeros(len(order), size)) for term in terms]
    states = None if terms else direction.hidden.new_zeros(len(order), width, size)
    inside = int((mine.stop - begin).max())  # after so many steps no row is in its phrase
    ended = torch.bincount(remaining).cumsum(0)
    counts = [len(order), *(len(order) - ended[1:]).tolist()]
    state = cell.start(len(order))
    for step, (active, staying) in enumerate(pairwise(counts)):
        at = begin[:active] + step
        index = mine.owner[:active] * width + at
        from_x, uncredited = None, None
        if step < inside:
            within = (at >= mine.start[:active]) & (at < mine.stop[:active])
            from_x = cell.read.index_select(0, index).masked_fill_(~within[:, None], 0.0)
            credited = within & (at < mine.stop[:active] - 1) if early else within
            uncredited = (~credited)[:, None].to(from_x.dtype)
        if below is not None:
            from_x = linear(below[torch.arange(active, device=at.device), at], cell.weight_x, None)
        state = cell.step(cell.table.index_select(0, index), from_x, state, uncredited)
        for pool in pools:
            pool.add(state[0], index, staying)
        if states is not None:
            states[torch.arange(active, device=at.device), at] = state[0]
        state = [part[:staying] for part in state]
    back = torch.argsort(order)
    kept = None if states is None else reading_order(states[back], lengths, direction.reverse)
    return [pool.value[back] for pool in pools], kept


class _Pool:
    """A term's pooling of the relevant parts, added up as rows step. A term of last states waits for them."""

    def __init__(self, term: Term, value: Float[Tensor, "n h"]) -> None:
        self.value, self.weights, self.last = value, term.weights.flatten(0, 1), term.kind == "last"

    def add(self, hidden: Float[Tensor, "a h"], index: Int[Tensor, " a"], staying: int) -> None:
        """Add the states of the first rows after one step, of which the first ``staying`` go on."""
        first, active = staying if self.last else 0, len(hidden)
        if first < active:
            self.value[first:active] += hidden[first:] * self.weights.index_select(0, index[first:])
