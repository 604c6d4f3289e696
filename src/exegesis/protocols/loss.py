"""Losses of single examples: what training minimised, for each way in which outputs mean labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from exegesis.core.errors import UsageError
from exegesis.protocols.labels import number_of
from exegesis.protocols.target import Link


def gold_of(label: str | None, labels: Sequence[str], link: Link) -> float:
    """The number of a training label: that of its class, or for a regression the number itself.

    Raises UsageError for a missing label, and for one that the model does not know.
    """
    if label is None:
        raise UsageError("a training text has no label; give its column, or leave the text out")
    if link is not Link.IDENTITY:
        return float(number_of(label, labels))
    try:
        value = float(label)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"a regression is trained on numbers, not on the label {label!r:.40}")
    return value


def loss(raw: Float[Tensor, "b c"], gold: Float[Tensor, " b"], link: Link) -> Float[Tensor, " b"]:
    """The loss of each example in nats: the cross-entropy of its label; for a regression half the squared error.

    Independent labels (a sigmoid for each) have the sum of their cross-entropies, where only the gold one is true. No
    weight decay, no label smoothing and no dropout are part of it.
    """
    if link is Link.IDENTITY:
        return 0.5 * (raw - gold[:, None].to(raw)).square().sum(1)
    if link is Link.BINARY:
        return functional.binary_cross_entropy_with_logits(raw[:, 0], gold.to(raw), reduction="none")
    index = gold.long()
    if link in (Link.SOFTMAX, Link.LOG_SOFTMAX):
        return functional.cross_entropy(raw, index, reduction="none")
    truth = functional.one_hot(index, raw.shape[1]).to(raw)
    if link is Link.SIGMOID:
        return functional.binary_cross_entropy_with_logits(raw, truth, reduction="none").sum(1)
    inside = raw.clamp_min(torch.finfo(raw.dtype).tiny)
    if link is Link.PROBABILITY:
        return -inside.gather(1, index[:, None]).log()[:, 0]
    outside = (1 - raw).clamp_min(torch.finfo(raw.dtype).tiny)
    return -(truth * inside.log() + (1 - truth) * outside.log()).sum(1)


def slope(raw: Float[Tensor, "b c"], gold: Float[Tensor, " b"], link: Link) -> Float[Tensor, "b c"]:
    """The gradient of each example's loss to its outputs."""
    leaf = raw.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf, gold, link).sum(), leaf)
    return gradient


def curvature(raw: Float[Tensor, "b c"], gold: Float[Tensor, " b"], link: Link) -> Float[Tensor, "b c c"]:
    """The second derivative of each example's loss to its outputs, which is positive semi-definite."""
    leaf = raw.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf, gold, link).sum(), leaf, create_graph=True)
    if not gradient.requires_grad:
        return raw.new_zeros(*raw.shape, raw.shape[1])
    rows = [
        torch.autograd.grad(gradient[:, number].sum(), leaf, retain_graph=True)[0] for number in range(raw.shape[1])
    ]
    return torch.stack(rows, 1)
