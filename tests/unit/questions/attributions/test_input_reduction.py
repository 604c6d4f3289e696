"""A text is reduced alone as it is beside others: neighbours change the rounding of its numbers, not its words."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import exegesis

WORDS = ["<pad>", "<unk>", *(f"w{number}" for number in range(12))]
DRAWS = random.Random(0)
TEXTS = [" ".join(f"w{DRAWS.randrange(12)}" for _ in range(DRAWS.randrange(3, 9))) for _ in range(16)]


class Windows(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.output = nn.Embedding(len(WORDS), 16), nn.Linear(12, 3)
        self.windows = nn.Conv1d(16, 12, 3, padding=1)

    def forward(self, ids: Tensor) -> Tensor:
        outputs: Tensor = self.output(torch.relu(self.windows(self.words(ids).transpose(1, 2))).amax(2))
        return outputs


class Attending(nn.Module):
    """Without positions: words in another order give the same number, but for rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.output = nn.Embedding(len(WORDS), 16), nn.Linear(16, 3)
        self.layer = nn.TransformerEncoderLayer(16, 2, 16, batch_first=True)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        states = self.layer(self.words(ids), src_key_padding_mask=~mask) * mask[..., None]
        outputs: Tensor = self.output(states.sum(1) / mask.sum(1)[:, None])
        return outputs


def wrapped(kind: type[nn.Module]) -> Any:
    torch.manual_seed(0)
    module = kind()
    for weight in module.parameters():
        weight.data *= 2
    return exegesis.wrap(module, vocabulary=WORDS, labels=["a", "b", "c"])


@pytest.mark.parametrize("kind", [Windows, Attending])
def test_neighbours_decide_nothing(kind: type[nn.Module]) -> None:
    model = wrapped(kind)
    together = exegesis.explain(model, TEXTS, "input-reduction")
    backwards = exegesis.explain(model, TEXTS[::-1], "input-reduction")[::-1]
    for number, text in enumerate(TEXTS):
        alone = exegesis.explain(model, text, "input-reduction")
        for other in (together[number], backwards[number]):
            np.testing.assert_array_equal(alone.scores, other.scores)
            assert alone.details == other.details


class Rounded(nn.Module):
    """A number that no word changes, but for the last bits, which are drawn by the text."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(len(WORDS), 4)

    def forward(self, ids: Tensor) -> Tensor:
        noise = ((ids * 7919).sum(1) % 13).float() * 2e-7
        zero = self.words(ids).sum((1, 2)) * 0
        return torch.stack([1 + noise + zero, zero], 1)


def test_words_that_change_nothing_but_rounding_go_in_reading_order() -> None:
    torch.manual_seed(0)
    model = exegesis.wrap(Rounded(), vocabulary=WORDS, labels=["a", "b"])
    result = exegesis.explain(model, "w5 w3 w8 w1 w7", "input-reduction", beam=1)
    assert result.details["order"] == [0, 1, 2, 3]
    assert result.details["reduced"] == ["w7"]
