"""Normalisation: the mean passes relevance on, what divides is constant (Achtibat et al. 2024, rule for normalisation).

A function that measures the length of a vector (a root of a mean of squares, a standard deviation) is therefore a
constant of this text; dividing by it scales. Norms that a module writes out in such functions give the same numbers as
``layer_norm`` and ``rms_norm``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.mode import Call, Shadow, named
from exegesis.mech.backward.structural import scaled
from exegesis.mech.lrp.functions import Shared
from exegesis.mech.lrp.state import State


@dataclass(frozen=True, eq=False)
class Normalized:
    """y = (x - mean x) / length * weight + bias over the last ``dims``; without ``centred``, no mean is taken away.

    With the length constant this is linear, and x receives what the linear map's transpose returns. The bias keeps its
    share.
    """

    dims: Sequence[int]
    inverse: Tensor
    weight: Tensor | None
    bias: Tensor | None
    centred: bool

    def shared(self, arriving: Tensor, inputs: Sequence[Tensor], output: Tensor) -> Shared:
        passed = (arriving if self.weight is None else arriving * self.weight) * self.inverse
        if self.centred:
            passed = passed - passed.mean(list(self.dims), keepdim=True)
        kept = {} if self.bias is None else {"biases": arriving * self.bias}
        return Shared([passed.to(inputs[0].dtype)], kept)


def layer_norm(state: State, call: Call) -> Tensor:
    """layer_norm."""
    names = ("input", "normalized_shape", "weight", "bias", "eps")
    x, shape, weight, bias, eps = (call.argument(position, name) for position, name in enumerate(names))
    _refuse_live(call, weight, bias)
    with torch.no_grad():
        y, _, inverse = torch.native_layer_norm(x, list(shape), weight, bias, 1e-5 if eps is None else eps)
    rule = Normalized(range(-len(shape), 0), inverse, _plain(weight), _plain(bias), True)
    return _normalized(state, call, x, y, rule)


def rms_norm(state: State, call: Call) -> Tensor:
    """rms_norm."""
    names = ("input", "normalized_shape", "weight", "eps")
    x, shape, weight, eps = (call.argument(position, name) for position, name in enumerate(names))
    _refuse_live(call, weight)
    dims = range(-len(shape), 0)
    with torch.no_grad():
        y = call.native()
        eps = torch.finfo(x.dtype).eps if eps is None else eps
        inverse = (x.square().mean(list(dims), keepdim=True) + eps).rsqrt()
    return _normalized(state, call, x, y, Normalized(dims, inverse, _plain(weight), None, False))


def _normalized(state: State, call: Call, x: Tensor, y: Tensor, rule: Normalized) -> Tensor:
    state.attends = True
    rows = call.shadow(x).rows
    return call.mode.note(state.propagated(rule, y, (x,), rows, state.spot("norm")), Shadow(rows))


def _plain(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.detach()


def _refuse_live(call: Call, *values: object) -> None:
    if any(call.live(value) for value in values):
        raise UnsupportedError(f"the module computes with {named(call.func)} whose weights depend on the words")


def length(state: State, call: Call) -> Any:
    """Standard deviations, variances, Euclidean norms, and one over a root: constants of this text."""
    state.attends = True
    with torch.no_grad():
        return call.native()


def power(activation: Callable[[State, Call], Any]) -> Callable[[State, Call], Any]:
    """pow: one over a root of x is a length, any other power with a constant exponent is an activation.

    The quotient of a power n and its base is its slope over n.
    """

    def rule(state: State, call: Call) -> Any:
        exponent = call.argument(1, "exponent", 2)
        plain = isinstance(exponent, int | float)
        if plain and exponent < 0:
            return length(state, call)
        if not (plain and exponent >= 1 and state.options.exact):
            return activation(state, call)
        y, x = call.native(), call.argument(0, "input")
        y.register_hook(lambda arriving: None if arriving is None else arriving / exponent)
        shadow = call.shadow(x)
        return call.mode.note(y, Shadow(shadow.rows, x, source=x if shadow.source is None else shadow.source))

    return rule


def divided(state: State, call: Call) -> Any:
    """div: by a constant, or by the length of a vector, which is one."""
    value, by = call.argument(0, "input"), call.argument(1, "other")
    if call.name in ("rdiv", "rtruediv"):
        value, by = by, value
    if call.name == "reciprocal":
        value, by = 1.0, value
    if not call.live(by):
        return scaled(call)
    if not call.shadow(by).length:
        raise UnsupportedError(
            f"the module divides by a tensor that depends on the words ({named(call.func)}), which has no rule unless "
            "it is a vector's length: divide by a constant, or take torch.softmax"
        )
    state.attends = True
    return call.mode.run(torch.div, value, by.detach()) if call.live(value) else value / by.detach()


def normalize(state: State, call: Call) -> Any:
    """normalize: divided by the vector's length, or by ``eps`` if that is larger."""
    names = (("input", None), ("p", 2.0), ("dim", 1), ("eps", 1e-12))
    x, order, dim, eps = (call.argument(position, name, default) for position, (name, default) in enumerate(names))
    state.attends = True
    by = x.detach().norm(order, dim, keepdim=True).clamp_min(eps)
    return call.mode.run(torch.div, x, by)


def cosine(state: State, call: Call) -> Any:
    """cosine_similarity: the product of both vectors, each divided by its length."""
    names = (("x1", None), ("x2", None), ("dim", 1), ("eps", 1e-8))
    first, second, dim, eps = (call.argument(position, name, default) for position, (name, default) in enumerate(names))
    state.attends = True
    run = call.mode.run
    units = [
        run(torch.div, value, value.detach().norm(2, dim, keepdim=True).clamp_min(eps)) for value in (first, second)
    ]
    return run(torch.sum, run(torch.mul, *units), dim)
