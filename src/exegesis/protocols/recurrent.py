"""Unrolled recurrent passes: the inputs and states of an LSTM, GRU or RNN, and the way from states to outputs.

A recurrent layer reads positions; every piece of a text is one position. These are plain values;
``exegesis.nn.recurrent`` computes gates and cell states from them.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Direction:
    """The pass of one direction of a layer, in its *reading order*: position 0 is the piece that it reads first.

    For the reverse direction that is the last piece of each text; rows are padded on the right in both. Weights are
    PyTorch's: rows of gates i, f, g, o for an LSTM and r, z, n for a GRU. ``h0`` (and ``c0`` of an LSTM) is the state
    before the first piece. ``hidden[:, t]`` is the state after piece t; after a text's end it is undefined.
    """

    cell: str  # lstm, gru, rnn_tanh or rnn_relu
    reverse: bool
    weight_ih: Float[Tensor, "g d"]
    weight_hh: Float[Tensor, "g h"]
    bias_ih: Float[Tensor, " g"] | None
    bias_hh: Float[Tensor, " g"] | None
    inputs: Float[Tensor, "b t d"]
    hidden: Float[Tensor, "b t h"]
    h0: Float[Tensor, "b h"]
    c0: Float[Tensor, "b h"] | None
    lengths: Int[Tensor, " b"]


@dataclass(frozen=True, eq=False)
class Term:
    """A block of the vector that the output layer reads: ``sum_t weights_t * h_t`` of one direction.

    ``kind`` is last, first, mean, max, sum or attention. ``weights`` are in the direction's reading order, one number
    per position (``[b, t, 1]``) or one per position and unit (max: a one at the maximum), zero after a text's
    end. ``linear`` are the columns of the output layer that read this block. For attention and max the weights are
    those of this text, taken as constants.
    """

    direction: int
    kind: str
    weights: Float[Tensor, "b t u"]
    linear: Float[Tensor, "c h"]


@dataclass(frozen=True, eq=False)
class Unrolled:
    """A whole recurrent pass over a batch.

    ``layers`` come from bottom to top, each with its one or two directions. The raw ``outputs`` are the sum of the
    ``terms`` over the top layer, each through its ``linear``, plus ``bias``. Three facts hold for all texts of the
    model, not only for these. ``same_start``: every text starts from the same states. ``blind``: pieces are told apart
    by their vectors alone, so that neither a pad token nor a vector of zeros is left out or counted in another way.
    ``folded``: several linear layers in a row are folded into one.
    """

    layers: tuple[tuple[Direction, ...], ...]
    terms: tuple[Term, ...]
    bias: Float[Tensor, " c"]
    outputs: Float[Tensor, "b c"]
    same_start: bool = False
    blind: bool = False
    folded: bool = False
