"""Maxima and minima between a text and its baseline.

All of Δy goes to the place where the more extreme of the two, of text and baseline, stands: there Δx has the sign of Δy
and is at least as large, so its multiplier lies between 0 and 1, and all others are zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from exegesis.mech.backward.mode import Call, Rule
from exegesis.mech.deeplift.multipliers import carried
from exegesis.mech.deeplift.rules import elsewhere, note, other


def extremum(call: Call) -> Any:
    """The largest or smallest along dimensions."""
    x, dim = call.argument(0, "input"), call.argument(1, "dim", call.kwargs.get("axis"))
    if isinstance(dim, Tensor):
        return larger(call)
    found = call.native()
    dims = list(range(x.ndim)) if dim is None else [dim % x.ndim] if isinstance(dim, int) else [d % x.ndim for d in dim]
    sign = -1.0 if "min" in call.name else 1.0
    flat, flat0 = (_last(value, dims) * sign for value in (x, other(call, x)))
    y, y0 = (value if isinstance(value, Tensor) else value[0] for value in (found, elsewhere(call)))
    chosen = _winner(flat, flat0, flat.argmax(-1, True), flat0.argmax(-1, True)) * sign
    result = note(call, carried(chosen.reshape(y.shape), y), y0)
    return result if isinstance(found, Tensor) else type(found)((result, *found[1:]))


def _last(value: Tensor, dims: Sequence[int]) -> Tensor:
    """The dimensions as one, at the end."""
    rest = [dim for dim in range(value.ndim) if dim not in dims]
    return value.permute(*rest, *dims).reshape(*(value.shape[dim] for dim in rest), -1)


def _winner(flat: Tensor, flat0: Tensor, place: Tensor, place0: Tensor) -> Tensor:
    """The elements that are given all of Δy, times their multipliers; ``place`` and ``place0`` are where maxima are."""
    y, y0 = flat.detach().gather(-1, place), flat0.gather(-1, place0)
    pick = torch.where(y >= y0, place, place0)
    chosen = flat.gather(-1, pick)
    step = chosen.detach() - flat0.gather(-1, pick)
    factor = torch.where(step == 0, 1.0, (y - y0) / torch.where(step == 0, 1.0, step)).nan_to_num(0.0, 0.0, 0.0)
    return chosen * factor


def larger(call: Call) -> Any:
    """maximum and minimum of two tensors."""
    one, two = call.argument(0, "input"), call.argument(1, "other")
    with torch.no_grad():
        shape = torch.maximum(one, two).shape
    parts = [call.mode.run(torch.Tensor.expand, value, shape) for value in (one, two)]
    both = call.mode.run(torch.stack, parts)
    return call.mode.run(torch.amin if "min" in call.name else torch.amax, both, 0)


def max_pooled(number: int) -> Rule:
    """Max pooling over windows of the last dimensions."""

    def rule(call: Call) -> Any:
        x, function = call.argument(0, "input"), getattr(torch.nn.functional, f"{call.name}_with_indices")
        options = {key: value for key, value in call.kwargs.items() if key not in ("input", "return_indices")}
        with torch.no_grad():
            (y, place), (y0, place0) = (function(value, *call.args[1:], **options) for value in (x, other(call, x)))
        flat, flat0, at, at0 = (value.flatten(-number) for value in (x, other(call, x), place, place0))
        chosen = _winner(flat, flat0, at, at0).reshape(y.shape)
        result = note(call, carried(chosen, y), y0)
        return (result, place) if call.kwargs.get("return_indices") else result

    return rule
