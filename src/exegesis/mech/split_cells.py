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
from exegesis.core.recurrent import Direction
from exegesis.nn.product import linear
from exegesis.nn.recurrent import gates, preactivations, scan

ORDERINGS = ("bias-first", "all")


@dataclass(frozen=True)
class Shares:
    """Shares of relevant part, rest and bias in an activation of their sum: averages over orderings of what each adds.

    The last ``curved`` columns pass a tanh (or a ReLU), those before a sigmoid. The orderings are the two that begin
    with the bias, or ``all`` six. What the activation is at zero (1/2 for a sigmoid) goes to the bias.
    """

    curved: int
    relu: bool
    all: bool

    def activate(self, value: Float[Tensor, "*n g"]) -> Float[Tensor, "*n g"]:
        """The activation, in place."""
        cut = value.shape[-1] - self.curved
        value[..., :cut].sigmoid_()
        if self.relu:
            value[..., cut:].relu_()
        else:
            value[..., cut:].tanh_()
        return value

    def of(
        self,
        part: Float[Tensor, "n g"],
        total: Float[Tensor, "n g"],
        activated: Float[Tensor, "n g"],
        bias: Float[Tensor, "#n g"],
        lone: Float[Tensor, "#n g"],
    ) -> tuple[Float[Tensor, "n g"], Float[Tensor, "#n g"]]:
        """The relevant part's share with the bias's, and the bias's alone.

        ``total`` is the whole sum and ``activated`` its activation; ``lone`` is the activation of the bias.
        """
        act, rest = self.activate, total - part  # of the rest with the bias
        with_bias = act(part + bias)
        if not self.all:
            return with_bias.sub_(act(rest)).add_(activated).add_(lone).mul_(0.5), lone
        zero = act(torch.zeros_like(bias))
        alone, rest_alone, both, with_rest = act(part.clone()), act(rest - bias), act(total - bias), act(rest)
        own = (alone - zero + activated - with_rest) / 3 + (with_bias - lone + both - rest_alone) / 6
        of_bias = (lone - zero + activated - both) / 3 + (with_bias - alone + with_rest - rest_alone) / 6 + zero
        return own + of_bias, of_bias


class SplitCell(ABC):
    """One direction of one layer. ``table[b * t]`` is what a step needs to know of the whole text at its position,
    ``read[b * t]`` what the vector read there adds to the activations that are shared. ``curved`` and ``letters`` are
    those activations. The state is the relevant part of h, and of c for an LSTM.
    """

    letters: str

    def __init__(self, direction: Direction, orderings: str) -> None:
        size = direction.hidden.shape[-1]
        rows = len(self.letters) * size
        self.direction, self.size = direction, size
        self.shares = Shares(size, direction.cell == "rnn_relu", orderings == "all")
        self.weight_x, self.weight_h = direction.weight_ih[:rows], direction.weight_hh[:rows]
        none = direction.hidden.new_zeros(rows)
        self.bias_x = none if direction.bias_ih is None else direction.bias_ih[:rows]
        self.bias_h = none if direction.bias_hh is None else direction.bias_hh[:rows]
        from_x, from_h = (torch.cat(parts, -1) for parts in preactivations(direction, self.letters))
        self.read = from_x.flatten(0, 1)
        self.table = torch.cat(self._known(from_x, from_h), -1).flatten(0, 1)

    def start(self, rows: int) -> list[Tensor]:
        """The relevant parts before a phrase begins: zeros."""
        return [self.direction.hidden.new_zeros(rows, self.size) for _ in range(1 + (self.direction.c0 is not None))]

    def lone(self) -> Float[Tensor, "1 g"]:
        """The activation of the biases alone."""
        return self.shares.activate((self.bias_x + self.bias_h)[None])

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
        from_h = linear(hidden, self.weight_h, None)
        return from_h if from_x is None else from_h.add_(from_x)


def _less(value: Tensor, alone: Tensor, uncredited: Tensor | None) -> Tensor:
    return value - alone if uncredited is None else value - uncredited * alone


class _Lstm(SplitCell):
    """c' = f c + i g with i, f, g shared; h = o tanh(c) with o as it is."""

    letters = "ifg"

    def _known(self, from_x: Tensor, from_h: Tensor) -> list[Tensor]:
        total = from_x + from_h + (self.bias_x + self.bias_h)
        activated = self.shares.activate(total.clone())
        i, f, g = activated.chunk(3, -1)
        start = self.direction.c0
        assert start is not None
        c = scan(f, i * g, start)
        (o,) = gates(self.direction, "o")
        self.bias, self.alone = (self.bias_x + self.bias_h)[None], self.lone()
        return [total, activated, c, c.tanh(), o]

    def step(self, seen: Tensor, from_x: Tensor | None, state: list[Tensor], uncredited: Tensor | None) -> list[Tensor]:
        size = self.size
        total, activated, c, tanh_c, o = torch.split(seen, [3 * size, 3 * size, size, size, size], 1)
        share, of_bias = self.shares.of(self._sum(from_x, state[0]), total, activated, self.bias, self.alone)
        i, f, g = share.chunk(3, 1)
        bias_i, _, bias_g = of_bias.chunk(3, 1)
        part = torch.addcmul(_less(i * g, bias_i * bias_g, uncredited), f, state[1])
        return [(part.tanh() + tanh_c).sub_((c - part).tanh_()).mul_(0.5).mul_(o), part]


class _Gru(SplitCell):
    """h' = (1 - z) n + z h with r, z, n shared and 1 - z as z is; of r q, q = U h + b, what biases alone make joins the
    bias of n.
    """

    letters = "rzn"

    def _known(self, from_x: Tensor, from_h: Tensor) -> list[Tensor]:
        size = self.size
        total = from_x + self.bias_x
        of_h = from_h + self.bias_h
        total[..., : 2 * size] += of_h[..., : 2 * size]
        self.first = replace(self.shares, curved=0)
        total[..., 2 * size :] += total[..., :size].sigmoid() * of_h[..., 2 * size :]
        self.bias = (self.bias_x + self.bias_h)[None, : 2 * size]
        self.alone = self.bias.sigmoid()
        return [total, self.shares.activate(total.clone())]

    def step(self, seen: Tensor, from_x: Tensor | None, state: list[Tensor], uncredited: Tensor | None) -> list[Tensor]:
        two = 2 * self.size
        total, activated = seen.chunk(2, 1)
        from_h = linear(state[0], self.weight_h, None)
        first = from_h[:, :two] if from_x is None else from_h[:, :two] + from_x[:, :two]
        share, of_bias = self.first.of(first, total[:, :two], activated[:, :two], self.bias, self.alone)
        (r, z), (bias_r, bias_z), inner = share.chunk(2, 1), of_bias.chunk(2, 1), self.bias_h[two:]
        part = r * (from_h[:, two:] + inner) - bias_r * inner
        if from_x is not None:
            part = part + from_x[:, two:]
        bias = self.bias_x[two:] + bias_r * inner
        n, bias_n = self.shares.of(part, total[:, two:], activated[:, two:], bias, bias.tanh())
        new = _less((1 - z) * n, (1 - bias_z) * bias_n, uncredited)
        return [torch.addcmul(new, z, state[0])]


class _Rnn(SplitCell):
    """h' = tanh or ReLU of a sum, shared; what biases alone make is their share."""

    letters = "n"

    def _known(self, from_x: Tensor, from_h: Tensor) -> list[Tensor]:
        self.bias, self.alone = (self.bias_x + self.bias_h)[None], self.lone()
        return [from_x + from_h + self.bias, self.direction.hidden]

    def step(self, seen: Tensor, from_x: Tensor | None, state: list[Tensor], uncredited: Tensor | None) -> list[Tensor]:
        total, activated = seen.chunk(2, 1)
        share, of_bias = self.shares.of(self._sum(from_x, state[0]), total, activated, self.bias, self.alone)
        return [_less(share, of_bias, uncredited)]


CELLS: dict[str, type[SplitCell]] = {"lstm": _Lstm, "gru": _Gru, "rnn_tanh": _Rnn, "rnn_relu": _Rnn}


def split_cell(direction: Direction, orderings: str) -> SplitCell:
    """The splitting steps of a direction. Raises UnsupportedError for a cell without them."""
    if direction.cell not in CELLS:
        raise UnsupportedError(
            f"contextual-decomposition has no rule for a cell of kind {direction.cell}: take lrp or a method of removal"
        )
    return CELLS[direction.cell](direction, orderings)
