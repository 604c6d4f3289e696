"""The vector that an encoder makes of a text, and its components as the numbers that are explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import ModelError
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.protocols.batch import Batch


@dataclass(frozen=True, eq=False, repr=False)
class FeatureClassifier(HuggingFaceClassifier):
    """The vector of a text, each of whose components is a number: for looking into an encoder that decides nothing.

    The vector is the mean of the last hidden states, special pieces included, or what the folder of a sentence encoder
    says (``pooled_states``).
    """

    pooling: str = "mean"

    def _read_off(self, answer: Any, batch: Batch) -> Float[Tensor, "b d"]:
        return pooled_states(answer, batch, self.pooling, self.name)


def dimensions(config: Any) -> tuple[str, ...]:
    """The names of the components of the hidden states of a model."""
    return tuple(f"dimension {number}" for number in range(1, int(config.hidden_size) + 1))


def pooled_states(answer: Any, batch: Batch, pooling: str, name: str) -> Float[Tensor, "b d"]:
    """The mean of the last hidden states of each text's pieces, special ones included (``mean``), the first piece's
    (``cls``) or the last one's (``last``). Raises ModelError for a module that gives no such states."""
    states = getattr(answer, "last_hidden_state", None)
    if not isinstance(states, Tensor) or states.dim() != 3 or states.shape[1] < batch.ids.shape[1]:
        raise ModelError(f"model {name} gives no last hidden state for each piece: take an encoder of texts")
    states = states[:, : batch.ids.shape[1]]
    if pooling == "mean":
        weights = batch.mask[..., None].to(states)
        return (states * weights).sum(1) / weights.sum(1)
    places = torch.zeros_like(batch.lengths) if pooling == "cls" else batch.lengths - 1
    return states[torch.arange(len(batch), device=states.device), places]
