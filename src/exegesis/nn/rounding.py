"""The agreement of two ways to compute one number, by the precision and by the device's own products."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from exegesis.nn.blank import blank

SIZE = 64  # units of the measured layer
TIMES = 32.0  # growth of a product's error over steps and layers
FLOATS = {torch.bfloat16: 8, torch.float16: 11, torch.float32: 24, torch.float64: 53}  # binary digits of each
TIES = 64.0  # roundings within which two numbers are a tie


def near(values: Tensor, *, double: float, single: float, half: float = 1e-2, products: float = 1.0) -> float:
    """The difference within which ``values`` and the same numbers, computed in another way, count as equal.

    It depends on their precision. In float32 it is at least ``TIMES`` times the present error of products on their
    device: a GPU's recurrent kernels round the factors to TF32 (3 to 4 digits) unless told otherwise, and so
    do its matrix products after ``torch.set_float32_matmul_precision("high")``; on the CPU "medium" may use bfloat16.
    ``products`` is how large they are: errors grow with them.
    """
    stated = _stated(values, double=double, single=single, half=half)
    return max(stated, TIMES * products * product_error(values.device)) if values.dtype == torch.float32 else stated


def _stated(values: Tensor, *, double: float, single: float, half: float) -> float:
    return {torch.float64: double, torch.float32: single}.get(values.dtype, half)


def agree(
    first: Tensor, second: Tensor, *, double: float, single: float, half: float = 1e-2, of: nn.Module | None = None
) -> bool:
    """True if two results agree within ``near``, which is measured only if it decides.

    If they are results ``of`` a module, the least precise type of its weights says how closely: logits that a module
    of bfloat16 casts to float32 are no more exact.
    """
    if first.shape != second.shape:
        return False
    if of is not None:
        first, second = (value.to(coarsest(of, value.dtype)) for value in (first, second))
    for within in (_stated, near):
        tight = within(first, double=double, single=single, half=half)
        if torch.allclose(first, second, rtol=tight, atol=tight):
            return True
    return False


def coarsest(module: nn.Module, dtype: torch.dtype) -> torch.dtype:
    """The least precise of a type and the floating-point types of a module's weights."""
    kinds = {dtype, *(weight.dtype for weight in module.parameters())} & FLOATS.keys()
    return min(kinds, key=lambda kind: FLOATS[kind], default=dtype)


def tie(outputs: Tensor) -> Tensor:
    """The difference within which two numbers that are computed from a row of outputs are a tie, one for each row.

    It follows the precision of the outputs and the largest of them: rounding must not decide, and nothing else may.
    """
    return TIES * torch.finfo(outputs.dtype).eps * outputs.detach().abs().amax(1).cpu().double()


@torch.no_grad()
def product_error(device: torch.device) -> float:
    """The largest error of a float32 product on a device, in a linear and in a recurrent layer, outputs of at most 1.

    It is measured, not read from settings. No random number is drawn.
    """
    rows = torch.linspace(-1, 1, SIZE * SIZE, dtype=torch.float64).mul(97).sin().view(SIZE, SIZE)
    inputs, weight = rows[:8], rows.flip(0)
    weight = weight / (inputs @ weight.t()).abs().max()
    expected = inputs @ weight.t()
    x, w = inputs.float().to(device), weight.float().to(device)
    with blank(device):
        layer = nn.RNN(SIZE, SIZE, nonlinearity="relu", bias=False, dtype=torch.float32)
    layer.get_parameter("weight_ih_l0").copy_(w)
    layer.get_parameter("weight_hh_l0").zero_()
    mapped, stepped = torch.nn.functional.linear(x, w), layer(x[None])[0][0]
    pairs = ((mapped, expected), (stepped, expected.relu()))
    return max(float((measured.cpu().double() - exact).abs().max()) for measured, exact in pairs)
