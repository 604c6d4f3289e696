"""Recurrent cells whose states are split into the part of a phrase (relevant) and the rest, step by step.

Sums are split term by term; biases are a group of their own. An activation of a sum is shared among the three groups
(``Shares``). Of a product of two shared values the phrase gets what holds no irrelevant factor; what biases alone make
of it has no owner and goes to the phrase at the steps that ``mech.split`` credits, else to the rest.

Only relevant parts are carried. The rest is the whole less them, and the whole is known for all steps beforehand.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.nn.product import linear
from exegesis.nn.recurrent import before, gates, scan
from exegesis.protocols.recurrent import Direction

ORDERINGS = ("bias-first", "all")
STEP = 64  # rows of a product are filled up to a multiple


@dataclass(frozen=True, eq=False)
class Shares:
    """Shares of relevant part, rest and bias in an activation of their sum: averages over orderings of what each adds.

    The orderings are the two that begin with the bias, or ``all`` six. What the activation is at zero (1/2 for a
    sigmoid) goes to the bias. Every argument is taken times ``slope``, one number a column: 1 for a sigmoid or ReLU, 2
    for a tanh, because tanh x = 2 σ(2x) - 1, so that a difference of two tanh is 2 times one of sigmoids.
    """

    slope: Float[Tensor, " g"]
    relu: bool
    all: bool

    def activate(self, argument: Float[Tensor, "*n g"]) -> Float[Tensor, "*n g"]:
        """The activation itself."""
        return argument.relu() if self.relu else argument.sigmoid() * self.slope - (self.slope - 1)

    def known(self, total: Float[Tensor, "*n g"], lone: Float[Tensor, "#n g"]) -> Float[Tensor, "*n g"]:
        """What ``of`` needs of the whole sums and of ``lone``, the activation of the bias."""
        return self._curve(total.clone()) if self.all else (self.activate(total) + lone) / 2

    def of(
        self,
        part: Float[Tensor, "n g"],
        total: Float[Tensor, "n g"],
        known: Float[Tensor, "n g"],
        bias: Float[Tensor, "#n g"],
        lone: Float[Tensor, "#n g"],
    ) -> tuple[Float[Tensor, "n g"], Float[Tensor, "#n g"]]:
        """The share of the relevant ``part`` with that of the bias, and that of the bias."""
        rows, curve = len(part), self._curve
        ends = part.new_empty(2 * rows, part.shape[1])
        torch.add(part, bias, out=ends[:rows])
        torch.sub(total, part, out=ends[rows:])
        curve(ends)
        with_bias, with_rest = ends[:rows], ends[rows:]  # the relevant part, and the rest, with the bias
        if not self.all:
            return torch.addcmul(known, with_bias.sub_(with_rest), self.slope, value=0.5), lone
        zero, only = curve(torch.zeros_like(bias)), curve(bias.clone())
        alone, rest, both = curve(part.clone()), curve(total - part - bias), curve(total - bias)
        own = (alone - zero + known - with_rest) / 3 + (with_bias - only + both - rest) / 6
        of_bias = (only - zero + known - both) / 3 + (with_bias - alone + with_rest - rest) / 6
        of_bias = of_bias * self.slope + self.activate(torch.zeros_like(bias))
        return own * self.slope + of_bias, of_bias

    def _curve(self, value: Float[Tensor, "*n g"]) -> Float[Tensor, "*n g"]:
        return value.relu_() if self.relu else value.sigmoid_()


class SplitCell(ABC):
    """One direction of one layer. ``table[b * t]`` is what a step needs to know of the whole text at its position,
    ``read[b * t]`` what the vector read there adds to the shared activations, which ``letters`` name (the last passes a
    tanh or ReLU). The state is the relevant part of h, and of c for an LSTM. Weights and biases are times the slopes.
    """

    letters: str

    def __init__(self, direction: Direction, orderings: str) -> None:
        self.direction, self.size = direction, direction.hidden.shape[-1]
        rows, relu = len(self.letters) * self.size, direction.cell == "rnn_relu"
        slope = direction.hidden.new_ones(rows)
        slope[rows - self.size :] = 1.0 if relu else 2.0
        self.shares = Shares(slope, relu, orderings == "all")
        self.weight_x, self.weight_h = (
            weight[:rows] * slope[:, None] for weight in (direction.weight_ih, direction.weight_hh)
        )
        self.bias_x, self.bias_h = (
            torch.zeros_like(slope) if bias is None else bias[:rows] * slope
            for bias in (direction.bias_ih, direction.bias_hh)
        )
        self.bias = (self.bias_x + self.bias_h)[None]
        from_x = linear(direction.inputs, self.weight_x, None)
        self.read = from_x.flatten(0, 1)
        known = self._known(from_x, linear(before(direction), self.weight_h, None))
        self.widths = [part.shape[-1] for part in known]
        self.table = torch.cat(known, -1).flatten(0, 1)

    def start(self, rows: int) -> list[Tensor]:
        """The relevant parts before a phrase begins: zeros."""
        return [self.direction.hidden.new_zeros(rows, self.size) for _ in range(1 + (self.direction.c0 is not None))]

    @abstractmethod
    def _known(self, from_x: Float[Tensor, "b t g"], from_h: Float[Tensor, "b t g"]) -> list[Tensor]: ...

    @abstractmethod
    def step(
        self,
        seen: Float[Tensor, "n w"],
        from_x: Float[Tensor, "n g"] | None,
        state: list[Tensor],
        uncredited: Float[Tensor, "n 1"] | None,
    ) -> list[Tensor]:
        """The next state. ``seen`` are rows of ``table``, ``from_x`` is what the relevant part of the vector read adds
        (None: nothing); ``uncredited`` is 1 where what biases alone make is not the phrase's, else 0 (None: always 1).
        """

    def _sum(self, from_x: Tensor | None, hidden: Tensor) -> Float[Tensor, "n g"]:
        from_h = product(hidden, self.weight_h)
        return from_h if from_x is None else from_h.add_(from_x)


def product(values: Float[Tensor, "n d"], weight: Float[Tensor, "g d"]) -> Float[Tensor, "n g"]:
    """``values @ weight.T``. Rows grow fewer with every step; kernels are made for a shape, so shapes are kept few."""
    rows = len(values)
    if rows % STEP and rows > STEP:
        values = torch.nn.functional.pad(values, (0, 0, 0, -rows % STEP))
    return linear(values, weight, None)[:rows]


def _less(value: Tensor, alone: Tensor, uncredited: Tensor | None) -> Tensor:
    return value - alone if uncredited is None else value - uncredited * alone


class _Lstm(SplitCell):
    """c' = f c + i g with i, f, g shared; h = o tanh(c) with o as it is."""

    letters = "ifg"

    def _known(self, from_x: Tensor, from_h: Tensor) -> list[Tensor]:
        total = from_x.add(from_h).add_(self.bias)
        self.lone = self.shares.activate(self.bias)
        i, f, g = self.shares.activate(total).chunk(3, -1)
        start = self.direction.c0
        assert start is not None
        c = scan(f, i * g, start)
        (o,) = gates(self.direction, "o")
        return [total, self.shares.known(total, self.lone), 2 * c, self.direction.hidden / 2, o]

    def step(self, seen: Tensor, from_x: Tensor | None, state: list[Tensor], uncredited: Tensor | None) -> list[Tensor]:
        total, known, c_twice, half_h, o = seen.split_with_sizes(self.widths, 1)
        share, of_bias = self.shares.of(self._sum(from_x, state[0]), total, known, self.bias, self.lone)
        i, f, g = share.chunk(3, 1)
        bias_i, _, bias_g = of_bias.chunk(3, 1)
        part = torch.addcmul(_less(i * g, bias_i * bias_g, uncredited), f, state[1])
        ends = torch.cat([part * 2, torch.sub(c_twice, part, alpha=2)]).sigmoid_()  # tanh x = 2 σ(2x) - 1
        return [torch.addcmul(half_h, o, ends[: len(part)].sub_(ends[len(part) :])), part]


class _Gru(SplitCell):
    """h' = (1 - z) n + z h with r, z, n shared and 1 - z as z is; of r q, q = U h + b, what biases alone make joins the
    bias of n.
    """

    letters = "rzn"

    def _known(self, from_x: Tensor, from_h: Tensor) -> list[Tensor]:
        two, shares = 2 * self.size, self.shares
        self.first, self.last = (replace(shares, slope=part) for part in (shares.slope[:two], shares.slope[two:]))
        self.bias, self.inner = self.bias[:, :two], self.bias_h[two:]
        self.lone = self.first.activate(self.bias)
        first = from_x[..., :two] + from_h[..., :two] + self.bias
        reset = first[..., : self.size].sigmoid()
        last = from_x[..., two:] + self.bias_x[two:] + reset * (from_h[..., two:] + self.inner)
        lone = self.last.activate(self.bias_x[two:] + self.lone[:, : self.size] * self.inner)
        return [first, self.first.known(first, self.lone), last, self.last.known(last, lone)]

    def step(self, seen: Tensor, from_x: Tensor | None, state: list[Tensor], uncredited: Tensor | None) -> list[Tensor]:
        two = 2 * self.size
        total, known, total_n, known_n = seen.split_with_sizes(self.widths, 1)
        from_h = product(state[0], self.weight_h)
        first = from_h[:, :two] if from_x is None else from_h[:, :two] + from_x[:, :two]
        share, of_bias = self.first.of(first, total, known, self.bias, self.lone)
        (r, z), (bias_r, bias_z) = share.chunk(2, 1), of_bias.chunk(2, 1)
        part = r * (from_h[:, two:] + self.inner) - bias_r * self.inner
        if from_x is not None:
            part = part + from_x[:, two:]
        bias = self.bias_x[two:] + bias_r * self.inner
        n, bias_n = self.last.of(part, total_n, known_n, bias, self.last.activate(bias))
        new = _less((1 - z) * n, (1 - bias_z) * bias_n, uncredited)
        return [torch.addcmul(new, z, state[0])]


class _Rnn(SplitCell):
    """h' = tanh or ReLU of a sum, shared; what biases alone make is their share."""

    letters = "n"

    def _known(self, from_x: Tensor, from_h: Tensor) -> list[Tensor]:
        total = from_x.add(from_h).add_(self.bias)
        self.lone = self.shares.activate(self.bias)
        return [total, self.shares.known(total, self.lone)]

    def step(self, seen: Tensor, from_x: Tensor | None, state: list[Tensor], uncredited: Tensor | None) -> list[Tensor]:
        total, known = seen.split_with_sizes(self.widths, 1)
        share, of_bias = self.shares.of(self._sum(from_x, state[0]), total, known, self.bias, self.lone)
        return [_less(share, of_bias, uncredited)]


CELLS: dict[str, type[SplitCell]] = {"lstm": _Lstm, "gru": _Gru, "rnn_tanh": _Rnn, "rnn_relu": _Rnn}


def split_cell(direction: Direction, orderings: str) -> SplitCell:
    """The splitting steps of a direction. Raises UnsupportedError for a cell without them."""
    if direction.cell not in CELLS:
        raise UnsupportedError(
            f"contextual-decomposition has no rule for a cell of kind {direction.cell}: take lrp or a method of removal"
        )
    return CELLS[direction.cell](direction, orderings)
