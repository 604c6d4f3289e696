"""Convolutional text classifiers: embedding, convolutions of several widths, maximum over time, linear."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.models.trained.architectures.config import ConvolutionalConfig
from exegesis.models.trained.architectures.network import TextClassifier, pooled, real_places
from exegesis.nn.halves import half


class ConvolutionalClassifier(TextClassifier):
    """Convolutions side by side over the word vectors, ReLU, the maximum of every filter over time (Kim 2014).

    A convolution gives one state for each word: beyond the ends of a text it reads zeros, so that texts shorter than a
    kernel have an answer too. (Kim's starts and ends inside the text.)
    """

    config: ConvolutionalConfig

    def __init__(self, config: ConvolutionalConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.embedding, config.hidden, width, padding=width // 2) for width in config.kernels
        )
        self._frame(config)

    def _read(self, embeds: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b h"]:
        real = real_places(embeds, lengths)
        inputs = embeds.masked_fill(~real[..., None], 0.0).transpose(1, 2)
        found = [
            half(torch.relu(convolution(inputs)).transpose(1, 2), f"convolution {number}")
            for number, convolution in enumerate(self.convolutions)
        ]
        return torch.cat([pooled(states, real, "max") for states in found], -1)
