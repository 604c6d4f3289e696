"""A linear map and tanh without a gradient, each by the fastest kernel that the machine has."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

LEAST_PRODUCT = 1 << 22  # smaller products are done by one thread before several threads have started
ROWS_STEP = 64  # oneDNN makes and keeps a kernel for every number of rows: rows are filled up to a multiple of this
MAX_FILLED = 1 << 14  # with more rows a special kernel pays off


def linear(
    inputs: Float[Tensor, "*rows d"],
    weight: Float[Tensor, "g d"],
    bias: Float[Tensor, " g"] | None,
    *,
    sigmoid: bool = False,
) -> Float[Tensor, "*rows g"]:
    """``inputs @ weight.T + bias``, followed by a sigmoid on request.

    For float32 on the CPU it runs through oneDNN, whose kernels torch's own recurrent layers use there: on processors
    for which the default matrix product is not tuned it is about twice as fast. On other devices, with a gradient, or
    if this build of torch has no oneDNN, it is the ordinary function.
    """
    plain = inputs.device.type != "cpu" or inputs.dtype != torch.float32 or weight.dtype != torch.float32
    if plain or not torch._C._has_mkldnn or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return _ordinary(inputs, weight, bias, sigmoid)
    if torch.is_grad_enabled() and (inputs.requires_grad or weight.requires_grad):
        return _ordinary(inputs, weight, bias, sigmoid)
    rows = inputs.reshape(-1, inputs.shape[-1]).contiguous()
    if len(rows) * weight.numel() < LEAST_PRODUCT:
        return _ordinary(inputs, weight, bias, sigmoid)
    count, after = len(rows), "sigmoid" if sigmoid else "none"
    if count % ROWS_STEP and count < MAX_FILLED:
        rows = torch.nn.functional.pad(rows, (0, 0, 0, ROWS_STEP - count % ROWS_STEP))
    product: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight.contiguous(), bias, after, [], "")
    return product[:count].reshape(*inputs.shape[:-1], -1)


def _ordinary(inputs: Tensor, weight: Tensor, bias: Tensor | None, sigmoid: bool) -> Tensor:
    product = torch.nn.functional.linear(inputs, weight, bias)
    return product.sigmoid() if sigmoid else product


def tanh_(values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """tanh, in place.

    In float32 on the CPU it is computed as 2 σ(2x) - 1, up to ten times as fast: its *absolute* error is a rounding of
    1 (1.2e-7), while torch's *relative* error would be a rounding. In all other cases it is torch's own.
    """
    if values.dtype != torch.float32 or values.device.type != "cpu":
        return values.tanh_()
    return values.mul_(2.0).sigmoid_().mul_(2.0).sub_(1.0)
