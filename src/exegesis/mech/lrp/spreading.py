"""Biases shared out: ``lrp``'s ``bias="spread"`` for modules made of linear layers, sums of two, products, activations.

The bias of a map ``z_s = Σ_j a_j w_sj + b_s`` and what ε adds to its denominator are shared evenly by its n inputs:

    R_j = Σ_s (a_j w_sj + (b_s + ε_s) / n) / (z_s + ε_s) R_s

so nothing is kept by biases, and an input receives its part even where it is exactly zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.ledger import Book
from exegesis.mech.backward.mode import Call, Rule, Shadow, named
from exegesis.mech.backward.structural import STRUCTURE
from exegesis.mech.lrp.cells import away
from exegesis.mech.lrp.functions import apart, weighed

if TYPE_CHECKING:
    from exegesis.mech.lrp.propagate import Propagation

OTHERS = (
    "conv1d conv2d matmul mm bmm mv rmatmul einsum lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell "
    "rnn_relu_cell"
)


class SpreadMap(torch.autograd.Function):
    """A linear layer."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, z: Tensor, epsilon: float, book: Book, name: str
    ) -> Tensor:
        ctx.save_for_backward(x, weight, z)
        ctx.bias, ctx.epsilon, ctx.book, ctx.name = bias, epsilon, book, name
        return z.clone()

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        (grad,), (x, weight, z) = given, ctx.saved_tensors
        z = apart(z)
        epsilon = away(z, ctx.epsilon)
        part = grad * (z / (z + epsilon))
        ctx.book.node(ctx.name, z * grad)
        extra = epsilon if ctx.bias is None else ctx.bias + epsilon
        each = (extra * part).sum(-1, keepdim=True) / x.shape[-1]
        return part @ weight + each / apart(x), None, None, None, None, None, None


class SpreadSum(torch.autograd.Function):
    """A sum or difference (``sign`` -1), of whose two terms each receives half of what ε adds."""

    @staticmethod
    def forward(ctx: Any, one: Tensor, two: Tensor, sign: int, epsilon: float, book: Book, name: str) -> Tensor:
        ctx.save_for_backward(one, two)
        ctx.sign, ctx.epsilon, ctx.book, ctx.name = sign, epsilon, book, name
        return one + sign * two

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        (grad,), (one, two) = given, ctx.saved_tensors
        z = apart(one + ctx.sign * two)
        epsilon = away(z, ctx.epsilon) * ((one != 0) & (two != 0))  # where a term is exactly zero there is no sum
        part = grad * (z / (z + epsilon))
        ctx.book.node(ctx.name, z * grad)
        shares = [
            (part * (sign + epsilon / 2 / apart(term))).sum_to_size(term.shape)
            for sign, term in ((1, one), (ctx.sign, two))
        ]
        return (*shares, None, None, None, None)


def spreading(used: Propagation) -> dict[str, Rule]:
    """The rules that differ from those of biases that keep their share."""

    def linear(call: Call) -> Tensor:
        z, _, rows = weighed(call)
        x, weight, bias = (call.argument(place, name) for place, name in enumerate(("input", "weight", "bias")))
        given = (x, weight.detach(), None if bias is None else bias.detach(), z.detach())
        found: Tensor = SpreadMap.apply(*given, used.shares.epsilon, used.book, used.name("linear"))  # type: ignore[no-untyped-call]
        return call.mode.note(found, Shadow(rows))

    def total(call: Call) -> Any:
        one, two = call.argument(0, "input"), call.argument(1, "other")
        if not (call.live(one) and call.live(two)) or call.kwargs.get("alpha", 1) != 1:
            return used.sum(call)
        rows = call.shadow(STRUCTURE["add"](call)).rows
        one, two = (two, one) if call.name == "rsub" else (one, two)
        sign = 1 if call.name == "add" else -1
        found: Tensor = SpreadSum.apply(one, two, sign, used.shares.epsilon, used.book, used.name("sum"))  # type: ignore[no-untyped-call]
        return call.mode.note(found, Shadow(rows))

    def refuse(call: Call) -> Any:
        raise UnsupportedError(
            f"bias='spread' is defined for recurrent layers that are seen through, linear layers and sums, and the "
            f"module computes with {named(call.func)}: take bias='keep'"
        )

    return {
        "linear": linear,
        **dict.fromkeys(("add", "sub", "rsub"), total),
        **dict.fromkeys(OTHERS.split(), refuse),
    }
