"""Contextual decomposition (Murdoch, Liu & Yu 2018; Singh, Murdoch & Yu 2019): the part of a phrase in raw outputs.

Every state is split into the part of the phrase (relevant) and the rest, by the rules of ``decomposition.cells``. Any
number of phrases of any texts of a batch run together, one row each. Before a phrase begins its part of all states is
zero, so a row begins there; only in layers above two directions does it begin with the text, because the reverse
direction below has carried the phrase to earlier positions. The rest of a state is the state minus the part, and gates,
cell and hidden states of whole texts are known before any row runs: a step is one product with the recurrent weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from exegesis.mech.decomposition.cells import SplitCell, product, split_cell
from exegesis.nn.kernels import linear
from exegesis.nn.recurrent import reading_order
from exegesis.protocols.budget import budget_for
from exegesis.protocols.recurrent import Direction, Term, Unrolled

VARIANTS = ("original", "acd")


@dataclass(frozen=True, eq=False)
class Phrases:
    """Pieces ``start`` to ``stop`` of text ``owner``, one row each."""

    owner: Int[Tensor, " n"]
    start: Int[Tensor, " n"]
    stop: Int[Tensor, " n"]

    def take(self, rows: Int[Tensor, " m"]) -> Phrases:
        """The phrases with these numbers."""
        return Phrases(self.owner[rows], self.start[rows], self.stop[rows])

    def turned(self, lengths: Int[Tensor, " n"], reverse: bool) -> Phrases:
        """The phrases in the order in which a direction reads."""
        return Phrases(self.owner, lengths - self.stop, lengths - self.start) if reverse else self


@torch.no_grad()
def split_layers(unrolled: Unrolled, orderings: str) -> list[list[SplitCell]]:
    """The splitting steps of every direction of every layer."""
    return [[split_cell(direction, orderings) for direction in layer] for layer in unrolled.layers]


@torch.no_grad()
def relevant(
    unrolled: Unrolled,
    phrases: Phrases,
    variant: str,
    orderings: str,
    layers: Sequence[Sequence[SplitCell]] | None = None,
) -> Float[Tensor, "n c"]:
    """The relevant part of the raw outputs for each phrase, without the output bias. ``layers`` are the results of
    ``split_layers``, to be reused across calls.

    ``variant``: the term of the biases alone belongs to the phrase at all of its words (``acd``) or at all but the last
    word that the direction reads (``original``), and to the rest at all other steps.
    """
    if len(phrases.owner) == 0:
        return unrolled.outputs[:0]
    layers = layers or split_layers(unrolled, orderings)
    budget = budget_for("phrases", unrolled.outputs.device)
    rows = budget.rows
    if len(layers) > 1:
        numbers = max(sum(cell.direction.hidden[0].numel() for cell in layer) for layer in layers)
        rows = min(rows, max(1, budget.numbers // numbers))
    parts = torch.split(torch.arange(len(phrases.owner), device=phrases.owner.device), rows)
    return torch.cat([_through(layers, unrolled, phrases.take(part), variant == "original") for part in parts])


def _through(
    layers: Sequence[Sequence[SplitCell]], unrolled: Unrolled, phrases: Phrases, early: bool
) -> Float[Tensor, "n c"]:
    raw = unrolled.outputs.new_zeros(len(phrases.owner), unrolled.outputs.shape[1])
    below: Float[Tensor, "n t d"] | None = None
    for number, layer in enumerate(layers):
        top, states = number == len(layers) - 1, []
        everywhere = number > 0 and len(layers[number - 1]) > 1
        for way, cell in enumerate(layer):
            terms = [term for term in unrolled.terms if term.direction == way] if top else []
            if terms or not top:
                rows = _Rows(phrases, cell.direction, early, everywhere)
                pooled, own_states = _run(cell, rows, below, terms)
                for term, value in zip(terms, pooled, strict=True):
                    raw += linear(value, term.linear, None)
                states += [] if own_states is None else [own_states]
        below = None if top else torch.cat(states, -1)
    return raw


class _Rows:
    """Phrases in the order in which a direction reads, those with the most steps to take first.

    ``counts[s]`` rows take step s, which is at ``begin + s``, or ``base + s`` of all positions of the batch; after
    ``inside`` steps no row is in its phrase. The last word of a phrase is not credited if ``early``.
    """

    def __init__(self, phrases: Phrases, direction: Direction, early: bool, everywhere: bool) -> None:
        self.width, self.lengths = direction.hidden.shape[1], direction.lengths.to(phrases.owner.device)[phrases.owner]
        mine = phrases.turned(self.lengths, direction.reverse)
        begin = torch.zeros_like(mine.start) if everywhere else mine.start
        self.order = torch.argsort(self.lengths - begin, descending=True, stable=True)
        self.begin, mine, length = begin[self.order], mine.take(self.order), self.lengths[self.order]
        self.start, self.stop, self.credited = mine.start, mine.stop, mine.stop - int(early)
        self.base = mine.owner * self.width + self.begin
        self.last = mine.owner * self.width + length - 1
        self.inside = int((self.stop - self.begin).max())
        ended = torch.bincount(length - self.begin).cumsum(0)
        self.counts = [len(begin), *(len(begin) - ended[1:]).tolist()]

    def at(self, step: int) -> Int[Tensor, " n"]:
        """The positions of the rows that take a step."""
        return self.begin[: self.counts[step]] + step

    def phrase(self, step: int) -> tuple[Bool[Tensor, "n 1"], Bool[Tensor, "n 1"]]:
        """Masks of rows whose step is outside the phrase, and of rows whose step does not credit the biases' term."""
        at = self.at(step)
        before = at < self.start[: len(at)]
        outside, uncredited = before | (at >= self.stop[: len(at)]), before | (at >= self.credited[: len(at)])
        return outside[:, None], uncredited[:, None]


def _run(
    cell: SplitCell, rows: _Rows, below: Float[Tensor, "n t d"] | None, terms: Sequence[Term]
) -> tuple[list[Float[Tensor, "n h"]], Float[Tensor, "n t h"] | None]:
    """The rows through one direction: each term's pooling of the relevant parts; without a term, all parts in the order
    of the text. ``below`` are the parts of the layer below.
    """
    reverse, size = cell.direction.reverse, cell.size
    below = None if below is None else reading_order(below, rows.lengths, reverse)[rows.order]
    state = cell.start(len(rows.base))
    weights = [term.weights.flatten(0, 1) for term in terms]
    pooled = [torch.zeros_like(state[0]) for _ in terms]
    states = None if terms else state[0].new_zeros(len(rows.base), rows.width, size)
    ends = []
    for step, (active, staying) in enumerate(pairwise(rows.counts)):
        index = rows.base[:active] + step
        from_x, uncredited = None, None
        if step < rows.inside:
            outside, where = rows.phrase(step)
            uncredited = where.to(state[0].dtype)
            from_x = cell.read.index_select(0, index).masked_fill_(outside, 0.0) if below is None else None
        if below is not None:
            from_x = product(_places(below, rows.at(step)), cell.weight_x)
        state = cell.step(cell.table.index_select(0, index), from_x, state, uncredited)
        for term, weight, value in zip(terms, weights, pooled, strict=True):
            if term.kind != "last":
                value[:active].addcmul_(state[0], weight.index_select(0, index))
        if states is not None:
            states[torch.arange(active, device=index.device), rows.at(step)] = state[0]
        ends.append(state[0][staying:].clone())  # a copy, so that the whole step can be freed
        state = [part[:staying] for part in state]
    last, back = torch.cat(ends[::-1]), torch.argsort(rows.order)
    for number, (term, weight) in enumerate(zip(terms, weights, strict=True)):
        if term.kind == "last":
            pooled[number] = last * weight[rows.last]
    ordered = None if states is None else reading_order(states[back], rows.lengths, reverse)
    return [value[back] for value in pooled], ordered


def _places(values: Float[Tensor, "n t h"], at: Int[Tensor, " a"]) -> Float[Tensor, "a h"]:
    """``values[j, at[j]]`` of the first rows."""
    return values[torch.arange(len(at), device=at.device), at]
