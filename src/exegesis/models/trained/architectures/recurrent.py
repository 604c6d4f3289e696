"""Recurrent text classifiers: embedding, LSTM / GRU / tanh-RNN or a variant of the LSTM, readout, linear."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from exegesis.models.trained.architectures.attention import (
    AdditiveAttention,
    QueryAttention,
    Score,
    SpanAttention,
    StructuredAttention,
)
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.network import TextClassifier, pooled, real_places
from exegesis.nn.halves import active, run_halved
from exegesis.nn.lstm_variants import VariantLSTM
from exegesis.protocols.spanned import WeighedSpans

_KINDS: dict[str, type[nn.LSTM | nn.GRU | nn.RNN]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def recurrent_layer(config: RecurrentConfig) -> nn.LSTM | nn.GRU | nn.RNN | VariantLSTM:
    dropout = config.dropout if config.layers > 1 else 0.0
    sizes = (config.embedding, config.hidden, config.layers)
    if config.variant is not None:
        return VariantLSTM(config.variant, *sizes, bidirectional=config.bidirectional, dropout=dropout)
    return _KINDS[config.cell](*sizes, batch_first=True, dropout=dropout, bidirectional=config.bidirectional)


def _attention(
    config: RecurrentConfig,
) -> AdditiveAttention | QueryAttention | StructuredAttention | SpanAttention | None:
    if config.readout == "spans":
        return SpanAttention(config.states, config.span)
    if config.readout == "structured":
        return StructuredAttention(config.states, config.hops)
    if config.readout == "attention":
        return AdditiveAttention(config.states)
    kind = config.readout.removeprefix("attention-")
    return None if kind == config.readout else QueryAttention(cast(Score, kind), config.states)


def unpacked(states: Tensor | PackedSequence) -> Float[Tensor, "b t h"]:
    """States padded on the right."""
    return pad_packed_sequence(states, batch_first=True)[0] if isinstance(states, PackedSequence) else states


class RecurrentClassifier(TextClassifier):
    """Embedding, recurrent layers, readout, linear.

    The readout ``last`` is h_T of the top layer, for two directions h_T of the normal one concatenated with
    h_1 of the reverse one (Du et al. 2019, Eq. 4); ``mean``, ``max`` and ``attention`` pool all h_t;
    ``attention-dot``, ``-general`` and ``-concat`` attend from the last state (``QueryAttention``), ``structured``
    has several rows of weights (``StructuredAttention``), and ``spans`` weighs runs of words (``SpanAttention``).
    """

    config: RecurrentConfig

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.recurrent = recurrent_layer(config)
        self.attention = _attention(config)
        self._frame(config)
        self._remember()

    def _remember(self) -> None:
        """For an LSTM, a forget bias of 1, so that states last from the start."""
        if self.config.cell == "lstm":
            hidden = self.config.hidden
            for name, parameter in self.recurrent.named_parameters():
                if name.startswith("bias_ih"):
                    nn.init.ones_(parameter.data[hidden : 2 * hidden])

    def _read(self, embeds: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b h"]:
        states, last = self._run(embeds, lengths)
        return self._read_out(states, last, lengths)

    def weighed(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> WeighedSpans:
        """The spans of texts and what each adds to the logits; for the readout spans alone, when it is not trained."""
        assert isinstance(self.attention, SpanAttention)
        states = unpacked(self._run(self.embedding(ids), lengths)[0])
        weights, vectors = self.attention.spans(states, real_places(states, lengths))
        parts = weights[..., None] * (vectors @ self.output.weight.T)
        return WeighedSpans(weights, parts, self.output.bias)

    def constrain(self) -> None:
        if isinstance(self.recurrent, VariantLSTM):
            self.recurrent.constrain()

    def penalty(self) -> Tensor | None:
        return self.attention.penalty() if isinstance(self.attention, StructuredAttention | SpanAttention) else None

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
    ) -> Float[Tensor, "b r"]:
        if self.config.readout == "last":
            return last
        states_read = unpacked(states)
        real = real_places(states_read, lengths)
        if isinstance(self.attention, QueryAttention):
            return cast(Tensor, self.attention(states_read, real, last))
        if self.attention is not None:
            return cast(Tensor, self.attention(states_read, real))
        return pooled(states_read, real, self.config.readout)
