"""A whole method in one file: ``import`` it, and ``exegesis.explain(model, text, "swap")`` knows it.

A method is a frozen dataclass of its parameters. It is called with a model, a batch of whole texts and the numbers to
explain, and gives scores ``[texts, numbers, pieces]``. What it needs of a model is the annotation of ``model``: here
any ``Classifier``, so it serves black boxes too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from exegesis.core.errors import UsageError
from exegesis.engine.methods import Scores, method
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Target


@method(
    "swap",
    question="where does order matter?",
    summary="what the number loses when a piece changes places with its neighbour",
    paper="an example",
    year=2026,
)
@dataclass(frozen=True)
class Swap:
    """The number less its value with the piece and the one ``distance`` after it swapped, in units of the number.

    Zero for a bag of words, whatever the text. The last ``distance`` pieces have no partner and score zero.
    Raises UsageError for a distance below 1.
    """

    distance: int = 1

    def __post_init__(self) -> None:
        if self.distance < 1:
            raise UsageError("swap needs distance >= 1")

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
