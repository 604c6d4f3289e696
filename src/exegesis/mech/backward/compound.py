"""Functions that a modified run takes apart into those it has rules for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.mode import Call, Rule


def gated_half(call: Call) -> Any:
    """glu: the first half, gated by the second."""
    run = call.mode.run
    signal, gate = run(torch.chunk, call.argument(0, "input"), 2, call.argument(1, "dim", -1))
    return run(torch.mul, signal, run(torch.sigmoid, gate))


def normalised(call: Call) -> Any:
    """batch_norm with its running mean and variance, which are constants: a scale and a bias for each channel."""
    names = ("input", "running_mean", "running_var", "weight", "bias", "training")
    x, mean, variance, weight, bias, training = (call.argument(place, name) for place, name in enumerate(names))
    if training or mean is None or variance is None:
        raise UnsupportedError(
            "the module normalises by the mean of its batch, so that texts hang together: keep running statistics"
        )
    scale = (variance.detach() + call.argument(7, "eps", 1e-5)).rsqrt()
    scale = scale if weight is None else scale * weight.detach()
    shift = -mean.detach() * scale if bias is None else bias.detach() - mean.detach() * scale
    shape = (-1, *[1] * (x.ndim - 2))
    added = nn.Parameter(shift.reshape(shape), requires_grad=False)
    return call.mode.run(torch.add, call.mode.run(torch.mul, x, scale.reshape(shape)), added)


def interpolated(call: Call) -> Any:
    """lerp(a, b, w) = (1 - w) a + w b."""
    run = call.mode.run
    one, two, weight = call.argument(0, "input"), call.argument(1, "end"), call.argument(2, "weight")
    rest = run(torch.Tensor.__rsub__, weight, 1) if isinstance(weight, Tensor) else 1 - weight
    return run(torch.add, run(torch.mul, rest, one), run(torch.mul, weight, two))


def product_added(call: Call) -> Any:
    """addcmul(t, a, b, value=v) = t + v a b."""
    run = call.mode.run
    term, one, two = call.argument(0, "input"), call.argument(1, "tensor1"), call.argument(2, "tensor2")
    return run(torch.add, term, run(torch.mul, one, two), alpha=call.kwargs.get("value", 1))


MATRICES = {"addmm": ("mat1", "mat2"), "addmv": ("mat", "vec"), "baddbmm": ("batch1", "batch2")}


def matrix_added(call: Call) -> Any:
    """addmm(t, a, b) = beta t + alpha a b; baddbmm likewise."""
    run, names = call.mode.run, MATRICES[call.name]
    term, one, two = call.argument(0, "input"), call.argument(1, names[0]), call.argument(2, names[1])
    beta, alpha = call.kwargs.get("beta", 1), call.kwargs.get("alpha", 1)
    return run(torch.add, term if beta == 1 else run(torch.mul, term, beta), run(torch.matmul, one, two), alpha=alpha)


COMPOUNDS: dict[str, Rule] = {
    "glu": gated_half,
    "batch_norm": normalised,
    "lerp": interpolated,
    "addcmul": product_added,
    **dict.fromkeys(MATRICES, matrix_added),
}
