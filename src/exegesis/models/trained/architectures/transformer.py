"""Transformer encoders as text classifiers: embedding, positions, layers of attention, pooling, linear."""

from __future__ import annotations

import math
from contextlib import nullcontext

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.models.trained.architectures.config import TransformerConfig
from exegesis.models.trained.architectures.network import TextClassifier, pooled, real_places
from exegesis.nn.halves import active, in_place_of_dropout


class TransformerClassifier(TextClassifier):
    """The encoder of Vaswani et al. 2017 with a pooling and a linear layer (Guan et al. 2019, Sec. 4.3).

    Word vectors times √d plus sines and cosines of the position (Vaswani et al., Sec. 3.4-3.5), layers of multi-head
    attention and of a ReLU network, each normalised after its residual. Texts may have any length. Halves of a text
    (``nn.halves``) act where dropout would: what the residuals and norms between them carry is shared.
    """

    config: TransformerConfig

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        sizes = (config.embedding, config.heads, config.feedforward, config.dropout)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(*sizes, batch_first=True) for _ in range(config.layers))
        self._frame(config)

    def _read(self, embeds: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b h"]:
        with in_place_of_dropout(self) if active() else nullcontext():
            return self._states(embeds, lengths)

    def _states(self, embeds: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b h"]:
        longest = int(lengths.max())
        states = embeds[:, :longest] * math.sqrt(self.config.embedding)
        states = self.dropout(states + positions(longest, self.config.embedding).to(states))
        real = real_places(states, lengths)
        for layer in self.layers:
            states = layer(states, src_key_padding_mask=~real)
        return states[:, 0] if self.config.readout == "first" else pooled(states, real, self.config.readout)


def positions(count: int, width: int) -> Float[Tensor, "t d"]:
    """Sines and cosines of each position, in float64 (Vaswani et al. 2017, Sec. 3.5): dimension 2i is
    sin(t / 10000^(2i/d)), dimension 2i + 1 its cosine."""
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(10000.0) / width))
    angles = torch.arange(count, dtype=torch.float64)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
