"""An encoder-decoder with attention: it reads a text and what is written of another, and names the next word."""

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


class EncoderDecoder(RecurrentClassifier):
    """An LSTM reads the first text of a pair, a second one the words written so far from its last states on, and each
    of these steps attends to the states read (Luong et al. 2015, Sec. 3.1, score general; survey, Eq. 14-17).

        s_1 ... s_n, state = LSTM(x_1 ... x_n);  h_1 ... h_m = LSTM'(y_1 ... y_m, state)
        a_t = softmax_i(h_t . W_a s_i);  c_t = sum_i a_ti s_i;  logits = W tanh(W_c [h_m; c_m] + b)

    The labels are the words that can come next, and the end of the text written; y_1 is a word that begins every text
    written (``data.steps``). So one step is one text to classify: only the last row of the attention reaches the
    logits, and the rows before it are those of the steps before. Both LSTMs have as many layers. Words, embeddings and
    their vectors are the same on both sides; the paper feeds c_t to the next step's input too (input feeding, Sec.
    3.3), this one does not. Padding reaches nothing.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        TextClassifier.__init__(self)
        self.config = config
        width, dropout = config.hidden, config.dropout if config.layers > 1 else 0.0
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.recurrent, self.decoder = (
            nn.LSTM(config.embedding, width, config.layers, batch_first=True, dropout=dropout) for _ in range(2)
        )
        self.match = nn.Linear(width, width, bias=False)
        self.softmax = nn.Softmax(dim=2)  # a separate part, so that hooks can see its weights
        self.combine = nn.Linear(2 * width, width)
        self.attention = None
        self._frame(config)
        self._remember()

    def _read(self, embeds: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b h"]:
        raise NotImplementedError("the ids say where a pair's second text begins: see forward")

    def forward(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b c"]:
        """Logits of the next word of pairs padded on the right; every length is at least 1."""
        embeds, lengths = self.embedding(ids), lengths.to(ids.device)
        (read, count), (written, steps) = ((part_of(embeds, at, many), many) for at, many in sides(ids, lengths))
        states, last = self._encoded(read, count)
        made = cast(Tensor, self.decoder(written, last)[0])
        scores = made @ self.match(states).transpose(1, 2)
        weights = self.softmax(scores.masked_fill(~real_places(states, count)[:, None], -torch.inf))
        rows, end = torch.arange(len(made), device=made.device), steps - 1
        joined = torch.cat([made[rows, end], (weights @ states)[rows, end]], -1)
        return cast(Tensor, self.output(self.dropout(torch.tanh(self.combine(joined)))))

    def _encoded(
        self, read: Float[Tensor, "b t d"], count: Int[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b t h"], tuple[Float[Tensor, "l b h"], Float[Tensor, "l b h"]]]:
        """The states of the text read, and those of every layer at its end; packs only where lengths differ."""
        if bool((count == read.shape[1]).all()):
            return cast("tuple[Tensor, tuple[Tensor, Tensor]]", self.recurrent(read))
        packed = pack_padded_sequence(read, count.cpu(), batch_first=True, enforce_sorted=False)
        states, last = self.recurrent(packed)
        return pad_packed_sequence(states, batch_first=True, total_length=read.shape[1])[0], last
