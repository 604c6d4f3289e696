"""What a model offers that weighs runs of words: its spans, and what each adds to the outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier


@dataclass(frozen=True, eq=False)
class WeighedSpans:
    """The spans of a batch of texts.

    ``weights[b, n, t]`` is the share of attention of the span of n + 1 pieces that begins at piece t, zero where it
    would leave the text; those of a text sum to 1. ``parts[b, n, t, c]`` is what the span adds to output c. The
    outputs are ``bias[c]`` and the sum of the parts.
    """

    weights: Float[Tensor, "b n t"]
    parts: Float[Tensor, "b n t c"]
    bias: Float[Tensor, " c"]


class Spanned(Classifier, Protocol):
    """A model whose outputs are a sum over spans of the text, each by its share of attention."""

    def weighed(self, batch: Batch) -> WeighedSpans: ...
