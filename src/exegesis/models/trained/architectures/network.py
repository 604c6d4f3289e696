"""What all classifiers share that Exegesis trains: embeddings, a vector that sums up a text, and a linear output layer.

Plain modules: nothing here knows of explanations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, cast

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional

from exegesis.models.trained.architectures.config import NetworkConfig
from exegesis.models.trained.taught import Lesson, Shares
from exegesis.nn.halves import half


class TextClassifier(nn.Module):
    """Embedding, a network that makes one vector of a text, linear output layer.

    Padding is on the right and reaches nothing: a text's logits do not depend on its neighbours, whatever the
    embedding of the pad token is.
    """

    config: NetworkConfig
    embedding: nn.Embedding
    dropout: nn.Dropout
    output: nn.Linear
    still: ClassVar[bool] = False  # True if word vectors are never trained

    def _frame(self, config: NetworkConfig) -> None:
        """Make the parts that all classifiers have, in the order in which their first weights are drawn."""
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.width, len(config.labels))
        nn.init.normal_(self.embedding.weight, std=0.1)

    def forward(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b c"]:
        """Logits of texts padded on the right; every length is at least 1."""
        embeds = half(self.embedding(ids), "embedding")
        if self.config.embedding_dropout and self.training:
            features = embeds.transpose(1, 2)
            embeds = functional.dropout1d(features, self.config.embedding_dropout).transpose(1, 2)
        return cast(Tensor, self.output(self.dropout(self._read(embeds, lengths))))

    def _read(self, embeds: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b h"]:
        """The vector that sums up a text."""
        raise NotImplementedError

    def loss(self, lesson: Lesson) -> Float[Tensor, ""]:
        """The number that a step of training makes smaller, without its ``penalty``: by default the cross-entropy."""
        return lesson.cross_entropy(self(lesson.ids, lesson.lengths))

    def start(self, number: int, vector: Float[Tensor, " d"]) -> None:
        """Give a word a vector from which its training starts."""
        self.embedding.weight[number] = vector

    def meet(self, tokens: Sequence[str], special: frozenset[int]) -> None:
        """Take from the vocabulary what a network must know of its pieces; ``special`` ones stand around texts."""

    def begin(self, texts: Sequence[Int[Tensor, " _"]], classes: Sequence[int]) -> None:
        """Take from the training texts what a network must know of them before its first step."""

    def watch(self, batches: Iterable[tuple[Int[Tensor, "b t"], Int[Tensor, " b"]]]) -> Shares | None:
        """What the network keeps of texts; None for one that selects no words."""
        return None

    def fits(self, shares: Shares | None) -> bool:
        """True if an epoch with these shares may be the best one."""
        return True

    def constrain(self) -> None:
        """Put weights that a step has moved too far back to where they must be."""

    def penalty(self) -> Tensor | None:
        """What the last batch adds to the loss, a mean over its texts; None for a network without such a term."""
        return None


def real_places(states: Shaped[Tensor, "b t h"], lengths: Int[Tensor, " b"]) -> Bool[Tensor, "b t"]:
    """True where a state, or an id of one dimension, is that of a word, and not of padding."""
    return torch.arange(states.shape[1], device=states.device) < lengths.to(states.device)[:, None]


def pooled(states: Float[Tensor, "b t h"], real: Bool[Tensor, "b t"], how: str) -> Float[Tensor, "b h"]:
    """The mean or the maximum of the real states."""
    if how == "max":
        return states.masked_fill(~real[..., None], -torch.inf).amax(dim=1)
    return states.masked_fill(~real[..., None], 0.0).sum(dim=1) / real.sum(1, keepdim=True).to(states)
