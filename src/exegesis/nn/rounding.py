"""How closely two ways to compute the same number agree: by the precision, and by the device's own products."""

from __future__ import annotations

import torch
from torch import Tensor

SIZE = 64  # units of the layer that is tried
TIMES = 32.0  # steps and layers make of a product's error this much more


def near(values: Tensor, *, double: float, single: float, half: float = 1e-2) -> float:
    """The difference within which ``values`` and the same numbers by another way count as equal.

    It depends on their precision. In float32 it is never below ``TIMES`` times what the products of their device are
    off at present: a GPU's recurrent kernels round the factors to TF32 (3 to 4 digits) unless told otherwise, and so
    do its matrix products after ``torch.set_float32_matmul_precision("high")``; on the CPU "medium" may use bfloat16.
    """
    if values.dtype == torch.float64:
        return double
    if values.dtype != torch.float32:
        return half
    return max(single, TIMES * product_error(values.device))


@torch.no_grad()
def product_error(device: torch.device) -> float:
    """The largest error of a float32 product on a device, in a linear and in a recurrent layer, outputs near 1.

    It is measured, not read from settings. No random number is drawn.
    """
    rows = torch.linspace(-1, 1, SIZE * SIZE, dtype=torch.float64).mul(97).sin().view(SIZE, SIZE)
    one, two = rows[:8], rows.flip(0)
    expected = one @ two.t()
    scale = float(expected.abs().max())
    off = torch.nn.functional.linear(*(x.float().to(device) for x in (one, two))).cpu().double() - expected
    zeros, weights = torch.zeros(1, 8, SIZE), (two / scale, torch.zeros(SIZE, SIZE))
    given = [x.float().to(device) for x in (one[None], zeros, *weights)]
    states = torch.rnn_relu(given[0], given[1], given[2:], False, 1, 0.0, False, False, False)[0]
    drift = states[0].cpu().double() - (expected / scale).relu()
    return max(float(off.abs().max()) / scale, float(drift.abs().max()))
