"""Normalisation: the mean passes relevance on, what divides is constant (Achtibat et al. 2024, rule for normalisation).

A function that measures the length of a vector (a root of a mean of squares, a standard deviation) is therefore a
constant of this text; dividing by it scales. Norms that a module writes out in such functions give the same numbers as
``layer_norm`` and ``rms_norm``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.mode import Call, Mode, Shadow, named
from exegesis.mech.backward.structural import scaled
from exegesis.mech.lrp.functions import Shared
from exegesis.mech.lrp.state import State


@dataclass(frozen=True, eq=False)
class Normalized:
    """y = (x - mean x) / length * weight + bias over the last dimensions, of ``shape``.

    With the length constant this is linear, and x receives what the linear map's transpose returns. It is torch's own
    backward pass at an x that equals its mean everywhere (``blank``, whose mean is ``mean``), where the term of the
    length is zero. The bias keeps its share; if it is an input too (``sloped``), by its slope.
    """

    reads: ClassVar[bool] = False
    shape: Sequence[int]
    inverse: Tensor
    weight: Tensor | None
    bias: Tensor | None
    blank: Tensor
    mean: Tensor
    sloped: bool

    def shared(self, arriving: Tensor, inputs: Sequence[Tensor], output: Tensor | None) -> Shared:
        mask = [True, False, self.sloped]
        passed, _, to_bias = torch.ops.aten.native_layer_norm_backward(
            arriving, self.blank, self.shape, self.mean, self.inverse, self.weight, self.bias, mask
        )
        if self.sloped:
            return Shared([passed, to_bias])
        return Shared([passed], {} if self.bias is None else {"biases": arriving * self.bias})


@dataclass(frozen=True, eq=False)
class Measured:
    """y = x / length * weight over the last dimensions; with the length constant this scales."""

    reads: ClassVar[bool] = False
    inverse: Tensor
    weight: Tensor | None

    def shared(self, arriving: Tensor, inputs: Sequence[Tensor], output: Tensor | None) -> Shared:
        return Shared([(arriving if self.weight is None else arriving * self.weight) * self.inverse])


def layer_norm(state: State, call: Call) -> Tensor:
    """layer_norm."""
    names = ("input", "normalized_shape", "weight", "bias", "eps")
    x, shape, weight, bias, eps = (call.argument(position, name) for position, name in enumerate(names))
    _refuse_live(call, weight, bias)
    return _centred(state, call.mode, x, list(shape), weight, bias, 1e-5 if eps is None else eps)


def norm_at_once(
    state: State, mode: Mode, func: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """layer_norm of one text."""
    if len(args) != 2 or len(options) != 3 or not mode.knows(args[0]) or not torch.is_grad_enabled():
        return None
    weight, bias = options["weight"], options["bias"]
    if any(value is not None and value.requires_grad for value in (weight, bias)):
        return None
    return _centred(state, mode, args[0], list(args[1]), weight, bias, options["eps"])


def _centred(
    state: State, mode: Mode, x: Tensor, shape: list[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    with torch.no_grad():
        y, _, inverse = torch.native_layer_norm(x, shape, weight, bias, eps)
    sloped = [] if bias is None or mode.single is None or not state.exactly else [state.bias(bias)]
    blanks = state.zeros(x), state.zeros(inverse)
    rule = Normalized(shape, inverse, _plain(weight), _plain(bias), *blanks, bool(sloped))
    return _normalized(state, mode, y, rule, x, *sloped)


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
    return _normalized(state, call.mode, y, Measured(inverse, _plain(weight)), x)


def _normalized(state: State, mode: Mode, y: Tensor, rule: Normalized | Measured, *inputs: Tensor) -> Tensor:
    state.attends = True
    rows = mode.shadow(inputs[0]).rows
    result = state.propagated(rule, y, inputs, rows, state.spot("norm"))
    return mode.note(result, Shadow(rows)) if mode.single is None else mode.noted(result)


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
