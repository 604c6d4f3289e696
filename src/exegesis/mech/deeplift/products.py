"""Products along a dimension between a text and its baseline: one factor after the other."""

from __future__ import annotations

from typing import Any

import torch

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.mode import Call, named


def running(call: Call) -> Any:
    """cumprod: each product is the one before it times one more factor."""
    return call.mode.run(torch.stack, _products(call), call.argument(1, "dim"))


def product(call: Call) -> Any:
    """prod along one dimension, or of all elements."""
    dim, keep = call.argument(1, "dim"), bool(call.argument(2, "keepdim", False))
    last = _products(call)[-1]
    return call.mode.run(torch.unsqueeze, last, dim) if keep else last


def _products(call: Call) -> list[Any]:
    x, dim, run = call.argument(0, "input"), call.argument(1, "dim"), call.mode.run
    if call.kwargs.get("dtype") is not None:
        raise UnsupportedError(f"the module computes with {named(call.func)} in another type: convert before it")
    if dim is None:
        x, dim = run(torch.flatten, x), 0
    found: list[Any] = []
    for factor in run(torch.unbind, x, dim):
        found.append(run(torch.mul, found[-1], factor) if found else factor)
    return found
