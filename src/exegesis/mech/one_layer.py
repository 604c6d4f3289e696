"""Models that are one recurrent layer over their word vectors."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.nn.recurrent import reading_order
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier, Recurrent, offers
from exegesis.protocols.recurrent import Unrolled

POOLS = ("last", "first", "mean", "sum", "max")


def plain_pass(model: Classifier, batch: Batch) -> Unrolled | None:
    """The pass over a batch if it has one layer that reads the word vectors themselves, starts every text from the same
    state and is read through ``POOLS``, and if each vector depends on its piece alone; None otherwise.

    Only a text of two pieces or more tells poolings apart.
    """
    if not offers(model, Recurrent) or len(batch) == 0 or int(batch.lengths.max()) < 2:
        return None
    model = cast(Recurrent, model)
    try:
        unrolled = model.unroll(batch)
    except UnsupportedError:
        return None
    if len(unrolled.layers) != 1 or not unrolled.same_start or any(term.kind not in POOLS for term in unrolled.terms):
        return None
    vectors = model.embed(batch)
    for way in unrolled.layers[0]:
        inputs = reading_order(way.inputs, way.lengths, way.reverse)
        if inputs.shape != vectors.shape or inputs.dtype != vectors.dtype:
            return None
        if not torch.equal(inputs[batch.mask], vectors[batch.mask]):
            return None
    return unrolled if _of_pieces(model, batch, vectors) else None


def _of_pieces(model: Recurrent, batch: Batch, vectors: Float[Tensor, "b t d"]) -> bool:
    """True if each piece has the vector that it has in a text of its own, whatever its place and its neighbours."""
    pieces, index = torch.unique(batch.ids[batch.mask], return_inverse=True)
    ids = pieces[:, None]
    alone = model.embed(Batch(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids)))[:, 0]
    return torch.equal(alone[index], vectors[batch.mask])
