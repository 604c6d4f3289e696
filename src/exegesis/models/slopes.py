"""The slope of a model's outputs, measured, beside the gradient that its module gives."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.nn.rounding import coarsest, near
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable

NO_SLOPE = (
    "its gradient is not the slope of its outputs (a detach(), a hook on the backward pass, an autograd function of "
    "its own, weights that change during a call)"
)
STEPS = {torch.float64: (1e-5, 1e-4), torch.float32: (1e-2, 1e-3, 1e-1)}  # in units of the vectors' spread
FLOATS = {torch.float64: (torch.float64, torch.float32), torch.float32: (torch.float32,)}  # a part may be float32
COARSEST = 2.0**-7  # of the outputs, rounding in a module that computes in bfloat16 by itself (autocast)
OFF = 0.1  # how far from the words' vectors slopes are measured, in the same units
SHARE = {torch.float64: 1e-3, torch.float32: 3e-2}  # of the slope that may be curvature, or a kink on the way


def has_slope(model: Differentiable, module: nn.Module, batch: Batch) -> bool:
    """True if the gradient of the outputs of a model, which runs a module, is their slope for each text of a batch.

    Along one direction that is drawn from a fixed seed, for one weighted sum of the outputs, by central differences
    near the words' vectors (at them a word that stands twice is a kink of a maximum). The steps differ in size: one
    that agrees will do, since a network may bend. Half precision is too coarse to tell, and so is a gradient that is
    not finite.
    """
    vectors = model.embed(batch)
    if coarsest(module, vectors.dtype) not in STEPS:
        return True
    draws = torch.Generator().manual_seed(0)
    spread = vectors.std(correction=0).clamp_min(1e-6)
    near_by, direction = (
        spread * torch.randn(vectors.shape, generator=draws, dtype=torch.float64).to(vectors) * batch.mask[..., None]
        for _ in range(2)
    )
    vectors = vectors + OFF * near_by
    with torch.enable_grad():
        leaf = vectors.clone().requires_grad_()
        outputs = model.outputs_from(leaf, batch)
        weights = torch.randn(outputs.shape[1], generator=draws, dtype=torch.float64).to(outputs)
        (gradient,) = torch.autograd.grad((outputs * weights).sum(), leaf)
        outputs = outputs.detach()
    claimed, typical = (gradient * direction).sum((1, 2)), (gradient * direction).norm(dim=(1, 2))
    if not bool(gradient.isfinite().all()):
        return True
    size = float((outputs * weights).abs().sum(1).max())
    agreed = torch.zeros(len(batch), dtype=torch.bool, device=vectors.device)
    for kind in FLOATS[vectors.dtype]:
        rounding = near(outputs.to(kind), double=1e-14, single=1e-7) * size
        for step in STEPS[kind]:
            above, below = (_summed(model, vectors + sign * step * direction, batch, weights) for sign in (1, -1))
            measured = (above - below) / (2 * step)
            scale = torch.maximum(torch.maximum(measured.abs(), claimed.abs()), typical)
            off = (measured - claimed).abs() - SHARE[kind] * scale
            agreed |= off <= rounding / step
            if bool(agreed.all()):
                return True
    tiny = min(STEPS[torch.float32])  # by this the outputs hardly move, unless they jump; the last step was the largest
    around = [_summed(model, vectors + shift * tiny * direction, batch, weights) for shift in (-1, 0, 1)]
    noise = min(float((around[0] - 2 * around[1] + around[2]).abs().max()), COARSEST * size)
    return bool((agreed | (off <= noise / step)).all())


@torch.no_grad()
def _summed(
    model: Differentiable, vectors: Float[Tensor, "b t d"], batch: Batch, weights: Float[Tensor, " c"]
) -> Float[Tensor, " b"]:
    return (model.outputs_from(vectors, batch) * weights).sum(1)
