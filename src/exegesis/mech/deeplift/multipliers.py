"""Multipliers of DeepLIFT's rescale rule (Shrikumar et al. 2017, Sec. 3.5.2): Δy / Δx between text and baseline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.nn.kernels import tanh_

Function = Callable[[Tensor], Tensor]
Values = Float[Tensor, "*shape"]


class Carried(torch.autograd.Function):
    """``value``, with the slopes of ``surrogate``."""

    @staticmethod
    def forward(ctx: Any, surrogate: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        return given[0], None


def carried(surrogate: Values, value: Values) -> Values:
    """``value``, with the slopes of ``surrogate``."""
    result: Tensor = Carried.apply(surrogate, value.detach())  # type: ignore[no-untyped-call]
    return result


def multiplier(function: Function, x: Values, x0: Values, y: Values, y0: Values) -> Values:
    """Δy / Δx, element by element, for y = function(x).

    If x is so near to x0 that the quotient loses digits, it is the slope in the middle, provided that this explains Δy
    to rounding (beside a kink it does not, and a function with kinks has no rounding to lose digits to).
    """
    near = 3 * torch.finfo(x.dtype).eps ** (1 / 3)
    step, rise = torch.where(x == x0, 0.0, x - x0), torch.where(y == y0, 0.0, y - y0)
    close = step.abs() < near
    quotient = rise / torch.where(step == 0, 1.0, step)
    if not bool(close.any()):
        return quotient
    with torch.enable_grad():
        middle = torch.where(x == x0, x, (x + x0) / 2).detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(function(middle).sum(), middle)
    slope = slope.nan_to_num(0.0, 0.0, 0.0)
    rounding = 4 * torch.finfo(x.dtype).eps * (y.abs() + y0.abs())
    smooth = (rise - slope * step).abs() <= rounding.nan_to_num(0.0, 0.0, 0.0)
    return torch.where(close & (smooth | (step == 0)), slope, quotient)


def of_tanh(x: Values, x0: Values, y: Values, y0: Values) -> Values:
    """``multiplier`` of y = tanh x: tanh x - tanh x0 = tanh(x - x0) (1 - y y0), which loses no digits."""
    return _tanh_over(x - x0) * (1 - y * y0)


def of_sigmoid(x: Values, x0: Values, y: Values, y0: Values) -> Values:
    """``multiplier`` of y = σ(x): σ(x) - σ(x0) = tanh((x - x0) / 2) (y (1 - y0) + y0 (1 - y))."""
    return _tanh_over((x - x0) / 2) * (y * (1 - y0) + y0 * (1 - y)) / 2


def _tanh_over(step: Values) -> Values:
    """tanh x / x."""
    none = step == 0
    return torch.where(none, 1.0, tanh_(step.clone()) / step.masked_fill(none, 1.0))


def logarithmic_mean(first: Values, second: Values) -> Values:
    """(p - q) / (log p - log q) for log p = ``one`` and log q = ``two``; zero if p or q is zero."""
    step = first - second
    small = step.abs() < 1.0
    series = torch.where(step == 0, 1.0, torch.expm1(step) / torch.where(step == 0, 1.0, step)) * second.exp()
    plain = (first.exp() - second.exp()) / torch.where(small, 1.0, step)
    return torch.where(small, series, plain).nan_to_num(0.0, 0.0, 0.0)


def middle(first: Tensor, second: Tensor) -> Tensor:
    """The mean of two tensors."""
    return (first + second) / 2
