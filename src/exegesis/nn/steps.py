"""Recurrent cells stepped by hand, forwards and backwards, over what the inputs add to the gates.

The product of inputs and weights is computed once for all uses of a text; a step then costs one product with the state.
Rows end at different times: callers sort them so that the active rows are the first ``n``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.nn.kernels import linear, tanh_
from exegesis.protocols.recurrent import Direction


class Cell(ABC):
    """The step function of one direction of a layer; ``state`` is h, and (h, c) for an LSTM."""

    def __init__(self, direction: Direction) -> None:
        self.direction = direction
        self.weight = direction.weight_hh
        self.turned = direction.weight_hh.t().contiguous()

    def pre(self, inputs: Float[Tensor, "*b d"], *, bias: bool = True) -> Float[Tensor, "*b g"]:
        """The part of the gates that the inputs add, by default with biases."""
        return linear(inputs, self.direction.weight_ih, self._bias() if bias else None)

    def _bias(self) -> Float[Tensor, " g"] | None:
        bias_ih, bias_hh = self.direction.bias_ih, self.direction.bias_hh
        return None if bias_ih is None or bias_hh is None else bias_ih + bias_hh

    @abstractmethod
    def forward(self, pre: Float[Tensor, "n g"], state: list[Tensor]) -> tuple[list[Tensor], Any]:
        """The next state, and the values that ``backward`` needs. ``pre`` may be overwritten."""

    @abstractmethod
    def backward(self, saved: Any, slope: list[Tensor]) -> tuple[Float[Tensor, "n g"], list[Tensor]]:
        """The slopes of ``pre`` and of the old state, from the slope of the new state."""


class LstmStep(Cell):
    """c' = f c + i g, h' = o tanh(c')."""

    def forward(self, pre: Tensor, state: list[Tensor]) -> tuple[list[Tensor], Any]:
        size = self.weight.shape[1]
        z = pre.add_(linear(state[0], self.weight, None))
        z[:, : 2 * size].sigmoid_()
        tanh_(z[:, 2 * size : 3 * size])
        z[:, 3 * size :].sigmoid_()
        i, f, g, o = z.chunk(4, 1)
        c = torch.addcmul(i * g, f, state[1])
        t = tanh_(c.clone())
        return [o * t, c], (z, state[1], t)

    def backward(self, saved: Any, slope: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        z, before, t = saved
        size = self.weight.shape[1]
        i, f, g, o = z.chunk(4, 1)
        dh, dc = slope
        dc = dc + dh * o * (1 - t * t)
        d = torch.cat([dc * g, dc * before, dc * i, dh * t], 1)
        d *= torch.addcmul(z, z, z, value=-1)
        torch.mul(dc * i, 1 - g * g, out=d[:, 2 * size : 3 * size])
        return d, [linear(d, self.turned, None), dc * f]


class GruStep(Cell):
    """h' = (1 - z) n + z h, n = tanh(x + r q)."""

    def _bias(self) -> Float[Tensor, " g"] | None:
        return self.direction.bias_ih  # bias_hh stands inside the reset gate's product

    def forward(self, pre: Tensor, state: list[Tensor]) -> tuple[list[Tensor], Any]:
        size = self.weight.shape[1]
        (h,) = state
        from_h = linear(h, self.weight, self.direction.bias_hh)
        rz = (pre[:, : 2 * size] + from_h[:, : 2 * size]).sigmoid_()
        r, z = rz.chunk(2, 1)
        inner = from_h[:, 2 * size :]
        n = tanh_(torch.addcmul(pre[:, 2 * size :], r, inner))
        return [torch.lerp(n, h, z)], (rz, n, inner, h)

    def backward(self, saved: Any, slope: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        rz, n, inner, before = saved
        r, z = rz.chunk(2, 1)
        (dh,) = slope
        dn = dh * (1 - z) * (1 - n * n)
        dr = dn * inner * (r - r * r)
        dz = dh * (before - n) * (z - z * z)
        back = linear(torch.cat([dr, dz, dn * r], 1), self.turned, None)
        return torch.cat([dr, dz, dn], 1), [torch.addcmul(back, dh, z)]


class RnnStep(Cell):
    """h' = tanh or ReLU of a sum."""

    def forward(self, pre: Tensor, state: list[Tensor]) -> tuple[list[Tensor], Any]:
        summed = pre.add_(linear(state[0], self.weight, None))
        h = tanh_(summed) if self.direction.cell == "rnn_tanh" else summed.relu_()
        return [h], h

    def backward(self, saved: Any, slope: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        d = slope[0] * (1 - saved * saved if self.direction.cell == "rnn_tanh" else (saved > 0))
        return d, [linear(d, self.turned, None)]


def cell_of(direction: Direction) -> Cell:
    """The step function of a direction."""
    return {"lstm": LstmStep, "gru": GruStep}.get(direction.cell, RnnStep)(direction)
