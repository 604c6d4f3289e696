"""A whole method in one file: ``import`` it, and ``exegesis.explain(model, text, "swap")`` knows it.

A method is a frozen dataclass of its parameters, whose annotations say which values are allowed. It is called with a
model, a batch of whole texts and the numbers to explain, and returns scores ``[texts, numbers, pieces]``. The
annotation of ``model`` says what it needs: here any ``Classifier``, so it serves black boxes too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import torch

from exegesis.authoring import Batch, Classifier, Scores, Target, at_least, method


@method(
    "swap",
    question="where does order matter?",
    summary="what the number loses when a piece changes places with its neighbour",
    paper="an example",
    year=2026,
)
@dataclass(frozen=True)
class Swap:
    """The number less its value with a piece and the piece ``distance`` after it swapped, in units of the number.

    Zero for a bag of words, whatever the text. The last ``distance`` pieces have no partner and score zero. A distance
    below 1 is refused by its annotation, in Python and on the command line.
    """

    distance: Annotated[int, at_least(1)] = 1

    def __call__(self, model: Classifier, batch: Batch, target: Target) -> Scores:
        whole = target.of(model.outputs(batch))
        scores = whole.new_zeros(*whole.shape, batch.ids.shape[1])
        for left in range(batch.ids.shape[1] - self.distance):
            right = left + self.distance
            rows = batch.mask[:, right].nonzero()[:, 0]  # the texts that reach so far
            ids = batch.ids[rows].clone()
            ids[:, left], ids[:, right] = batch.ids[rows, right], batch.ids[rows, left]
            swapped = replace(batch.take(rows), ids=ids[:, : int(batch.lengths[rows].max())], texts=())
            scores[rows, :, left] = whole[rows] - target.take(rows).of(model.outputs(swapped))
        return Scores(torch.where(batch.mask[:, None], scores, 0.0))
