"""Whether a model is one recurrent layer over its word vectors, so that its steps can be shared between runs."""

from __future__ import annotations

from typing import cast

import torch

from exegesis.core.batch import Batch
from exegesis.core.errors import UnsupportedError
from exegesis.core.model import Classifier, Recurrent, offers
from exegesis.core.recurrent import Unrolled
from exegesis.nn.recurrent import reading_order

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
    if len(seen.layers) != 1 or any(term.kind not in POOLS for term in seen.terms):
        return None
    vectors = model.embed(batch)
    for d in seen.layers[0]:
        inputs = reading_order(d.inputs, d.lengths, d.reverse)
        if inputs.shape != vectors.shape or not torch.equal(inputs[batch.mask], vectors[batch.mask]):
            return None
        for state in (d.h0, d.c0):
            if state is not None and not torch.equal(state, state[:1].expand_as(state)):
                return None
    return seen
