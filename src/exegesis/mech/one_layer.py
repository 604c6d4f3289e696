"""Models that are one recurrent layer over their word vectors."""

from __future__ import annotations

from typing import cast

import torch

from exegesis.core.errors import UnsupportedError
from exegesis.nn.recurrent import reading_order
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier, Recurrent, offers
from exegesis.protocols.recurrent import Unrolled

POOLS = ("last", "first", "mean", "sum", "max")


def plain_pass(model: Classifier, batch: Batch) -> Unrolled | None:
    """The pass over a batch if it has one layer that reads the word vectors themselves, starts every text from the same
    state and is read through ``POOLS``; None otherwise. Poolings are told apart only by a text of two pieces or more.
    """
    if not offers(model, Recurrent) or len(batch) == 0 or int(batch.lengths.max()) < 2:
        return None
    model = cast(Recurrent, model)
    try:
        seen = model.unroll(batch)
    except UnsupportedError:
        return None
    if len(seen.layers) != 1 or not seen.same_start or any(term.kind not in POOLS for term in seen.terms):
        return None
    vectors = model.embed(batch)
    for d in seen.layers[0]:
        inputs = reading_order(d.inputs, d.lengths, d.reverse)
        if inputs.shape != vectors.shape or not torch.equal(inputs[batch.mask], vectors[batch.mask]):
            return None
    return seen
