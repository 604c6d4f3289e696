"""A linear bag of words whose every word's worth is known, and texts to study it on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import exegesis

WORTH = {  # logit of "good" less that of "bad" that each word adds
    "fine": 2.0, "great": 3.0, "poor": -2.0, "awful": -3.0, "film": 0.0, "plot": 0.1, "the": 0.0, "is": 0.0,
    "a": 0.0, "friday": -2.5, "monday": 0.0, "terribly": -2.5, "really": 0.0, "very": 0.0, "not": -0.5, "it": 0.0,
}  # fmt: skip
WORDS = ["<pad>", "<unk>", *WORTH]


class Bag(nn.Module):
    """Logits ``(bad, good)`` are the sums of the words' vectors: minus half and half of each word's worth."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 2)
        self.out = nn.Linear(2, 2)
        with torch.no_grad():
            worth = torch.tensor([0.7, 0.0, *WORTH.values()], dtype=torch.float64)
            self.embedding.weight.data = torch.stack([-worth / 2, worth / 2], 1)
            self.out.weight.data = torch.eye(2, dtype=torch.float64)
            self.out.bias.data = torch.tensor([0.0, 0.2], dtype=torch.float64)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.out((self.embedding(ids) * mask[..., None]).sum(1))


def model():
    return exegesis.wrap(Bag().eval(), vocabulary=WORDS, tokenizer=str.split, labels=["bad", "good"], name="bag")


def tagger(words):
    """Tags of the toy's words, a few of them verbs of several forms."""
    known = {"fine": "JJ", "great": "JJ", "poor": "JJ", "awful": "JJ", "film": "NN", "plot": "NN", "the": "DT",
             "a": "DT", "is": "VBZ", "was": "VBD", "terribly": "RB", "really": "RB", "very": "RB", "not": "RB",
             "friday": "NNP", "monday": "NNP", "it": "PRP"}  # fmt: skip
    return [known[word.lower()] for word in words]
