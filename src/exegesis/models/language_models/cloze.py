"""The network of the small language model, which predicts a word from the words on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

BLANK, START, STOP = "<blank>", "<s>", "</s>"


@dataclass(frozen=True)
class ClozeConfig:
    """Widths of the network; ``vocabulary`` counts the rows of the embedding, ``dropout`` acts while training."""

    vocabulary: int = 10_000
    embedding: int = 96
    hidden: int = 160
    dropout: float = 0.1


class ClozeNetwork(nn.Module):
    """A network that predicts the word at position t from both sides.

    The logits come from h_{t-1} of an LSTM that reads forwards and h_{t+1} of one that reads backwards; neither has
    read word t. Input and output embeddings are one matrix. Texts are put between a start and a stop token, so position
    t of a text of n words is t + 1 of n + 2.
    """

    def __init__(self, config: ClozeConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.forwards = nn.LSTM(config.embedding, config.hidden, batch_first=True)
        self.backwards = nn.LSTM(config.embedding, config.hidden, batch_first=True)
        self.mix = nn.Linear(2 * config.hidden, config.embedding)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embedding.weight, std=0.1)

    def forward(
        self, ids: Int[Tensor, "b n"], mirrored: Int[Tensor, "b n"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "w v"]:
        """Logits at every word of every text, row after row.

        ``ids`` are texts with start and stop token, padded on the right; ``mirrored`` the same, each text reversed
        in its place; ``lengths`` count both tokens.
        """
        before = self.forwards(self.dropout(self.embedding(ids)))[0]
        after = self.backwards(self.dropout(self.embedding(mirrored)))[0]
        position = torch.arange(ids.shape[1], device=ids.device)
        mirror = (lengths[:, None] - 1 - position).clamp(min=0)
        after = after.gather(1, mirror[..., None].expand_as(after))  # now in the order of the text
        real = position[1:-1] < lengths[:, None] - 1
        states = torch.cat([before[:, :-2], after[:, 2:]], -1)[real]
        return self.logits(states)

    def logits(self, states: Float[Tensor, "w s"]) -> Float[Tensor, "w v"]:
        """From the forward state before a position and the backward state after it."""
        mixed = self.dropout(torch.tanh(cast(Tensor, self.mix(states))))
        return cast(Tensor, mixed @ self.embedding.weight.T + self.bias)
