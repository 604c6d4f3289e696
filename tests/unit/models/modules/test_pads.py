"""The number that fills batches up: the vocabulary's, or the padding_idx of the table that reads the words."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import exegesis

WORDS = ["the", "film", "was", "good", "bad", "dull"]


class Masked(nn.Module):
    """Counts what is not its padding_idx; with a further table of places, which has another."""

    def __init__(self, rows, pad, places=None):
        super().__init__()
        torch.manual_seed(0)
        self.places = None if places is None else nn.Embedding(places[0], 4, padding_idx=places[1])
        self.words = nn.Embedding(rows, 4, padding_idx=pad)
        self.out = nn.Linear(4, 2)

    def forward(self, ids):
        vectors = self.words(ids)
        if self.places is not None:
            vectors = vectors + self.places(torch.arange(1, 1 + ids.shape[1]))
        kept = 1.0 if self.words.padding_idx is None else (ids != self.words.padding_idx)[..., None]
        return self.out((vectors * kept).sum(1))


@pytest.mark.parametrize(
    ("arguments", "pad"),
    [
        ((6, 1), 1),
        ((6, 5), 5),
        ((7, 6), 6),
        ((6, None), 0),
        ((12, 1, (9, 0)), 1),
        ((6, 2, (9, 1)), 2),
        ((7, 6, (9, 0)), 6),
    ],
)
def test_an_unnamed_pad_is_the_modules(arguments, pad, caplog):
    model = exegesis.wrap(Masked(*arguments).eval(), vocabulary=WORDS, labels=["n", "p"])
    assert model.tokens["pad"] == pad
    assert f"; pad {pad}" in repr(model)
    assert not caplog.messages
    if arguments[1] is not None:
        assert model.plan.pads  # the module leaves this number out, so batches are exact


def test_a_named_pad_is_kept_and_a_contradiction_logged(caplog):
    module = Masked(6, 1).eval()
    assert exegesis.wrap(module, vocabulary=["<pad>", *WORDS[1:]], labels=["n", "p"]).tokens["pad"] == 0
    assert caplog.messages == ["batches are filled up with 0, though the module's padding_idx is [1]"]
