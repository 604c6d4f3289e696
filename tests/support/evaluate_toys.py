"""A linear bag of words, its perfect explanation, that reversed, and marks and word lists that agree with it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import exegesis
from exegesis.models.modules.wrap import wrap
from exegesis.results.attribution import Attribution

WEIGHTS = {
    "superb": 2.2, "fine": 1.3, "warm": 0.9, "likes": 0.55, "some": 0.12,
    "film": 0.05, "the": -0.07, "long": -0.4, "flat": -0.8, "dull": -1.2, "awful": -2.1,
}  # fmt: skip
WORDS = ["<pad>", "<unk>", *WEIGHTS]


class Linear(nn.Module):
    """One number: the sum of the words' weights, and a bias. Its sign is the label."""

    def __init__(self, bias: float = 0.1) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(
            torch.tensor([0.0, 0.0, *WEIGHTS.values()], dtype=torch.float64)[:, None]
        )
        self.out = nn.Linear(1, 1, dtype=torch.float64)
        self.out.weight.data.fill_(1.0)
        self.out.bias.data.fill_(bias)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.out((self.embedding(ids) * mask[..., None]).sum(1))


def model(bias: float = 0.1):
    return wrap(Linear(bias), vocabulary=WORDS, tokenizer=str.split, labels=["bad", "good"], name="linear")


def texts(count: int, seed: int = 0, longest: int = 9) -> list[str]:
    draws = np.random.default_rng(seed)
    return [" ".join(draws.choice(list(WEIGHTS), draws.integers(3, longest + 1))) for _ in range(count)]


def perfect(linear, text: str, *, scale: float = 1.0, name: str = "perfect", target=None) -> Attribution:
    """The weights of the words, for the predicted label unless another is named."""
    found = exegesis.explain(linear, text, "leave-one-out", target)
    sign = 1.0 if found.targets[0].endswith("good") else -1.0
    scores = np.array([sign * WEIGHTS[word] for word in text.split()])
    bias = {"bias": found.explained - scores.sum()}
    return found.replace(scores=scale * scores, name=name, method=name, account=bias)


def reversed_(linear, text: str, target=None) -> Attribution:
    return perfect(linear, text, scale=-1.0, name="reversed", target=target)


def marks(result: Attribution) -> list[bool]:
    """The words that speak for the label."""
    return [bool(score > 0.3) for score in result.scores]
