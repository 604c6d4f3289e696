"""The ability to be asked for gradients to the weights: what training left in a model, weight by weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from jaxtyping import Float, Int
from torch import Tensor

from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier


class Trained(Classifier, Protocol):
    """A model whose weights can be seen: influence of training texts, gradients of single examples.

    ``weights`` are those that training may have moved, by name, a weight with several names once. Functions that the
    model calls in ``outputs_by_weights`` receive these very tensors, so that whoever watches the functions can put
    others in their place; the outputs carry a gradient to those. ``outputs_by_weights`` takes the rows of one of the
    ``calls``: those that the model runs together.
    """

    @property
    def weights(self) -> Mapping[str, Tensor]: ...
    def calls(self, batch: Batch) -> list[Int[Tensor, " n"]]: ...
    def outputs_by_weights(self, batch: Batch) -> Float[Tensor, "b c"]: ...
