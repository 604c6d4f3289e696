"""Sampling contextual decomposition (Jin et al. 2020, Sec. 3.3): the part of a phrase, whatever its context.

Every nonlinear operation of a recurrent cell gives the phrase what its result loses, on average over drawn contexts,
when the phrase's part of the operands is removed from the whole operands:

    part of σ(a) = E [ σ(A) - σ(A - a) ]        part of u v = E [ U V - (U - u)(V - v) ]

with capitals for the whole operands in a context and small letters for the phrase's part, which is the same in all
contexts and is carried from step to step; a linear map passes it on, a bias has no part. Gates are split like
everything else, the output gate too. Before a phrase its part is zero. Attention weights and the places of maxima
are constants of the text itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.mech.decomposition.contextual import Phrases
from exegesis.nn.recurrent import before, reading_order, scan
from exegesis.protocols.recurrent import Direction, Term, Unrolled


@dataclass(frozen=True, eq=False)
class DrawnPasses:
    """Whole passes over contexts.

    Row j is a context of phrase ``of[j]``. A phrase has at least one context, as long as its text and with the phrase
    in the same place.
    """

    unrolled: Unrolled
    of: Int[Tensor, " m"]
    phrases: int

    def mean(self, values: Float[Tensor, "m t *rest"]) -> Float[Tensor, "n t *rest"]:
        """The mean over the contexts of each phrase."""
        counts = torch.bincount(self.of, minlength=self.phrases).to(values)
        total = values.new_zeros(self.phrases, *values.shape[1:]).index_add_(0, self.of, values)
        return total / counts.reshape(-1, *[1] * (values.ndim - 1))

    def first(self) -> Int[Tensor, " n"]:
        """The number of a context for each phrase, its first."""
        rows = torch.full((self.phrases,), len(self.of), device=self.of.device)
        return rows.scatter_reduce_(0, self.of, torch.arange(len(self.of), device=self.of.device), "amin")


@torch.no_grad()
def expected_parts(terms: Sequence[Term], phrases: Phrases, passes: DrawnPasses) -> Float[Tensor, "n c"]:
    """The part of the raw outputs for each phrase, without the output bias; ``terms`` are those of the texts."""
    raw = torch.zeros(())
    below: Float[Tensor, "n t d"] | None = None
    for layer in passes.unrolled.layers:
        top, parts = layer is passes.unrolled.layers[-1], []
        for way, direction in enumerate(layer):
            states, lengths = _run(direction, phrases, passes, below)
            parts.append(reading_order(states, lengths, direction.reverse))
            for term in terms if top else ():
                if term.direction == way:
                    weights = term.weights[phrases.owner][:, : states.shape[1]]
                    pooled = (weights * states[:, : weights.shape[1]]).sum(1)
                    raw = raw.to(pooled) + torch.nn.functional.linear(pooled, term.linear)
        below = torch.cat(parts, -1)
    return raw


def _run(
    direction: Direction, phrases: Phrases, passes: DrawnPasses, below: Float[Tensor, "n t d"] | None
) -> tuple[Float[Tensor, "n t h"], Int[Tensor, " n"]]:
    """The phrase's part of the states of one direction, in its reading order; the lengths of the texts."""
    first, width = passes.first(), direction.hidden.shape[1]
    lengths = direction.lengths.to(passes.of.device)[first]
    mine = phrases.turned(lengths, direction.reverse)
    step = torch.arange(width, device=first.device)
    if below is None:
        inside = (step >= mine.start[:, None]) & (step < mine.stop[:, None])
        part = direction.inputs[first] * inside[..., None]
    else:
        part = reading_order(below, lengths, direction.reverse)
    cell = CELLS[direction.cell](direction, passes)
    from_x = torch.nn.functional.linear(part, direction.weight_ih)
    state = [part.new_zeros(passes.phrases, direction.hidden.shape[-1]) for _ in range(cell.states)]
    states = []
    for t in range(width):
        after = cell.step(t, from_x[:, t], state)
        going = (t < lengths)[:, None]
        state = [torch.where(going, new, old) for new, old in zip(after, state, strict=True)]
        states.append(state[0])
    return torch.stack(states, 1), lengths


class SampledCell:
    """A cell, with its whole operands in every context."""

    states = 1

    def __init__(self, direction: Direction, passes: DrawnPasses) -> None:
        self.passes, self.weight = passes, direction.weight_hh
        self.from_x = torch.nn.functional.linear(direction.inputs, direction.weight_ih, direction.bias_ih)
        self.from_h = torch.nn.functional.linear(before(direction), direction.weight_hh, direction.bias_hh)

    def step(self, t: int, from_x: Float[Tensor, "n g"], state: list[Tensor]) -> list[Tensor]:
        """The phrase's part of the next state."""
        raise NotImplementedError

    def _shared(self, kind: str, whole: Float[Tensor, "m h"], part: Float[Tensor, "n h"]) -> Float[Tensor, "n h"]:
        """The part of an activation."""
        call = getattr(torch, kind)
        return self.passes.mean(call(whole) - call(whole - part[self.passes.of]))


def _product(u: Tensor, v: Tensor, whole_u: Tensor, whole_v: Tensor) -> Tensor:
    """The part of a product, from the parts of its factors and the mean whole factors."""
    return u * whole_v + v * whole_u - u * v


class SampledLstm(SampledCell):
    """c' = f c + i g, h = o tanh(c)."""

    states = 2

    def __init__(self, direction: Direction, passes: DrawnPasses) -> None:
        super().__init__(direction, passes)
        self.total = self.from_x + self.from_h
        i, f, g, o = self.total.chunk(4, -1)
        assert direction.c0 is not None
        self.cell = scan(f.sigmoid(), i.sigmoid() * g.tanh(), direction.c0)
        earlier = torch.cat([direction.c0[:, None], self.cell[:, :-1]], 1)
        wholes = (i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid(), earlier, self.cell.tanh())
        self.means = [passes.mean(whole) for whole in wholes]

    def step(self, t: int, from_x: Tensor, state: list[Tensor]) -> list[Tensor]:
        h, c = state
        parts = (from_x + torch.nn.functional.linear(h, self.weight)).chunk(4, -1)
        kinds = ("sigmoid", "sigmoid", "tanh", "sigmoid")
        wholes = self.total[:, t].chunk(4, -1)
        i, f, g, o = (self._shared(*operands) for operands in zip(kinds, wholes, parts, strict=True))
        mean_i, mean_f, mean_g, mean_o, earlier, mean_tanh = (mean[:, t] for mean in self.means)
        new = _product(f, c, mean_f, earlier) + _product(i, g, mean_i, mean_g)
        bent = self._shared("tanh", self.cell[:, t], new)
        return [_product(o, bent, mean_o, mean_tanh), new]


class SampledGru(SampledCell):
    """h' = (1 - z) n + z h, with n = tanh(x + r q)."""

    def __init__(self, direction: Direction, passes: DrawnPasses) -> None:
        super().__init__(direction, passes)
        (r, z, x), (r_h, z_h, q) = self.from_x.chunk(3, -1), self.from_h.chunk(3, -1)
        self.gates = (r + r_h, z + z_h)
        self.n = x + self.gates[0].sigmoid() * q
        wholes = (self.gates[0].sigmoid(), self.gates[1].sigmoid(), self.n.tanh(), q, before(direction))
        self.means = [passes.mean(whole) for whole in wholes]

    def step(self, t: int, from_x: Tensor, state: list[Tensor]) -> list[Tensor]:
        (h,) = state
        (r_x, z_x, n_x), (r_h, z_h, q) = from_x.chunk(3, -1), torch.nn.functional.linear(h, self.weight).chunk(3, -1)
        mean_r, mean_z, mean_n, mean_q, earlier = (mean[:, t] for mean in self.means)
        r = self._shared("sigmoid", self.gates[0][:, t], r_x + r_h)
        z = self._shared("sigmoid", self.gates[1][:, t], z_x + z_h)
        n = self._shared("tanh", self.n[:, t], n_x + _product(r, q, mean_r, mean_q))
        return [_product(-z, n, 1 - mean_z, mean_n) + _product(z, h, mean_z, earlier)]


class SampledRnn(SampledCell):
    """h' = tanh of a sum."""

    kind = "tanh"

    def step(self, t: int, from_x: Tensor, state: list[Tensor]) -> list[Tensor]:
        part = from_x + torch.nn.functional.linear(state[0], self.weight)
        return [self._shared(self.kind, self.from_x[:, t] + self.from_h[:, t], part)]


class SampledRelu(SampledRnn):
    """h' = ReLU of a sum."""

    kind = "relu"


CELLS: dict[str, type[SampledCell]] = {
    "lstm": SampledLstm,
    "gru": SampledGru,
    "rnn_tanh": SampledRnn,
    "rnn_relu": SampledRelu,
}
