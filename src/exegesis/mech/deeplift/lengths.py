"""Lengths of vectors between a text and its baseline, taken apart: squares, a sum, a root, a quotient."""

from __future__ import annotations

from typing import Any

import torch

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.mode import Call, named


def length(call: Call) -> Any:
    """The Euclidean norm: Tensor.norm, torch.linalg.norm and vector_norm, over one dimension or all."""
    order = call.argument(1, "p", call.kwargs.get("ord"))
    dim, keep = call.argument(2, "dim"), bool(call.argument(3, "keepdim", False))
    plain = 2 if order is None or order == "fro" else order
    several = dim is None or (isinstance(dim, list | tuple) and len(dim) > 1)
    matrix = call.name == "linalg_norm" and order is not None and several and call.argument(0, "input").ndim > 1
    if plain != 2 or matrix or call.kwargs.get("dtype") is not None:
        raise UnsupportedError(
            f"the module computes with {named(call.func)} of another order than 2, which has no rule: take the "
            "Euclidean norm, or integrated-gradients"
        )
    return _length(call, call.args[0] if call.args else call.kwargs.get("input", call.kwargs.get("x")), dim, keep)


def normalized(call: Call) -> Any:
    """F.normalize: over the vector's length, or ``eps`` where that is larger."""
    names = (("input", None), ("p", 2.0), ("dim", 1), ("eps", 1e-12))
    x, order, dim, eps = (call.argument(place, name, default) for place, (name, default) in enumerate(names))
    if order != 2 or call.kwargs.get("out") is not None:
        raise UnsupportedError(
            f"the module computes with {named(call.func)} of another order than 2, which has no rule: take the "
            "Euclidean norm, or integrated-gradients"
        )
    run = call.mode.run
    return run(torch.div, x, run(torch.clamp_min, _length(call, x, dim, True), eps))


def cosine(call: Call) -> Any:
    """cosine_similarity: the product of both vectors over their lengths."""
    names = (("x1", None), ("x2", None), ("dim", 1), ("eps", 1e-8))
    one, two, dim, eps = (call.argument(place, name, default) for place, (name, default) in enumerate(names))
    run = call.mode.run
    one, two = (
        run(torch.div, value, run(torch.clamp_min, _length(call, value, dim, True), eps)) for value in (one, two)
    )
    return run(torch.sum, run(torch.mul, one, two), dim)


def _length(call: Call, x: Any, dim: Any, keep: bool) -> Any:
    run = call.mode.run
    squares = run(torch.square, x)
    dims = list(range(x.ndim)) if dim is None else dim
    return run(torch.sqrt, run(torch.sum, squares, dims, keep))
