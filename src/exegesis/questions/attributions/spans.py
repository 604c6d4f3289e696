"""The words behind a decision by spans: what each span adds, shared by its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.parameters import at_least
from exegesis.core.text import Text
from exegesis.engine.methods import Scores, method
from exegesis.protocols.batch import Batch
from exegesis.protocols.spanned import Spanned
from exegesis.protocols.target import Target


@method(
    "spans",
    question="which words stand in the spans that decided?",
    summary="the part of the number that the model's own spans add which hold the word, in equal shares of their words",
    paper="Sun et al., Self-Explaining Structures Improve NLP Models",
    year=2020,
    complete=True,
)
@dataclass(frozen=True)
class OwnSpans:
    """What the spans of a model add to the number explained, each in equal shares on its pieces.

    For models of ``exegesis train --readout spans``: a(i, j) u . h(i, j) of each span, with u the output weights of the
    number. Scores and the output bias make the number, exactly. The states at both ends of a span know the text around
    it, so that what a span adds need not be due to its words alone. ``details["spans"]`` has the ``top`` spans of the
    largest attention: their words, first and behind the last, and their share of attention. Raises UnsupportedError for
    a probability, which no sum of spans gives.
    """

    top: Annotated[int, at_least(1)] = 3

    def __call__(self, model: Spanned, batch: Batch, target: Target) -> Scores:
        found = model.weighed(batch)
        chosen = target.linear(found.parts.shape[-1]).to(found.parts).expand(len(batch), -1, -1)
        parts = torch.einsum("bntc,bkc->bknt", found.parts, chosen)
        values = torch.zeros_like(parts[:, :, 0])
        count = values.shape[2]
        for more in range(parts.shape[2]):  # each piece of a span of so many more pieces gets the same share
            share = parts[:, :, more, : count - more] / (more + 1)
            for behind in range(more + 1):
                values[:, :, behind : count - more + behind] += share
        bias = torch.einsum("c,bkc->bk", found.bias, chosen)
        details = [self._details(text, weights) for text, weights in zip(batch.texts, found.weights, strict=True)]
        return Scores(values, {"output bias": bias}, details)

    def _details(self, text: Text, weights: Float[Tensor, "n t"]) -> dict[str, Any]:
        """The spans of the largest attention, by the numbers of their words."""
        owner = {at: number for number, word in enumerate(text.words) for at in range(word.start, word.stop)}
        best = weights.flatten().topk(min(self.top, int((weights > 0).sum())))
        spans = []
        for share, at in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            more, start = divmod(at, weights.shape[1])
            spans.append([owner[start], owner[start + more] + 1, share])
        return {"spans": spans}

    def passes(self, words: int, numbers: int) -> int:
        """One pass."""
        return 1
