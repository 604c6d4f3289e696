"""A linear map, without a gradient, by the fastest kernel that the machine has."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

SMALL = 1 << 22  # products below this, which one thread does before several are woken, go to the ordinary function

STEP = 64  # oneDNN makes and keeps a kernel for every number of rows: rows are filled up to a multiple of this
MANY = 1 << 14  # rows from which a kernel is worth its making


def linear(
    inputs: Float[Tensor, "*rows d"],
    weight: Float[Tensor, "g d"],
    bias: Float[Tensor, " g"] | None,
    *,
    sigmoid: bool = False,
) -> Float[Tensor, "*rows g"]:
    """``inputs @ weight.T + bias``, through a sigmoid if asked for.

    For float32 on the CPU through oneDNN, the kernels that the library's own recurrent layers use there: on processors
    for which the default matrix product is not tuned it is about twice as fast. Elsewhere, where a gradient is wanted,
    or where this build of torch has no oneDNN, it is the ordinary function.
    """
    plain = inputs.device.type != "cpu" or inputs.dtype != torch.float32 or weight.dtype != torch.float32
    if plain or not torch._C._has_mkldnn or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return _ordinary(inputs, weight, bias, sigmoid)
    if torch.is_grad_enabled() and (inputs.requires_grad or weight.requires_grad):
        return _ordinary(inputs, weight, bias, sigmoid)
    rows = inputs.reshape(-1, inputs.shape[-1]).contiguous()
    if len(rows) * weight.numel() < SMALL:
        return _ordinary(inputs, weight, bias, sigmoid)
    count, after = len(rows), "sigmoid" if sigmoid else "none"
    if count % STEP and count < MANY:
        rows = torch.nn.functional.pad(rows, (0, 0, 0, STEP - count % STEP))
    found: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight.contiguous(), bias, after, [], "")
    return found[:count].reshape(*inputs.shape[:-1], -1)


def _ordinary(inputs: Tensor, weight: Tensor, bias: Tensor | None, sigmoid: bool) -> Tensor:
    found = torch.nn.functional.linear(inputs, weight, bias)
    return found.sigmoid() if sigmoid else found
