"""Recurrent text classifiers: embedding, LSTM / GRU / tanh-RNN or a variant of the LSTM, readout, linear.

Plain modules: nothing here knows of explanations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from exegesis.core.errors import UsageError, unknown
from exegesis.nn.halves import active, half, run_halved
from exegesis.nn.lstm_variants import GATES, Kind, VariantLSTM

Cell = Literal["lstm", "gru", "rnn", "lstm-nondecreasing", "lstm-markov", "lstm-no-gates"]
Readout = Literal["last", "mean", "max", "attention", "esim"]
_LIBRARY: dict[str, type[nn.LSTM | nn.GRU | nn.RNN]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


@dataclass(frozen=True)
class RecurrentConfig:
    """The shape of a classifier; everything that is needed to build it again.

    ``embedding`` and ``hidden`` are widths (``hidden`` of one direction); ``vocabulary`` is the number of rows
    of the embedding. A ``cell`` lstm-KIND is a variant of Arras et al. 2019, Sec. 11.4 (``nn.variants``).
    ``dropout`` acts between layers and on the readout, ``embedding_dropout`` on whole features of a text's
    embeddings, both while training only. With ``turn_over`` each training text trains a half of all units instead, its
    own (``nn.halves``), and nothing else is dropped. The readout esim is a network of its own, of pairs
    (``esim.Esim``).
    """

    cell: Cell = "gru"
    bidirectional: bool = False
    layers: int = 1
    embedding: int = 100
    hidden: int = 150
    dropout: float = 0.5
    embedding_dropout: float = 0.0
    readout: Readout = "last"
    vocabulary: int = 2
    labels: tuple[str, ...] = ("negative", "positive")
    turn_over: bool = False

    def __post_init__(self) -> None:
        if self.cell not in get_args(Cell):
            raise unknown("cell", self.cell, get_args(Cell))
        if self.readout not in get_args(Readout):
            raise unknown("readout", self.readout, get_args(Readout))
        for name in ("layers", "embedding", "hidden", "vocabulary"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)!r}; give a whole number from 1")
        for name in ("dropout", "embedding_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)!r}; give a number from 0 to below 1")
        if self.turn_over and (self.dropout or self.embedding_dropout):
            raise UsageError("turn_over takes the place of dropout: give dropout=0 and embedding_dropout=0")
        if self.pairs and (self.cell, self.bidirectional, self.layers) != ("lstm", True, 1):
            raise UsageError("the readout esim needs one bidirectional layer of an LSTM (--arch esim)")
        if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels):
            raise UsageError(f"labels are {', '.join(self.labels) or 'missing'}; give two or more different ones")

    @property
    def width(self) -> int:
        """The width of the readout."""
        return self.hidden * (2 if self.bidirectional else 1)

    @property
    def pairs(self) -> bool:
        """True for a classifier of pairs of texts (``esim``)."""
        return self.readout == "esim"

    @property
    def variant(self) -> Kind | None:
        """The kind of LSTM (``nn.variants``); None for a cell of the library."""
        return None if self.cell in _LIBRARY else cast(Kind, self.cell.removeprefix("lstm-"))

    @property
    def gates(self) -> str:
        """The cell's gates by letter, its input or new state among them, in the order of its weights."""
        if self.variant is not None:
            return "z" + GATES[self.variant]
        return {"lstm": "ifgo", "gru": "rzn", "rnn": "n"}[self.cell]


def _recurrent(config: RecurrentConfig) -> nn.LSTM | nn.GRU | nn.RNN | VariantLSTM:
    dropout = config.dropout if config.layers > 1 else 0.0
    sizes = (config.embedding, config.hidden, config.layers)
    if config.variant is not None:
        return VariantLSTM(config.variant, *sizes, bidirectional=config.bidirectional, dropout=dropout)
    return _LIBRARY[config.cell](*sizes, batch_first=True, dropout=dropout, bidirectional=config.bidirectional)


class AdditiveAttention(nn.Module):
    """Pooling by additive attention: weights softmax_t v · tanh(W h_t + b) over the real positions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)
        self.softmax = nn.Softmax(dim=1)  # a separate part, so that hooks can see its weights

    def forward(self, states: Float[Tensor, "b t h"], real: Bool[Tensor, "b t"]) -> Float[Tensor, "b h"]:
        scores = self.score(half(torch.tanh(self.hidden(states)), "attention")).squeeze(-1)
        weights = self.softmax(scores.masked_fill(~real, -torch.inf))
        return torch.einsum("bt,bth->bh", weights, states)


class RecurrentClassifier(nn.Module):
    """Embedding, recurrent layers, readout, linear.

    The readout ``last`` is h_T of the top layer, for two directions h_T of the normal one concatenated with
    h_1 of the reverse one (Du et al. 2019, Eq. 4); ``mean``, ``max`` and ``attention`` pool all h_t. Padding is
    on the right and reaches nothing: a text's logits do not depend on its neighbours, whatever the embedding
    of the pad token is.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.recurrent = _recurrent(config)
        self.attention = AdditiveAttention(config.width) if config.readout == "attention" else None
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.width, len(config.labels))
        self._initialise()

    def _initialise(self) -> None:
        """Small embeddings; for an LSTM a forget bias of 1, so that states last from the start."""
        nn.init.normal_(self.embedding.weight, std=0.1)
        if self.config.cell == "lstm":
            hidden = self.config.hidden
            for name, parameter in self.recurrent.named_parameters():
                if name.startswith("bias_ih"):
                    nn.init.ones_(parameter.data[hidden : 2 * hidden])

    def forward(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b c"]:
        """Logits of texts padded on the right; every length is at least 1."""
        embeds = half(self.embedding(ids), "embedding")
        if self.config.embedding_dropout and self.training:
            features = embeds.transpose(1, 2)
            embeds = functional.dropout1d(features, self.config.embedding_dropout).transpose(1, 2)
        states, last = self._run(embeds, lengths)
        return cast(Tensor, self.output(self.dropout(self._read_out(states, last, lengths))))

    def _run(
        self, embeds: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]
    ) -> tuple[Tensor | PackedSequence, Float[Tensor, "b h"]]:
        """All states of the top layer, and the last one of each direction side by side.

        Packs only where lengths differ and a reverse direction would read padding first: the kernels for unpacked
        input are faster.
        """
        shortest, longest = int(lengths.min()), int(lengths.max())
        source: Tensor | PackedSequence = embeds[:, :longest]
        if isinstance(self.recurrent, VariantLSTM):
            return self._run_variant(self.recurrent, embeds[:, :longest], lengths)
        if active():
            return run_halved(self.recurrent, embeds[:, :longest], lengths, "recurrent")
        if not self.config.bidirectional:
            states_read = cast(Tensor, self.recurrent(source)[0])
            return states_read, states_read[
                torch.arange(len(states_read), device=states_read.device), lengths.to(states_read.device) - 1
            ]
        if shortest != longest:
            source = pack_padded_sequence(embeds, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, final = self.recurrent(source)
        hidden = final[0] if self.config.cell == "lstm" else final
        directions = 2 if self.config.bidirectional else 1
        return states, torch.cat(tuple(hidden[-directions:]), dim=-1)

    def _run_variant(
        self, recurrent: VariantLSTM, embeds: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b t h"], Float[Tensor, "b h"]]:
        states = recurrent(embeds, lengths)
        last = states[torch.arange(len(states), device=states.device), lengths.to(states.device) - 1]
        if self.config.bidirectional:
            last = torch.cat([last[:, : self.config.hidden], states[:, 0, self.config.hidden :]], -1)
        return states, last

    def _read_out(
        self, states: Tensor | PackedSequence, last: Float[Tensor, "b h"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b h"]:
        if self.config.readout == "last":
            return last
        states_read = pad_packed_sequence(states, batch_first=True)[0] if isinstance(states, PackedSequence) else states
        real = torch.arange(states_read.shape[1], device=states_read.device) < lengths.to(states_read.device)[:, None]
        if self.attention is not None:
            return cast(Tensor, self.attention(states_read, real))
        if self.config.readout == "max":
            return states_read.masked_fill(~real[..., None], -torch.inf).amax(dim=1)
        return states_read.masked_fill(~real[..., None], 0.0).sum(dim=1) / lengths.to(states_read)[:, None]
