"""The network of the bundled tagger: hashed spelling features, a bidirectional LSTM, one softmax per word."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

FEATURES = 10


class TagNetwork(nn.Module):
    """A tagger network: ten hashed features per word, looked up in one table, concatenated and read by an LSTM.

    Args:
        rows: size of the table; features share rows where their hashes agree.
        width: size of a feature's vector.
        hidden: units of the LSTM in each direction.
        tags: number of tags.
        dropout: on the LSTM's input and output, while training.
    """

    def __init__(self, rows: int, width: int, hidden: int, tags: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, width)
        self.lstm = nn.LSTM(FEATURES * width, hidden, bidirectional=True, batch_first=True)
        self.readout = nn.Linear(2 * hidden, tags)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, lengths: Sequence[int]) -> Tensor:
        """Logits (texts, words, tags) of features (texts, words, FEATURES), padded on the right."""
        inputs = self.dropout(self.table(features).flatten(2))
        counts = torch.as_tensor(lengths, device="cpu")
        packed = pack_padded_sequence(inputs, counts, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        logits: Tensor = self.readout(self.dropout(states))
        return logits


@lru_cache(maxsize=1 << 16)
def features(word: str, rows: int) -> tuple[int, ...]:
    """The table rows of a word's ten features: the word (hashed twice), prefixes, suffixes, shape.

    Case matters only in the shape; all digits are read as 0. Any string is accepted, including a lone surrogate and
    the empty string.
    """
    lower = "".join("0" if letter.isdigit() else letter for letter in word.lower())
    values = (lower, lower, *(lower[:n] for n in (1, 2, 3)), *(lower[-n:] for n in (1, 2, 3, 4)), shape(word))
    return tuple(1 + _hash(f"{kind}:{value}") % (rows - 1) for kind, value in enumerate(values))


def _hash(value: str) -> int:
    return zlib.crc32(value.encode("utf-8", "surrogatepass"))


def shape(word: str) -> str:
    """The shape of a word: X for a capital, x for another letter, 0 for a digit; runs are cut to three."""
    letters = ["X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word]
    return "".join(c for at, c in enumerate(letters) if letters[max(0, at - 3) : at] != [c] * 3)
