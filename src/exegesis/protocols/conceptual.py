"""What a model offers that decides through concepts: its excerpts, and what each concept adds to the outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Bool, Float
from torch import Tensor

from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier


@dataclass(frozen=True, eq=False)
class Decision:
    """The concepts of a batch.

    ``excerpt[b, k, t]`` are the pieces that concept k reads, ``chance[b, k]`` how sure its presence is (a probability,
    or a share of attention), ``present`` what was decided of it. ``parts[b, k, c]`` is what it adds to output c: zero
    if it is not present. The outputs are ``bias[c]`` and the sum of the parts, in float64.
    """

    excerpt: Bool[Tensor, "b k t"]
    chance: Float[Tensor, "b k"]
    present: Bool[Tensor, "b k"]
    parts: Float[Tensor, "b k c"]
    bias: Float[Tensor, " c"]


class Conceptual(Classifier, Protocol):
    """A model whose outputs are a sum over concepts; each reads an excerpt of the text and nothing else of it.

    ``concepts`` are their names. Two texts with the same excerpts have the same outputs.
    """

    @property
    def concepts(self) -> tuple[str, ...]: ...
    def decide(self, batch: Batch) -> Decision: ...
