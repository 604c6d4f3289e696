"""Encoders: states of all words for a selector, and one vector of the words that are left for a classifier."""

from __future__ import annotations

from typing import Literal, cast, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from exegesis.core.errors import unknown

Kind = Literal["lstm", "gru", "cnn"]
KINDS: tuple[str, ...] = get_args(Kind)
KERNEL = 3  # words in a window of the convolution


class Encoder(nn.Module):
    """A reader of word vectors ``[b, t, d]``, padded on the right.

    ``states`` gives a vector of ``width`` for each word of a whole text. ``read`` gives one vector for a text of which
    some words are left: ``gate[b, t]`` is 0 on words that are gone (and on padding), 1 on words that are there, and
    between 0 and 1 in the training of some selectors.
    """

    width: int

    def states(self, vectors: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b t h"]:
        raise NotImplementedError

    def read(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b h"]:
        raise NotImplementedError


class RecurrentEncoder(Encoder):
    """A layer of LSTM or GRU in both directions. Words that are gone are **removed**: the others move together.

    With hard gates the words that are left run through torch's kernel as a shorter text. With gates that have a
    gradient, or lie between 0 and 1, every step is ``h_t = g_t cell(g_t x_t, h_{t-1}) + (1 - g_t) h_{t-1}``, the same
    numbers for hard gates, with a gradient to the gates of words that are gone too. A text of which nothing is left is
    the zero vector.
    """

    def __init__(self, kind: Literal["lstm", "gru"], size: int, hidden: int) -> None:
        super().__init__()
        self.kind, self.width = kind, 2 * hidden
        cell = nn.LSTM if kind == "lstm" else nn.GRU
        self.layer = cell(size, hidden, batch_first=True, bidirectional=True)

    def states(self, vectors: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b t h"]:
        if bool((lengths == vectors.shape[1]).all()):
            return cast(Tensor, self.layer(vectors)[0])
        packed = pack_padded_sequence(vectors, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.layer(packed)[0], batch_first=True, total_length=vectors.shape[1])[0]

    def read(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b h"]:
        left = gate != 0
        if gate.requires_grad or bool((left & (gate != 1)).any()):
            return self._gated(vectors, gate)
        counts = left.sum(1)
        width = max(int(counts.max()), 1)
        order = torch.argsort((~left).to(torch.uint8), dim=1, stable=True)[:, :width]
        rest = vectors.gather(1, order[..., None].expand(-1, -1, vectors.shape[2]))
        packed = pack_padded_sequence(rest, counts.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        final = self.layer(packed)[1]
        hidden = final[0] if self.kind == "lstm" else final
        return torch.cat(tuple(hidden), -1).masked_fill((counts == 0)[:, None], 0.0)

    def _gated(self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"]) -> Float[Tensor, "b h"]:
        """Both directions step by step, side by side; the second reads the padded text turned round."""
        x = vectors * gate[..., None]
        x, g = torch.stack([x, x.flip(1)]), torch.stack([gate, gate.flip(1)])[..., None]
        w_x, w_h, b_x, b_h = (
            torch.stack([getattr(self.layer, f"{name}_l0"), getattr(self.layer, f"{name}_l0_reverse")])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        pre = torch.einsum("kbtd,kgd->kbtg", x, w_x) + b_x[:, None, None]
        turned, bias = w_h.transpose(1, 2), b_h[:, None]
        h = vectors.new_zeros(2, len(vectors), self.width // 2)
        c = h
        for t in range(vectors.shape[1]):
            own, m = torch.baddbmm(bias, h, turned), g[:, :, t]
            if self.kind == "lstm":
                i, f, n, o = (pre[:, :, t] + own).chunk(4, -1)
                cell = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(n)
                new = torch.sigmoid(o) * torch.tanh(cell)
                c = m * cell + (1 - m) * c
            else:
                (r, z, n), (r_h, z_h, n_h) = pre[:, :, t].chunk(3, -1), own.chunk(3, -1)
                update = torch.sigmoid(z + z_h)
                new = (1 - update) * torch.tanh(n + torch.sigmoid(r + r_h) * n_h) + update * h
            h = m * new + (1 - m) * h
        return torch.cat([h[0], h[1]], -1)


class ConvolutionEncoder(Encoder):
    """A convolution over windows of three words, ReLU. Words that are gone are **blanked**: vectors of zeros.

    ``read`` takes the maximum over the windows of the text and one window of blanks, so that how many blanks there are
    says nothing; that two words stood side by side is seen.
    """

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.width = hidden
        self.layer = nn.Conv1d(size, hidden, KERNEL, padding=KERNEL // 2)

    def states(self, vectors: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b t h"]:
        blanked = vectors.masked_fill(~real(vectors, lengths)[..., None], 0.0)
        return torch.relu(self.layer(blanked.transpose(1, 2))).transpose(1, 2)

    def read(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b h"]:
        rest = vectors * gate[..., None]
        if not gate.requires_grad:
            rest = rest.masked_fill((gate == 0)[..., None], 0.0)  # no trace, not even the sign of a zero
        windows = torch.relu(self.layer(rest.transpose(1, 2))).masked_fill(~real(vectors, lengths)[:, None], 0.0)
        assert self.layer.bias is not None
        return torch.maximum(windows.amax(2), torch.relu(self.layer.bias))


def real(vectors: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]) -> Bool[Tensor, "b t"]:
    """True on the words of each text, false on padding."""
    return torch.arange(vectors.shape[1], device=vectors.device) < lengths.to(vectors.device)[:, None]


def encoder(kind: str, size: int, hidden: int) -> Encoder:
    """A new encoder of its kind. Raises UsageError for an unknown kind."""
    if kind not in KINDS:
        raise unknown("encoder", kind, KINDS)
    return (
        ConvolutionEncoder(size, hidden)
        if kind == "cnn"
        else RecurrentEncoder(cast(Literal["lstm", "gru"], kind), size, hidden)
    )
