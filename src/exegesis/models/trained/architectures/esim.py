"""ESIM, a classifier of pairs of texts: an LSTM over each, attention between them, a second LSTM (Chen et al. 2017)."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.network import TextClassifier, real_places
from exegesis.models.trained.architectures.pairs import part_of, sides
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.nn.halves import active, half, run_halved


class Esim(RecurrentClassifier):
    """Enhanced LSTM for natural language inference, its sequential half (Chen et al. 2017, Sec. 3; no tree-LSTM).

    A pair comes as one row of ids with the number of ``<pair>`` between its texts. With a and b the states of a
    bidirectional LSTM over each text (one LSTM for both):

        e_ij = a_i . b_j;  a'_i = sum_j softmax_j(e_ij) b_j;  b'_j = sum_i softmax_i(e_ij) a_i          (Eq. 11-13)
        m_a = F[a; a'; a - a'; a * a'], m_b likewise, F a linear map with ReLU                            (Eq. 14-15)
        v = [mean; max] over time of a second bidirectional LSTM over m_a and m_b                         (Eq. 18-19)
        logits = W tanh(H v)

    A row without ``<pair>`` is compared with itself; a side that has lost all its words is read as the vector of
    ``<pair>``. Padding reaches nothing.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        TextClassifier.__init__(self)
        self.config = config
        hidden, width = config.hidden, config.states
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.recurrent = nn.LSTM(config.embedding, hidden, batch_first=True, bidirectional=True)
        self.project = nn.Linear(4 * width, hidden)
        self.inference = nn.LSTM(hidden, hidden, batch_first=True, bidirectional=True)
        self.hidden = nn.Linear(4 * width, width)
        self.attention = None
        self._frame(config)
        self._remember()

    def forward(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b c"]:
        """Logits of pairs padded on the right; every length is at least 1."""
        embeds, lengths = half(self.embedding(ids), "embedding"), lengths.to(ids.device)
        (first, n_a), (second, n_b) = ((part_of(embeds, start, count), count) for start, count in sides(ids, lengths))
        a, b = (
            self._read_side("recurrent", self.dropout(first), n_a),
            self._read_side("recurrent", self.dropout(second), n_b),
        )
        real_a, real_b = real_places(a, n_a), real_places(b, n_b)
        scores = a @ b.transpose(1, 2)
        to_b = torch.softmax(scores.masked_fill(~real_b[:, None], -torch.inf), 2)
        to_a = torch.softmax(scores.transpose(1, 2).masked_fill(~real_a[:, None], -torch.inf), 2)
        pooled = []
        for own, other, count, real in ((a, to_b @ b, n_a, real_a), (b, to_a @ a, n_b, real_b)):
            joined = torch.cat([own, other, own - other, own * other], -1)
            projected = half(torch.relu(self.project(joined)), "project")
            states = self._read_side("inference", self.dropout(projected), count)
            pooled += [
                states.masked_fill(~real[..., None], 0.0).sum(1) / count[:, None].to(states),
                states.masked_fill(~real[..., None], -torch.inf).amax(1),
            ]
        hidden = half(torch.tanh(self.hidden(self.dropout(torch.cat(pooled, -1)))), "hidden")
        return cast(Tensor, self.output(self.dropout(hidden)))

    def _read_side(
        self, name: str, inputs: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b t h"]:
        """The states of a layer; packs only where lengths differ."""
        layer = cast(nn.LSTM, getattr(self, name))
        if active():
            return run_halved(layer, inputs, lengths, name)[0]
        if bool((lengths == inputs.shape[1]).all()):
            return cast(Tensor, layer(inputs)[0])
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=inputs.shape[1])[0]
