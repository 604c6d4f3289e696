"""Attention that an aspect guides: what a text says of the food, or of the service (Wang et al. 2016)."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.network import TextClassifier, pooled, real_places
from exegesis.models.trained.architectures.pairs import part_of, sides
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier, recurrent_layer, unpacked
from exegesis.nn.halves import half


class AspectClassifier(RecurrentClassifier):
    """A recurrent classifier of pairs (text, aspect) whose attention depends on the aspect: ATAE (Wang et al. 2016,
    Sec. 3.3-3.4; survey, [201]), with any cell, depth and direction.

        h_t of the cell over [x_t; v];  a = softmax_t w . tanh(W_h h_t + W_v v);  r = sum a_t h_t
        logits = W tanh(W_p r + W_x h_N)

    The paper puts W_h h_t and W_v v side by side in the tanh (Eq. 7-8), where the half of v adds one number to all
    scores, which a softmax does not see; added up, the aspect moves the weights. The paper learns a vector v for each
    aspect of a fixed list; here v = A u with u the mean of the word vectors of the aspect, so that one in other
    words, or not seen in training, has a vector too. A row without ``<pair>`` is its own aspect. Padding reaches
    nothing.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        TextClassifier.__init__(self)
        self.config = config
        size, width = config.embedding, config.states
        self.embedding = nn.Embedding(config.vocabulary, size)
        self.aspect = nn.Linear(size, size, bias=False)
        self.recurrent = recurrent_layer(replace(config, embedding=2 * size))
        self.hidden = nn.Linear(width, width, bias=False)
        self.guide = nn.Linear(size, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)
        self.softmax = nn.Softmax(dim=1)
        self.attended = nn.Linear(width, width, bias=False)
        self.last = nn.Linear(width, width, bias=False)
        self.attention = None
        self._frame(config)
        self._remember()

    def _read(self, embeds: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b h"]:
        raise NotImplementedError("the ids say where a pair's second text begins: see forward")

    def forward(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b c"]:
        """Logits of pairs padded on the right; every length is at least 1."""
        embeds, lengths = half(self.embedding(ids), "embedding"), lengths.to(ids.device)
        (first, count), (second, words) = ((part_of(embeds, at, count), count) for at, count in sides(ids, lengths))
        aspect = self.aspect(pooled(second, real_places(second, words), "mean"))
        beside = aspect[:, None].expand(-1, first.shape[1], -1)
        found, last = self._run(torch.cat([first, beside], -1), count.cpu())
        states = unpacked(found)
        guided = torch.tanh(self.hidden(states) + self.guide(aspect)[:, None])
        scores = self.score(half(guided, "attention")).squeeze(-1)
        weights = self.softmax(scores.masked_fill(~real_places(states, count), -torch.inf))
        attended = torch.einsum("bt,bth->bh", weights, states)
        vector = half(torch.tanh(self.attended(attended) + self.last(last)), "attended")
        return cast(Tensor, self.output(self.dropout(vector)))
