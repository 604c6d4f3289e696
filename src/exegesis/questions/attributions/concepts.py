"""The words behind a decision through concepts: what a concept adds, shared by the words of its excerpt."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from exegesis.engine.methods import Scores, method
from exegesis.protocols.batch import Batch
from exegesis.protocols.conceptual import Conceptual
from exegesis.protocols.target import Target


@method(
    "concepts",
    question="which words did the concepts of the model read?",
    summary="the part of the number that the concepts add whose excerpts hold the word, in equal shares of their words",
    paper="Bouchacourt and Denoyer, EDUCE; Antognini and Faltings, Rationalization through Concepts",
    year=2019,
    complete=True,
)
@dataclass(frozen=True)
class OwnConcepts:
    """What a model's own concepts add to the number explained, each in equal shares on the pieces of its excerpt.

    For models of ``exegesis train --arch concepts``. The scores, the output bias and what concepts without any word add
    make the number explained, exactly. Raises UnsupportedError for a probability, which no sum of concepts gives.
    """

    def __call__(self, model: Conceptual, batch: Batch, target: Target) -> Scores:
        decision = model.decide(batch)
        chosen = target.linear(decision.parts.shape[2]).to(decision.parts)
        parts = torch.einsum("bkc,btc->btk", decision.parts, chosen.expand(len(batch), -1, -1))
        counts = decision.excerpt.sum(2)
        shares = decision.excerpt.to(parts) / counts.clamp(min=1)[..., None]
        bias = torch.einsum("c,btc->bt", decision.bias, chosen.expand(len(batch), -1, -1))
        empty = (parts * (counts == 0)[:, None]).sum(2)
        return Scores(parts @ shares, {"output bias": bias, "concepts without words": empty})

    def passes(self, words: int, numbers: int) -> int:
        """One pass."""
        return 1
