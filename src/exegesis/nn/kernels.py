"""Activations without a gradient, by the fastest kernel that the machine has."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def tanh_(values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """tanh, in place.

    In float32 on the CPU it is 2 σ(2x) - 1, up to ten times as fast there: its *absolute* error is a rounding of 1
    (1.2e-7), where the library's relative error would be a rounding. Everything else is the library's.
    """
    if values.dtype != torch.float32 or values.device.type != "cpu":
        return values.tanh_()
    return values.mul_(2.0).sigmoid_().mul_(2.0).sub_(1.0)
