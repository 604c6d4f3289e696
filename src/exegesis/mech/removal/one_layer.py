"""Models that are one recurrent layer over their word vectors, whose steps can be run by hand and shared.

In such a model, the part of the gates that a token adds depends on the token alone, so the product of vectors and
weights is computed once per distinct token, however many perturbed texts hold it; a step then costs one product with
the state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from exegesis.mech.one_layer import plain_pass
from exegesis.mech.removal.prefixes import step_sharing
from exegesis.nn.recurrent import reading_order
from exegesis.nn.steps import cell_of
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier, Recurrent
from exegesis.protocols.recurrent import Unrolled


@dataclass(frozen=True, eq=False)
class PlainRunner:
    """The outputs of such a model for any ids, by steps over a table of the distinct tokens."""

    model: Recurrent
    unrolled: Unrolled

    @classmethod
    def of(cls, model: Classifier, batch: Batch) -> Self | None:
        """None if the model is not such a layer on ``batch`` (see ``plain_pass``)."""
        unrolled = plain_pass(model, batch)
        return None if unrolled is None else cls(cast(Recurrent, model), unrolled)

    @torch.no_grad()
    def outputs(self, batch: Batch, zeroed: Bool[Tensor, "n t"] | None = None) -> Float[Tensor, "n c"]:
        """Raw outputs, rows in any order; vectors are zero wherever ``zeroed`` is true."""
        lengths = batch.lengths
        order = torch.argsort(lengths, descending=True, stable=True)
        lengths, ids = lengths[order], batch.ids[order]
        tokens, index = torch.unique(ids, return_inverse=True)
        if zeroed is not None:
            index = index.masked_fill(zeroed[order, : index.shape[1]], len(tokens))
        row = Batch(tokens[None], torch.ones_like(tokens[None], dtype=torch.bool), torch.zeros_like(tokens[None]))
        vectors = self.model.embed(row)[0]
        vectors = torch.cat([vectors, torch.zeros_like(vectors[:1])])
        raw = self.unrolled.bias.expand(len(ids), -1).clone()
        for number, direction in enumerate(self.unrolled.layers[0]):
            terms = [term for term in self.unrolled.terms if term.direction == number]
            if not terms:
                continue
            cell = cell_of(direction)
            kinds = {term.kind for term in terms}
            start = [part[:1] for part in (direction.h0, direction.c0) if part is not None]
            turned = reading_order(index, lengths, direction.reverse)
            last, pools = step_sharing(cell, cell.pre(vectors), turned, lengths, start, kinds)
            for term in terms:
                raw += torch.nn.functional.linear(pools.value(term.kind, last, lengths), term.linear)
        return raw[torch.argsort(order)]
