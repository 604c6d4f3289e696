"""The rules of ``deeplift.differences``: the multipliers of each function, so that multipliers times Δx sum to Δy.

A maximum gives all of Δy to the place of the more extreme of the two, of text and baseline: there Δx has the sign of Δy
and is at least as large, so its multiplier lies between 0 and 1, and all others are zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.mode import Call, Rule, Shadow, named
from exegesis.mech.backward.structural import divided, scaled
from exegesis.mech.backward.structural import written as written_natively
from exegesis.mech.deeplift.multipliers import carried, logarithmic_mean, middle, multiplier


def baseline_of(call: Call, value: Any) -> Any:
    """The value at the baseline; a constant is itself."""
    if not call.live(value):
        return value
    baseline = call.shadow(value).baseline
    if baseline is None:
        raise UnsupportedError(
            f"the inputs of {named(call.func)} cannot be followed to the baseline: build them without writing into "
            "tensors"
        )
    return baseline


def note(call: Call, value: Tensor, baseline: Tensor) -> Tensor:
    """Remember a new tensor's value at the baseline. The texts of its rows are not needed here."""
    rows = torch.zeros((), dtype=torch.int32, device=value.device)
    return call.mode.note(value, Shadow(rows, baseline=baseline))


def at_baseline(call: Call) -> Any:
    """The result of the call with every live tensor replaced by its value at the baseline."""
    args, kwargs = call.swapped(lambda value: baseline_of(call, value))
    with torch.no_grad():
        return call.func(*args, **kwargs)


def elementwise(call: Call) -> Any:
    """Elementwise functions, whose parameters are constants: Δy / Δx."""
    x = call.argument(0, "input")
    rest, options = call.args[1:], {key: value for key, value in call.kwargs.items() if key != "input"}
    if any(call.live(value) for value in (*rest, *options.values())) or not call.live(x):
        raise UnsupportedError(f"the module computes with {named(call.func)} whose parameters depend on the words")
    with torch.no_grad():
        y, y0 = call.native(), at_baseline(call)
    x0 = baseline_of(call, x)
    if y.shape != x.shape:  # a parameter of more dimensions
        x, x0 = call.mode.run(torch.Tensor.expand, x, y.shape), x0.expand(y.shape)
    factor = multiplier(lambda values: call.func(values, *rest, **options), x.detach(), x0, y, y0)
    return note(call, carried(x * factor, y), y0)


def linear_map(call: Call) -> Any:
    """Linear and convolution layers, whose weights are constants: linear in the words."""
    if any(call.live(call.argument(position, name)) for position, name in ((1, "weight"), (2, "bias"))):
        raise UnsupportedError(f"the module computes with {named(call.func)} whose weights depend on the words")
    return note(call, call.native(), at_baseline(call))


def bilinear(function: Callable[[Tensor, Tensor], Tensor]) -> Rule:
    """Products of two tensors: the multiplier of each factor is the mean of the other over text and baseline."""

    def rule(call: Call) -> Any:
        a, b = call.args[:2] if len(call.args) > 1 else (call.args[0], *call.kwargs.values())
        if not (call.live(a) and call.live(b)):
            return scaled(call) if call.name == "mul" else note(call, call.native(), at_baseline(call))
        a0, b0 = baseline_of(call, a), baseline_of(call, b)
        surrogate = function(a, middle(b, b0).detach()) + function(middle(a, a0).detach(), b)
        with torch.no_grad():
            value, value0 = function(a, b), function(a0, b0)
        return note(call, carried(surrogate, value), value0)

    return rule


def reversed_matmul(a: Tensor, b: Tensor) -> Tensor:
    """``b @ a``."""
    return torch.matmul(b, a)


def einsum(call: Call) -> Any:
    """einsum of at most two live operands."""
    equation, *operands = call.args
    operands = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    if not isinstance(equation, str) or sum(map(call.live, operands)) > 2:
        raise UnsupportedError(
            "the module computes with torch.einsum of three tensors or more that depend on the words"
        )
    live = [number for number, operand in enumerate(operands) if call.live(operand)]
    if len(live) == 1:
        return note(call, call.native(), at_baseline(call))

    def contracted(a: Tensor, b: Tensor) -> Tensor:
        parts = list(operands)
        parts[live[0]], parts[live[1]] = a, b
        return torch.einsum(equation, *parts)

    factors = tuple(operands[number] for number in live)
    return bilinear(contracted)(Call(call.mode, call.func, "einsum", factors, {}, factors))


def divided_by_live(call: Call) -> Any:
    """div by a live tensor: times its reciprocal, which is elementwise; by a constant: linear."""
    a, b = call.argument(0, "input"), call.argument(1, "other")
    if not call.live(b):
        return divided(call)
    if call.kwargs.get("rounding_mode"):
        raise UnsupportedError("the module rounds a quotient that depends on the words, which has no rule")
    return call.mode.run(torch.mul, call.mode.run(torch.reciprocal, b), a)


def softmax(call: Call) -> Any:
    """softmax s = exp(s - log Σ exp s): the multiplier of exp is the logarithmic mean L of the weights, and the
    difference of log Σ exp s is exactly Σ L_j Δs_j / Σ L_j (the Sato-Vartia index).
    """
    s, dim = call.argument(0, "input"), call.argument(1, "dim", -1)
    if dim is None:
        raise UnsupportedError("the module calls softmax without a dimension: name it (dim=-1)")
    with torch.no_grad():
        value, value0 = call.native(), at_baseline(call)
        logs, logs0 = torch.log_softmax(s, dim), torch.log_softmax(baseline_of(call, s), dim)
        mean = logarithmic_mean(logs, logs0)
        share = mean / mean.sum(dim, keepdim=True)
    surrogate = s - (share * s).sum(dim, keepdim=True)  # its slopes count, not its value
    if call.name == "softmax":
        surrogate = surrogate * mean
    surrogate = surrogate.to(value.dtype)
    return note(call, carried(surrogate, value), value0)


def written(call: Call) -> None:
    """``x[places] = values``, at the text and at the baseline."""
    target, places, value = call.args
    base = (baseline_of(call, target) if call.live(target) else target.detach()).clone()
    base[places] = baseline_of(call, value)
    written_natively(call)
    note(call, target, base)


def refused(call: Call) -> Any:
    """Functions without a rule that sums to the difference."""
    raise UnsupportedError(
        f"the module computes with {named(call.func)}, which has no rule that sums to the difference from a baseline: "
        "take integrated-gradients"
    )


def extremum(call: Call) -> Any:
    """The largest or smallest element along dimensions."""
    x, dim = call.argument(0, "input"), call.argument(1, "dim", call.kwargs.get("axis"))
    if isinstance(dim, Tensor):
        return larger(call)
    native = call.native()
    dims = list(range(x.ndim)) if dim is None else [dim % x.ndim] if isinstance(dim, int) else [d % x.ndim for d in dim]
    sign = -1.0 if "min" in call.name else 1.0
    flat, flat0 = (_merged_last(value, dims) * sign for value in (x, baseline_of(call, x)))
    y, y0 = (value if isinstance(value, Tensor) else value[0] for value in (native, at_baseline(call)))
    chosen = _winner(flat, flat0, flat.argmax(-1, True), flat0.argmax(-1, True)) * sign
    result = note(call, carried(chosen.reshape(y.shape), y), y0)
    return result if isinstance(native, Tensor) else type(native)((result, *native[1:]))


def _merged_last(value: Tensor, dims: Sequence[int]) -> Tensor:
    """The dimensions ``dims`` merged into one, at the end."""
    rest = [dim for dim in range(value.ndim) if dim not in dims]
    return value.permute(*rest, *dims).reshape(*(value.shape[dim] for dim in rest), -1)


def _winner(flat: Tensor, flat0: Tensor, place: Tensor, place0: Tensor) -> Tensor:
    """The elements that receive all of Δy, times their multipliers; the maxima are at ``place`` and ``place0``."""
    y, y0 = flat.detach().gather(-1, place), flat0.gather(-1, place0)
    pick = torch.where(y >= y0, place, place0)
    chosen = flat.gather(-1, pick)
    step = chosen.detach() - flat0.gather(-1, pick)
    factor = torch.where(step == 0, 1.0, (y - y0) / torch.where(step == 0, 1.0, step)).nan_to_num(0.0, 0.0, 0.0)
    return chosen * factor


def larger(call: Call) -> Any:
    """maximum and minimum of two tensors."""
    operands = call.argument(0, "input"), call.argument(1, "other")
    with torch.no_grad():
        shape = torch.maximum(*operands).shape
    parts = [call.mode.run(torch.Tensor.expand, value, shape) for value in operands]
    both = call.mode.run(torch.stack, parts)
    return call.mode.run(torch.amin if "min" in call.name else torch.amax, both, 0)


def max_pooled(number: int) -> Rule:
    """Max pooling over windows of the last dimensions."""

    def rule(call: Call) -> Any:
        x, function = call.argument(0, "input"), getattr(torch.nn.functional, f"{call.name}_with_indices")
        options = {key: value for key, value in call.kwargs.items() if key not in ("input", "return_indices")}
        with torch.no_grad():
            (y, place), (y0, place0) = (
                function(value, *call.args[1:], **options) for value in (x, baseline_of(call, x))
            )
        flat = (value.flatten(-number) for value in (x, baseline_of(call, x), place, place0))
        chosen = _winner(*flat).reshape(y.shape)
        result = note(call, carried(chosen, y), y0)
        return (result, place) if call.kwargs.get("return_indices") else result

    return rule


def running_product(call: Call) -> Any:
    """cumprod: each product is the one before it times one more factor."""
    return call.mode.run(torch.stack, _running_products(call), call.argument(1, "dim"))


def product(call: Call) -> Any:
    """prod along one dimension, or of all elements: one factor after the other."""
    dim, keep = call.argument(1, "dim"), bool(call.argument(2, "keepdim", False))
    last = _running_products(call)[-1]
    return call.mode.run(torch.unsqueeze, last, dim) if keep else last


def _running_products(call: Call) -> list[Any]:
    """Products of the first factors along a dimension, one more factor each."""
    x, dim, run = call.argument(0, "input"), call.argument(1, "dim"), call.mode.run
    if call.kwargs.get("dtype") is not None:
        raise UnsupportedError(f"the module computes with {named(call.func)} in another type: convert before it")
    if dim is None:
        x, dim = run(torch.flatten, x), 0
    products: list[Any] = []
    for factor in run(torch.unbind, x, dim):
        products.append(run(torch.mul, products[-1], factor) if products else factor)
    return products
