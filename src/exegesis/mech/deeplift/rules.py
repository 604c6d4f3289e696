"""The rules of ``mech.differences``: what each function hands back, so that multipliers times Δx sum to Δy exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.mode import Call, Rule, Shadow, named
from exegesis.mech.backward.structural import STRUCTURE
from exegesis.mech.deeplift.multipliers import carried, logarithmic_mean, middle, multiplier


def other(call: Call, value: Any) -> Any:
    """The value at the baseline; of a constant the constant itself."""
    if not call.live(value):
        return value
    found = call.shadow(value).other
    if found is None:
        raise UnsupportedError(
            f"what {named(call.func)} reads cannot be followed to the baseline: build it without writing into tensors"
        )
    return found


def note(call: Call, value: Tensor, at_baseline: Tensor) -> Tensor:
    """Remember what a new tensor is at the baseline. Which text it belongs to is not asked for here."""
    return call.mode.note(value, Shadow(torch.zeros((), dtype=torch.int32, device=value.device), other=at_baseline))


def elsewhere(call: Call) -> Any:
    """The call with every live tensor as it is at the baseline."""
    args, kwargs = call.swapped(lambda value: other(call, value))
    with torch.no_grad():
        return call.func(*args, **kwargs)


def elementwise(call: Call) -> Any:
    x = call.argument(0, "input")
    rest, options = call.args[1:], {key: value for key, value in call.kwargs.items() if key != "input"}
    if any(call.live(value) for value in (*rest, *options.values())) or not call.live(x):
        raise UnsupportedError(f"the module computes with {named(call.func)} whose parameters depend on the words")
    with torch.no_grad():
        y, y0 = call.native(), elsewhere(call)
    x0 = other(call, x)
    if y.shape != x.shape:  # a parameter of more dimensions
        x, x0 = call.mode.run(torch.Tensor.expand, x, y.shape), x0.expand(y.shape)
    factor = multiplier(lambda at: call.func(at, *rest, **options), x.detach(), x0, y, y0)
    return note(call, carried(x * factor, y), y0)


def linear_map(call: Call) -> Any:
    """Linear and convolution layers: linear in the words where weights are constants."""
    if any(call.live(call.argument(place, name)) for place, name in ((1, "weight"), (2, "bias"))):
        raise UnsupportedError(f"the module computes with {named(call.func)} whose weights depend on the words")
    return note(call, call.native(), elsewhere(call))


def bilinear(function: Callable[[Tensor, Tensor], Tensor]) -> Rule:
    """Products of two tensors: each factor gets the mean of the other over text and baseline."""

    def rule(call: Call) -> Any:
        one, two = call.args[:2] if len(call.args) > 1 else (call.args[0], *call.kwargs.values())
        if not (call.live(one) and call.live(two)):
            if call.name == "mul":
                return NotImplemented
            return note(call, call.native(), elsewhere(call))
        first, second = other(call, one), other(call, two)
        surrogate = function(one, middle(two, second).detach()) + function(middle(one, first).detach(), two)
        with torch.no_grad():
            value, at_baseline = function(one, two), function(first, second)
        return note(call, carried(surrogate, value), at_baseline)

    return rule


def reversed_matmul(one: Tensor, two: Tensor) -> Tensor:
    return torch.matmul(two, one)


def einsum(call: Call) -> Any:
    equation, *given = call.args
    given = list(given[0]) if len(given) == 1 and isinstance(given[0], list | tuple) else given
    if not isinstance(equation, str) or sum(map(call.live, given)) > 2:
        raise UnsupportedError(
            "the module computes with torch.einsum of three tensors or more that depend on the words"
        )
    places = [place for place, value in enumerate(given) if call.live(value)]
    if len(places) == 1:
        return note(call, call.native(), elsewhere(call))

    def product(one: Tensor, two: Tensor) -> Tensor:
        parts = list(given)
        parts[places[0]], parts[places[1]] = one, two
        return torch.einsum(equation, *parts)

    return bilinear(product)(Call(call.mode, call.func, "einsum", tuple(given[place] for place in places), {}))


def divided(call: Call) -> Any:
    """By a live tensor: times its reciprocal, which is elementwise."""
    one, two = call.argument(0, "input"), call.argument(1, "other")
    if not call.live(two):
        return NotImplemented
    if call.kwargs.get("rounding_mode"):
        raise UnsupportedError("the module rounds a quotient that depends on the words, which has no rule")
    return call.mode.run(torch.mul, call.mode.run(torch.reciprocal, two), one)


def softmax(call: Call) -> Any:
    """softmax s = exp(s - log Σ exp s): the exponential's multiplier is the logarithmic mean L of the weights, and the
    logarithm of the sum is Σ L_j s_j / Σ L_j apart, exactly (the Sato-Vartia index).
    """
    s, dim = call.argument(0, "input"), call.argument(1, "dim", -1)
    if dim is None:
        raise UnsupportedError("the module calls softmax without a dimension: name it (dim=-1)")
    with torch.no_grad():
        value, at_baseline = call.native(), elsewhere(call)
        logs, logs0 = torch.log_softmax(s, dim), torch.log_softmax(other(call, s), dim)
        mean = logarithmic_mean(logs, logs0)
        share = mean / mean.sum(dim, keepdim=True)
    surrogate = s - (share * s).sum(dim, keepdim=True)  # its slopes count, not its value
    if call.name == "softmax":
        surrogate = surrogate * mean
    surrogate = surrogate.to(value.dtype)
    return note(call, carried(surrogate, value), at_baseline)


def layer_norm(call: Call) -> Any:
    """Centred (linear), times 1 / sqrt(mean square + eps) (elementwise), weighed (linear)."""
    x, shape, weight, bias, eps = (
        call.argument(place, name, default)
        for place, (name, default) in enumerate(
            (("input", None), ("normalized_shape", None), ("weight", None), ("bias", None), ("eps", 1e-5))
        )
    )
    dims, run = list(range(-len(shape), 0)), call.mode.run
    centred = run(torch.sub, x, run(torch.mean, x, dims, True))
    spread = run(torch.rsqrt, run(torch.add, run(torch.mean, run(torch.square, centred), dims, True), eps))
    found = run(torch.mul, centred, spread)
    found = found if weight is None else run(torch.mul, found, weight.detach())
    return found if bias is None else run(torch.add, found, bias.detach())


def rms_norm(call: Call) -> Any:
    """Times 1 / sqrt(mean square + eps) (elementwise), weighed (linear)."""
    x, shape, weight, eps = (
        call.argument(place, name) for place, name in enumerate(("input", "normalized_shape", "weight", "eps"))
    )
    dims, run = list(range(-len(shape), 0)), call.mode.run
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    spread = run(torch.rsqrt, run(torch.add, run(torch.mean, run(torch.square, x), dims, True), eps))
    found = run(torch.mul, x, spread)
    return found if weight is None else run(torch.mul, found, weight.detach())


def written(call: Call) -> None:
    """``x[places] = values``: structural, with the same done at the baseline."""
    target, places, value = call.args
    base = (other(call, target) if call.live(target) else target.detach()).clone()
    base[places] = other(call, value)
    STRUCTURE["setitem"](call)
    note(call, target, base)


def added_product(call: Call) -> Any:
    """addmm, baddbmm, addcmul and lerp as the products that they stand for."""
    run, options = call.mode.run, call.kwargs
    start, one, two = (*call.args, *(options[key] for key in options if key not in ("alpha", "beta", "value")))[:3]
    if call.name == "lerp":
        return run(torch.add, start, run(torch.mul, run(torch.sub, one, start), two))
    product = run(torch.mul if call.name == "addcmul" else torch.matmul, one, two)
    amount, keep = options.get("alpha", options.get("value", 1)), options.get("beta", 1)
    product = product if amount == 1 else run(torch.mul, product, amount)
    return run(torch.add, start if keep == 1 else run(torch.mul, start, keep), product)


def refused(call: Call) -> Any:
    raise UnsupportedError(
        f"the module computes with {named(call.func)}, which has no rule that sums to the difference from a baseline: "
        "take integrated-gradients"
    )
