"""The autograd Functions of relevance propagation: what flows backwards is relevance over activation.

A function y of x hands back, in the place of its slope, what makes ``x * slope`` the relevance of x. What a constant, a
bias or ε keeps is booked for the text that ``rows`` names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.mech.backward.ledger import Book
from exegesis.mech.backward.mode import Call, named
from exegesis.mech.backward.structural import reduced
from exegesis.mech.lrp.cells import away

ZERO = "a neuron that received relevance is exactly zero and cannot share it: take epsilon > 0 and stabilizer > 0"


@dataclass(frozen=True)
class Shares:
    """How relevance is shared: ``epsilon``, ``product``, ``stabilizer`` as in ``mech.rules.Rules``.

    ``linear`` is the rule of linear and convolution layers: epsilon, gamma (with ``gamma``) or alpha-beta. ``spread``:
    biases are shared out (``mech.spreading``).
    """

    epsilon: float
    product: str
    stabilizer: float
    linear: str = "epsilon"
    gamma: float = 0.25
    alpha: float = 2.0
    beta: float = 1.0
    spread: bool = False


def apart(value: Tensor) -> Tensor:
    """The value, no nearer to zero than what can be divided by and multiplied with again without loss.

    Relevance R of a neuron that is exactly zero travels as R / tiny and becomes R again where a sum takes it in.
    """
    tiny = {torch.float64: 1e-150, torch.float32: 1e-18, torch.bfloat16: 1e-18}.get(value.dtype, 1e-4)
    return torch.where(value.abs() < tiny, away(value, tiny), value)


def carried(relevance: Tensor) -> Tensor:
    """Where there is relevance, be it that of an activation that is exactly zero (tiny as ``apart`` makes it)."""
    return relevance.abs() > 1e-100 if relevance.dtype == torch.float64 else relevance.abs() > 1e-14


class Kept(torch.autograd.Function):
    """A constant beside live values: what it receives is booked."""

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, value: Tensor, rows: Tensor, name: str, book: Book) -> Tensor:
        ctx.value, ctx.rows, ctx.name, ctx.book = value, rows, name, book
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        (grad,) = given
        amount = apart(ctx.value) * grad
        ctx.book.book(ctx.name, torch.where(carried(amount), amount, 0.0), ctx.rows)
        return None, None, None, None, None


class Stabilized(torch.autograd.Function):
    """The epsilon rule on top of a native sum z = Σ a w + b, where it ``counts`` as one."""

    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        bias: Tensor | None,
        rows: Tensor,
        epsilon: float,
        book: Book,
        name: str,
        counts: Tensor | None,
    ) -> Tensor:
        ctx.save_for_backward(z)
        ctx.counts = counts
        ctx.bias, ctx.rows, ctx.epsilon, ctx.book, ctx.name = bias, rows, epsilon, book, name
        return z.clone()

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        (grad,), z = given, apart(ctx.saved_tensors[0])
        epsilon = away(z, ctx.epsilon) if ctx.counts is None else away(z, ctx.epsilon) * ctx.counts
        idle = grad == 0  # also where z is infinite, behind a mask
        part = torch.where(idle, 0.0, grad * (z / (z + epsilon)))
        ctx.book.node(ctx.name, torch.where(idle, 0.0, z * grad))
        ctx.book.book("absorbed by epsilon", epsilon * part, ctx.rows)
        if ctx.bias is not None:
            ctx.book.book("biases", ctx.bias * part, ctx.rows)
        return part, None, None, None, None, None, None


class Activation(torch.autograd.Function):
    """An elementwise function hands its relevance on as it is: the quotient output / input, its limit at zero."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, func: Callable[[Tensor], Tensor], exact: bool) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.func, ctx.exact = func, exact
        return y.clone()

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        (grad,), (x, y) = given, ctx.saved_tensors
        stuck = (x == 0) & (y != 0) & (grad != 0)
        if ctx.exact and bool(stuck.any()):
            raise UsageError(ZERO)
        quotient = y / apart(x)
        if bool(((x == 0) & (y == 0)).any()):
            with torch.enable_grad():
                at = x.detach().requires_grad_(True)
                (slope,) = torch.autograd.grad(ctx.func(at).sum(), at)
            quotient = torch.where((x == 0) & (y == 0), slope, quotient)
        return torch.where(grad == 0, 0.0, grad * quotient), None, None, None


class Product(torch.autograd.Function):
    """Table 11.1, prop and abs: shares in proportion to the values before activation."""

    @staticmethod
    def forward(
        ctx: Any, one: Tensor, two: Tensor, before: tuple[Tensor, Tensor], rows: Tensor, shares: Shares, book: Book
    ) -> Tensor:
        ctx.save_for_backward(one, two)
        ctx.before, ctx.rows, ctx.shares, ctx.book = before, rows, shares, book
        return one * two

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        (grad,), (one, two) = given, ctx.saved_tensors
        first, second = (part.abs() if ctx.shares.product == "abs" else part for part in ctx.before)
        total = first + second
        lost = away(total, ctx.shares.stabilizer)
        below, arriving = total + lost, one * two * grad
        if bool(((below == 0) & (arriving != 0)).any()):
            raise UsageError(ZERO)
        factor = torch.where(below == 0, 0.0, grad / torch.where(below == 0, 1.0, below))
        ctx.book.book("absorbed by epsilon", lost * factor * one * two, ctx.rows)
        to_one, to_two = first * factor * two, second * factor * one
        return to_one.sum_to_size(one.shape), to_two.sum_to_size(two.shape), None, None, None, None


def weighed(call: Call) -> tuple[Tensor, Tensor | None, Int[Tensor, "*shape"]]:
    """A linear or convolution layer's result, its bias as it stands in there, and its rows."""
    x, weight, bias = (call.argument(place, name) for place, name in enumerate(("input", "weight", "bias")))
    if call.live(weight) or call.live(bias):
        raise UnsupportedError(
            f"the module computes with {named(call.func)} whose weights depend on the words: no rule"
        )
    z = call.native()
    space = {"linear": 0, "conv1d": 1, "conv2d": 2}[call.name]
    rows = reduced(call.shadow(x).rows, range(-1 - space, 0))
    shown = None if bias is None else bias.detach().reshape(-1, *[1] * space)
    return z, shown, rows.expand(z.shape)
