"""Recurrent cells whose states are split into the part of a phrase (relevant) and the rest, step by step.

Sums are split term by term; biases are a separate group. An activation of a sum is shared among the three groups
(``GroupShares``). In a product of two shared values the phrase gets every term without an irrelevant factor; the term
of the biases alone has no owner and goes to the phrase at the steps that ``decomposition.contextual`` credits, else to
the rest.

Only relevant parts are carried. The rest is the whole minus the relevant part, and the whole is known beforehand.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.nn.kernels import linear
from exegesis.nn.recurrent import before, gates, scan
from exegesis.protocols.recurrent import Direction

ORDERINGS = ("bias-first", "all")
ROWS_STEP = 64  # rows of a product are filled up to a multiple of this


@dataclass(frozen=True, eq=False)
class GroupShares:
    """Shares of relevant part, rest and bias in an activation of their sum: their mean contributions over orderings.

    The orderings are the two that begin with the bias, or ``all`` six. The activation at zero (1/2 for a sigmoid) goes
    to the bias. Arguments are multiplied by ``slope``, one number per column: 1 for a sigmoid or ReLU, 2 for a tanh,
    because tanh x = 2 σ(2x) - 1, so that a difference of two tanh is 2 times a difference of sigmoids.
    """

    slope: Float[Tensor, " g"]
    relu: bool
    all: bool

    def activate(self, argument: Float[Tensor, "*n g"]) -> Float[Tensor, "*n g"]:
        """The activation itself."""
        return argument.relu() if self.relu else argument.sigmoid() * self.slope - (self.slope - 1)

    def fixed(self, total: Float[Tensor, "*n g"], lone: Float[Tensor, "#n g"]) -> Float[Tensor, "*n g"]:
        """The part of ``of`` that depends on the whole sums and on ``lone``, the activation of the bias, alone."""
        return self._curve(total.clone()) if self.all else (self.activate(total) + lone) / 2

    def of(
        self,
        part: Float[Tensor, "n g"],
        total: Float[Tensor, "n g"],
        fixed: Float[Tensor, "n g"],
        bias: Float[Tensor, "#n g"],
        lone: Float[Tensor, "#n g"],
    ) -> tuple[Float[Tensor, "n g"], Float[Tensor, "#n g"]]:
        """The share of the relevant ``part`` together with the bias, and the share of the bias."""
        rows, curve = len(part), self._curve
        ends = part.new_empty(2 * rows, part.shape[1])
        torch.add(part, bias, out=ends[:rows])
        torch.sub(total, part, out=ends[rows:])
        curve(ends)
        with_bias, with_rest = ends[:rows], ends[rows:]  # the relevant part, and the rest, with the bias
        if not self.all:
            return torch.addcmul(fixed, with_bias.sub_(with_rest), self.slope, value=0.5), lone
        zero, only = curve(torch.zeros_like(bias)), curve(bias.clone())
        alone, rest, both = curve(part.clone()), curve(total - part - bias), curve(total - bias)
        share = (alone - zero + fixed - with_rest) / 3 + (with_bias - only + both - rest) / 6
        of_bias = (only - zero + fixed - both) / 3 + (with_bias - alone + with_rest - rest) / 6
        of_bias = of_bias * self.slope + self.activate(torch.zeros_like(bias))
        return share * self.slope + of_bias, of_bias

    def _curve(self, value: Float[Tensor, "*n g"]) -> Float[Tensor, "*n g"]:
        return value.relu_() if self.relu else value.sigmoid_()


class SplitCell(ABC):
    """The splitting steps of one direction of a layer.

    ``table[b * t]`` holds the values of the whole text that a step needs at its position, ``read[b * t]`` the part that
    the vector at this position adds to the shared activations, which ``letters`` name (the last one passes a tanh or
    ReLU). The state is the relevant part of h, and of c for an LSTM. Weights and biases are multiplied by the slopes.
    """

    letters: str

    def __init__(self, direction: Direction, orderings: str) -> None:
        self.direction, self.size = direction, direction.hidden.shape[-1]
        rows, relu = len(self.letters) * self.size, direction.cell == "rnn_relu"
        slope = direction.hidden.new_ones(rows)
        slope[rows - self.size :] = 1.0 if relu else 2.0
        self.shares = GroupShares(slope, relu, orderings == "all")
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
        fixed = self._fixed(from_x, linear(before(direction), self.weight_h, None))
        self.widths = [part.shape[-1] for part in fixed]
        self.table = torch.cat(fixed, -1).flatten(0, 1)

    def start(self, rows: int) -> list[Tensor]:
        """The relevant parts before a phrase begins: zeros."""
        return [self.direction.hidden.new_zeros(rows, self.size) for _ in range(1 + (self.direction.c0 is not None))]

    @abstractmethod
    def _fixed(self, from_x: Float[Tensor, "b t g"], from_h: Float[Tensor, "b t g"]) -> list[Tensor]: ...

    @abstractmethod
    def step(
        self,
        whole: Float[Tensor, "n w"],
        from_x: Float[Tensor, "n g"] | None,
        state: list[Tensor],
        uncredited: Float[Tensor, "n 1"] | None,
    ) -> list[Tensor]:
        """The next state.

        ``whole`` are rows of ``table``, ``from_x`` is the part that the relevant part of the vector adds (None: zero);
        ``uncredited`` is 1 if the phrase does not get the biases' term, else 0 (None: always 1).
        """

    def _sum(self, from_x: Tensor | None, hidden: Tensor) -> Float[Tensor, "n g"]:
        from_h = product(hidden, self.weight_h)
        return from_h if from_x is None else from_h.add_(from_x)


def product(values: Float[Tensor, "n d"], weight: Float[Tensor, "g d"]) -> Float[Tensor, "n g"]:
    """``values @ weight.T``, padded to few distinct numbers of rows, because kernels are made for each shape."""
    rows = len(values)
    if rows % ROWS_STEP and rows > ROWS_STEP:
        values = torch.nn.functional.pad(values, (0, 0, 0, -rows % ROWS_STEP))
    return linear(values, weight, None)[:rows]


def _less(value: Tensor, alone: Tensor, uncredited: Tensor | None) -> Tensor:
    """The value minus the term of the biases alone, unless that is credited."""
    return value - alone if uncredited is None else value - uncredited * alone


class SplitLstm(SplitCell):
    """c' = f c + i g with i, f, g shared; h = o tanh(c) with the whole o."""

    letters = "ifg"

    def _fixed(self, from_x: Tensor, from_h: Tensor) -> list[Tensor]:
        total = from_x.add(from_h).add_(self.bias)
        self.lone = self.shares.activate(self.bias)
        i, f, g = self.shares.activate(total).chunk(3, -1)
        start = self.direction.c0
        assert start is not None
        c = scan(f, i * g, start)
        (o,) = gates(self.direction, "o")
        return [total, self.shares.fixed(total, self.lone), 2 * c, self.direction.hidden / 2, o]

    def step(
        self, whole: Tensor, from_x: Tensor | None, state: list[Tensor], uncredited: Tensor | None
    ) -> list[Tensor]:
        total, fixed, c_twice, half_h, o = whole.split_with_sizes(self.widths, 1)
        share, of_bias = self.shares.of(self._sum(from_x, state[0]), total, fixed, self.bias, self.lone)
        i, f, g = share.chunk(3, 1)
        bias_i, _, bias_g = of_bias.chunk(3, 1)
        part = torch.addcmul(_less(i * g, bias_i * bias_g, uncredited), f, state[1])
        ends = torch.cat([part * 2, torch.sub(c_twice, part, alpha=2)]).sigmoid_()  # tanh x = 2 σ(2x) - 1
        return [torch.addcmul(half_h, o, ends[: len(part)].sub_(ends[len(part) :])), part]


class SplitGru(SplitCell):
    """h' = (1 - z) n + z h with r, z, n shared, and 1 - z like z. In r q, q = U h + b, the term of the biases alone
    joins the bias of n.
    """

    letters = "rzn"

    def _fixed(self, from_x: Tensor, from_h: Tensor) -> list[Tensor]:
        split, shares = 2 * self.size, self.shares
        self.first, self.last = (replace(shares, slope=part) for part in (shares.slope[:split], shares.slope[split:]))
        self.bias, self.inner = self.bias[:, :split], self.bias_h[split:]
        self.lone = self.first.activate(self.bias)
        first = from_x[..., :split] + from_h[..., :split] + self.bias
        reset = first[..., : self.size].sigmoid()
        last = from_x[..., split:] + self.bias_x[split:] + reset * (from_h[..., split:] + self.inner)
        lone = self.last.activate(self.bias_x[split:] + self.lone[:, : self.size] * self.inner)
        return [first, self.first.fixed(first, self.lone), last, self.last.fixed(last, lone)]

    def step(
        self, whole: Tensor, from_x: Tensor | None, state: list[Tensor], uncredited: Tensor | None
    ) -> list[Tensor]:
        split = 2 * self.size
        total, fixed, total_n, fixed_n = whole.split_with_sizes(self.widths, 1)
        from_h = product(state[0], self.weight_h)
        first = from_h[:, :split] if from_x is None else from_h[:, :split] + from_x[:, :split]
        share, of_bias = self.first.of(first, total, fixed, self.bias, self.lone)
        (r, z), (bias_r, bias_z) = share.chunk(2, 1), of_bias.chunk(2, 1)
        part = r * (from_h[:, split:] + self.inner) - bias_r * self.inner
        if from_x is not None:
            part = part + from_x[:, split:]
        bias = self.bias_x[split:] + bias_r * self.inner
        n, bias_n = self.last.of(part, total_n, fixed_n, bias, self.last.activate(bias))
        new = _less((1 - z) * n, (1 - bias_z) * bias_n, uncredited)
        return [torch.addcmul(new, z, state[0])]


class SplitRnn(SplitCell):
    """h' = tanh or ReLU of a sum, shared; the term of the biases alone is their share."""

    letters = "n"

    def _fixed(self, from_x: Tensor, from_h: Tensor) -> list[Tensor]:
        total = from_x.add(from_h).add_(self.bias)
        self.lone = self.shares.activate(self.bias)
        return [total, self.shares.fixed(total, self.lone)]

    def step(
        self, whole: Tensor, from_x: Tensor | None, state: list[Tensor], uncredited: Tensor | None
    ) -> list[Tensor]:
        total, fixed = whole.split_with_sizes(self.widths, 1)
        share, of_bias = self.shares.of(self._sum(from_x, state[0]), total, fixed, self.bias, self.lone)
        return [_less(share, of_bias, uncredited)]


CELLS: dict[str, type[SplitCell]] = {"lstm": SplitLstm, "gru": SplitGru, "rnn_tanh": SplitRnn, "rnn_relu": SplitRnn}


def split_cell(direction: Direction, orderings: str) -> SplitCell:
    """The splitting steps of a direction. Raises UnsupportedError for a cell without them."""
    if direction.cell not in CELLS:
        raise UnsupportedError(
            f"contextual-decomposition has no rule for a cell of kind {direction.cell}: take lrp or a method of removal"
        )
    return CELLS[direction.cell](direction, orderings)
