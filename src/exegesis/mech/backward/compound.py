"""Functions that a modified run takes apart into others, for every method that has rules for the parts.

``COMPOUND`` belongs in every table. ``NORMS`` divide by lengths of live vectors: they belong in the table of a method
with rules for squares, roots and quotients of live tensors.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.mode import Call, Rule, named

MATRICES = {"addmm": ("mat1", "mat2"), "addmv": ("mat", "vec"), "baddbmm": ("batch1", "batch2")}


def gated_half(call: Call) -> Any:
    """glu: the first half, gated by the second."""
    run = call.mode.run
    signal, gate = run(torch.chunk, call.argument(0, "input"), 2, call.argument(1, "dim", -1))
    return run(torch.mul, signal, run(torch.sigmoid, gate))


def batch_normalized(call: Call) -> Any:
    """batch_norm with its running mean and variance, which are constants: a scale and a bias for each channel."""
    names = ("input", "running_mean", "running_var", "weight", "bias", "training")
    x, mean, variance, weight, bias, training = (call.argument(position, name) for position, name in enumerate(names))
    if training or mean is None or variance is None:
        raise UnsupportedError(
            "the module normalises over its batch, so that each text's outputs depend on the other texts: keep running "
            "statistics"
        )
    scale = (variance.detach() + call.argument(7, "eps", 1e-5)).rsqrt()
    scale = scale if weight is None else scale * weight.detach()
    shift = -mean.detach() * scale if bias is None else bias.detach() - mean.detach() * scale
    shape = (-1, *[1] * (x.ndim - 2))
    bias = nn.Parameter(shift.reshape(shape), requires_grad=False)
    return call.mode.run(torch.add, call.mode.run(torch.mul, x, scale.reshape(shape)), bias)


def interpolated(call: Call) -> Any:
    """lerp(a, b, w) = (1 - w) a + w b: each end has a separate weight, which a rule of gates can read."""
    run = call.mode.run
    start, end, weight = call.argument(0, "input"), call.argument(1, "end"), call.argument(2, "weight")
    rest = run(torch.Tensor.__rsub__, weight, 1) if isinstance(weight, Tensor) else 1 - weight
    return run(torch.add, run(torch.mul, rest, start), run(torch.mul, weight, end))


def shifted(call: Call) -> Any:
    """lerp(a, b, w) = a + (b - a) w: a single product, for methods whose rules give both forms the same numbers."""
    run = call.mode.run
    start, end, weight = call.argument(0, "input"), call.argument(1, "end"), call.argument(2, "weight")
    return run(torch.add, start, run(torch.mul, run(torch.sub, end, start), weight))


def product_added(call: Call) -> Any:
    """addcmul(t, a, b, value=v) = t + v a b."""
    run = call.mode.run
    term, first, second = (
        call.argument(position, name) for position, name in enumerate(("input", "tensor1", "tensor2"))
    )
    return run(torch.add, term, run(torch.mul, first, second), alpha=call.kwargs.get("value", 1))


def matrix_added(call: Call) -> Any:
    """addmm(t, a, b) = beta t + alpha a b, and the similar addmv and baddbmm."""
    run, names = call.mode.run, ("input", *MATRICES[call.name])
    term, first, second = (call.argument(position, name) for position, name in enumerate(names))
    beta, alpha = call.kwargs.get("beta", 1), call.kwargs.get("alpha", 1)
    term = term if beta == 1 else run(torch.mul, term, beta)
    return run(torch.add, term, run(torch.matmul, first, second), alpha=alpha)


def layer_normalized(call: Call) -> Any:
    """layer_norm: centred (linear), times 1 / sqrt(mean square + eps) (elementwise), weighted (linear)."""
    x, shape, weight, bias, eps = (
        call.argument(position, name, default)
        for position, (name, default) in enumerate(
            (("input", None), ("normalized_shape", None), ("weight", None), ("bias", None), ("eps", 1e-5))
        )
    )
    dims, run = list(range(-len(shape), 0)), call.mode.run
    centred = run(torch.sub, x, run(torch.mean, x, dims, True))
    inverse = run(torch.rsqrt, run(torch.add, run(torch.mean, run(torch.square, centred), dims, True), eps))
    normalized = run(torch.mul, centred, inverse)
    normalized = normalized if weight is None else run(torch.mul, normalized, weight.detach())
    return normalized if bias is None else run(torch.add, normalized, bias.detach())


def rms_normalized(call: Call) -> Any:
    """rms_norm: times 1 / sqrt(mean square + eps) (elementwise), weighted (linear)."""
    x, shape, weight, eps = (
        call.argument(position, name) for position, name in enumerate(("input", "normalized_shape", "weight", "eps"))
    )
    dims, run = list(range(-len(shape), 0)), call.mode.run
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    inverse = run(torch.rsqrt, run(torch.add, run(torch.mean, run(torch.square, x), dims, True), eps))
    normalized = run(torch.mul, x, inverse)
    return normalized if weight is None else run(torch.mul, normalized, weight.detach())


def euclidean(call: Call) -> Any:
    """The Euclidean norm (Tensor.norm, torch.linalg.norm and vector_norm) over one dimension or all."""
    order = call.argument(1, "p", call.kwargs.get("ord"))
    dim, keep = call.argument(2, "dim"), bool(call.argument(3, "keepdim", False))
    plain = 2 if order is None or order == "fro" else order
    several = dim is None or (isinstance(dim, list | tuple) and len(dim) > 1)
    matrix = call.name == "linalg_norm" and order is not None and several and call.argument(0, "input").ndim > 1
    if plain != 2 or matrix or call.kwargs.get("dtype") is not None:
        raise _of_another_order(call)
    return _length(call, call.args[0] if call.args else call.kwargs.get("input", call.kwargs.get("x")), dim, keep)


def normalized(call: Call) -> Any:
    """normalize: divided by the vector's length, or by ``eps`` if that is larger."""
    names = (("input", None), ("p", 2.0), ("dim", 1), ("eps", 1e-12))
    x, order, dim, eps = (call.argument(position, name, default) for position, (name, default) in enumerate(names))
    if order != 2 or call.kwargs.get("out") is not None:
        raise _of_another_order(call)
    run = call.mode.run
    return run(torch.div, x, run(torch.clamp_min, _length(call, x, dim, True), eps))


def cosine(call: Call) -> Any:
    """cosine_similarity: the product of both vectors, each divided by its length."""
    names = (("x1", None), ("x2", None), ("dim", 1), ("eps", 1e-8))
    first, second, dim, eps = (call.argument(position, name, default) for position, (name, default) in enumerate(names))
    run = call.mode.run
    first, second = (
        run(torch.div, value, run(torch.clamp_min, _length(call, value, dim, True), eps)) for value in (first, second)
    )
    return run(torch.sum, run(torch.mul, first, second), dim)


def _length(call: Call, x: Any, dim: Any, keep: bool) -> Any:
    """Squares, their sum, its root."""
    run = call.mode.run
    squares = run(torch.square, x)
    dims = list(range(x.ndim)) if dim is None else dim
    return run(torch.sqrt, run(torch.sum, squares, dims, keep))


def _of_another_order(call: Call) -> UnsupportedError:
    return UnsupportedError(
        f"the module computes with {named(call.func)} of another order than 2, which has no rule: take the "
        "Euclidean norm, or integrated-gradients"
    )


COMPOUND: dict[str, Rule] = {
    "glu": gated_half,
    "batch_norm": batch_normalized,
    "lerp": interpolated,
    "addcmul": product_added,
    **dict.fromkeys(MATRICES, matrix_added),
}
NORMS: dict[str, Rule] = {
    "layer_norm": layer_normalized,
    "rms_norm": rms_normalized,
    **dict.fromkeys(("norm", "linalg_norm", "linalg_vector_norm"), euclidean),
    "normalize": normalized,
    "cosine_similarity": cosine,
}
