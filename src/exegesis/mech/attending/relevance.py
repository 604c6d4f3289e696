"""Relevance through the attention of an encoder, weighted by its gradients (Chefer et al. 2021)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.mech.attending.layout import Read, read, refuse_unless_square
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable
from exegesis.protocols.target import Target


def through_attention(name: str, model: Differentiable, batch: Batch, target: Target) -> Float[Tensor, "k t"]:
    """The relevance of each piece of one text for each of its numbers.

    From the first layer to the last, R <- R + Ā R with R = 0 at first beside the identity, Ā the mean over the heads of
    the positive part of A ⊙ ∂f/∂A. The rows that count are those that the number reads: rows of the last attention
    whose gradient is not zero. Their mean is returned, without the identity.

    Raises UnsupportedError for a model whose attention does not lead from all pieces to all pieces in every layer.
    """
    scores = []
    for number in range(target.count):
        found = read(model, batch, target.only(number).of)
        refuse_unless_square(name, model, found.layout)
        scores.append(_followed(found))
    return torch.stack(scores)


def _followed(found: Read) -> Float[Tensor, " t"]:
    size = found.weights[0].shape[-1]
    whole = torch.eye(size, dtype=found.weights[0].dtype, device=found.weights[0].device)
    followed = whole.clone()
    for weights, slopes in zip(found.weights, found.by_weights, strict=True):
        followed = followed + (weights * slopes).clamp_min(0.0).mean(0) @ followed
    read_rows = (found.by_weights[-1] != 0).any(-1).any(0)
    if not bool(read_rows.any()):
        return followed.new_zeros(size)
    return (followed - whole)[read_rows].mean(0)
