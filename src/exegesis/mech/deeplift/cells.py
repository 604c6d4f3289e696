"""DeepLIFT's rescale rule through recurrent layers: backpropagation through time with multipliers instead of slopes.

A step of a cell consists of linear maps, activations and products. The multiplier of an activation is Δy / Δx; that of
each factor of a product is the mean of the other over the text and its baseline, which sums to the difference exactly,
because a b - a' b' = (a - a') (b + b') / 2 + (a + a') / 2 (b - b').
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.mech.deeplift.multipliers import middle, multiplier, of_sigmoid, of_tanh
from exegesis.nn.kernels import linear, tanh_
from exegesis.nn.recurrent import GATES, Way, before, cells, preactivations, reading_order
from exegesis.protocols.recurrent import Direction

Ends = Mapping[Way, Float[Tensor, "b t h"]]


class CellMultipliers:
    """The multipliers of one direction at all steps.

    ``onto`` times the multiplier of h_t (for the gates i, f, g of an LSTM: of c_t) is the multiplier of the
    contributions of the maps from h_{t-1} and x_t to each gate; ``onto_x`` replaces it for x_t if the two differ.
    ``opened`` is the factor from h_t to c_t, ``kept`` from c_t to c_{t-1}, ``direct`` from h_t to h_{t-1} beside all
    weights.
    """

    def __init__(self, text: Direction, base: Direction) -> None:
        self.direction, self.gates = text, len(GATES[text.cell])
        self.opened: Tensor | None = None
        self.kept: Tensor | None = None
        self.direct: Tensor | None = None
        self.onto_x: Tensor | None = None
        pairs = [_sums(direction) for direction in (text, base)]
        self.onto = {"lstm": self._lstm, "gru": self._gru}.get(text.cell, self._rnn)(text, base, pairs)

    def _lstm(self, text: Direction, base: Direction, sums: list[list[Tensor]]) -> Tensor:
        gates = [[_tanh(a) if place == 2 else a.sigmoid() for place, a in enumerate(parts)] for parts in sums]
        slope_i, slope_f, slope_g, slope_o = (
            (of_tanh if place == 2 else of_sigmoid)(*pair, *values)
            for place, (pair, values) in enumerate(zip(zip(*sums, strict=True), zip(*gates, strict=True), strict=True))
        )
        i, f, g, o = (middle(*values) for values in zip(*gates, strict=True))
        c = [cells(direction) for direction in (text, base)]
        previous = middle(*(_shifted(value, way.c0) for value, way in zip(c, (text, base), strict=True)))
        squashed = [_tanh(value) for value in c]
        self.opened, self.kept = o * of_tanh(*c, *squashed), f
        return torch.cat([g * slope_i, previous * slope_f, i * slope_g, middle(*squashed) * slope_o], -1)

    def _gru(self, text: Direction, base: Direction, sums: list[list[Tensor]]) -> Tensor:
        r, z = ([parts[k].sigmoid() for parts in sums] for k in (0, 1))
        n = [parts[2] + reset * parts[3] for parts, reset in zip(sums, r, strict=True)]
        new = [_tanh(value) for value in n]
        slope_r, slope_z = (of_sigmoid(sums[0][k], sums[1][k], *values) for k, values in ((0, r), (1, z)))
        onto_n = (1 - middle(*z)) * of_tanh(*n, *new)
        onto_z = (middle(before(text), before(base)) - middle(*new)) * slope_z
        onto_r = onto_n * middle(sums[0][3], sums[1][3]) * slope_r
        self.direct = middle(*z)
        self.onto_x = torch.cat([onto_r, onto_z, onto_n], -1)
        return torch.cat([onto_r, onto_z, onto_n * middle(*r)], -1)

    def _rnn(self, text: Direction, base: Direction, sums: list[list[Tensor]]) -> Tensor:
        (first,), (second,) = sums
        if text.cell == "rnn_tanh":
            return of_tanh(first, second, _tanh(first), _tanh(second))
        return multiplier(torch.relu, first, second, first.relu(), second.relu())

    def back(
        self, hidden: Float[Tensor, "b t h"], cell: Float[Tensor, "b t h"] | None
    ) -> tuple[Float[Tensor, "b t d"], list[Float[Tensor, "b h"]]]:
        """From the multipliers that arrive at h_t (and c_t) to those of x_t and of the initial states."""
        weight, factors, above = self.direction.weight_hh.t().contiguous(), self.onto.unbind(1), hidden.unbind(1)
        opened, between_cells, direct, beside = (
            None if part is None else part.unbind(1) for part in (self.opened, self.kept, self.direct, cell)
        )
        dh = dc = torch.zeros_like(above[0])
        steps: list[Tensor] = []
        for t in reversed(range(len(above))):
            dh = above[t] + dh
            if opened is not None and between_cells is not None:
                dc = torch.addcmul(dc if beside is None else dc + beside[t], dh, opened[t])
                down = torch.cat([dc, dc, dc, dh], 1) * factors[t]
                dc = dc * between_cells[t]
            else:
                down = dh.repeat(1, self.gates) * factors[t]
            steps.append(down if self.onto_x is None else dh)
            back = linear(down, weight, None)
            dh = back if direct is None else torch.addcmul(back, dh, direct[t])
        onto = torch.stack(steps[::-1], 1)
        if self.onto_x is not None:
            onto = onto.repeat(1, 1, self.gates) * self.onto_x
        to_x = linear(onto, self.direction.weight_ih.t().contiguous(), None)
        return to_x, [dh] if opened is None else [dh, dc]


def _tanh(value: Tensor) -> Tensor:
    return tanh_(value.clone())


def _shifted(states: Tensor, start: Tensor | None) -> Tensor:
    assert start is not None
    return torch.cat([start[:, None], states[:, :-1]], 1)


def _sums(direction: Direction) -> list[Tensor]:
    """The arguments of the activations: of i, f, g, o; of r, z and the two parts of n; of n."""
    names = GATES[direction.cell]
    size = direction.hidden.shape[-1]
    from_x, from_h = preactivations(direction, names)
    none = direction.hidden.new_zeros(len(names) * size)
    bias_x, bias_h = (
        torch.split(none if bias is None else bias, size) for bias in (direction.bias_ih, direction.bias_hh)
    )
    parts = [(x + b, h + c) for x, h, b, c in zip(from_x, from_h, bias_x, bias_h, strict=True)]
    if direction.cell == "gru":
        return [*(x + h for x, h in parts[:2]), *parts[2]]
    return [x + h for x, h in parts]


@dataclass(eq=False)
class StackMultipliers:
    """The multipliers of all layers and directions."""

    layers: Sequence[Sequence[CellMultipliers]]

    def back(
        self, arriving: Float[Tensor, "b t w"], ends: Ends, cell_ends: Ends
    ) -> tuple[Float[Tensor, "b t d"], dict[Way, list[Float[Tensor, "b h"]]]]:
        """From the multipliers of the top layer's states, in the text's order, and those of last states (in reading
        order, zero except at the last step), to those of the inputs and of the initial states.
        """
        starts: dict[Way, list[Tensor]] = {}
        for number in range(len(self.layers) - 1, -1, -1):
            layer, received = self.layers[number], []
            for side, (part, rule) in enumerate(zip(arriving.chunk(len(layer), -1), layer, strict=True)):
                way, lengths = (number, side), rule.direction.lengths
                hidden = reading_order(part, lengths, rule.direction.reverse)
                hidden = hidden + ends[way] if way in ends else hidden
                to_x, starts[way] = rule.back(hidden, cell_ends.get(way))
                received.append(reading_order(to_x, lengths, rule.direction.reverse))
            arriving = sum(received[1:], received[0])
        return arriving, starts
