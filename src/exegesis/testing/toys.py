"""Two small models without training, on which authors' methods, searches and measures are tried."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from exegesis.models.modules.wrap import wrap
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.protocols.model import Classifier

# the words of a text, and how much each adds to the label "good"
WEIGHTS = {
    "superb": 2.2, "fine": 1.3, "warm": 0.9, "likes": 0.55, "some": 0.12,
    "film": 0.05, "the": -0.07, "long": -0.4, "flat": -0.8, "dull": -1.2, "awful": -2.1,
}  # fmt: skip
BIAS = 0.1
LABELS = ("bad", "good")
# of different lengths, one word alone, two of the same length, and one text twice
TEXTS = (
    "the superb film likes some",
    "dull",
    "the long flat film likes the dull film",
    "fine warm",
    "awful some the long",
    "the superb film likes some",
)
_VOCABULARY = ("<pad>", "<unk>", "<mask>", *WEIGHTS)


def bag_of_words() -> Classifier:
    """A linear bag of words in float64: one number, the sum of ``WEIGHTS`` plus ``BIAS``; its sign is the label."""
    return wrap(_Bag(), vocabulary=_VOCABULARY, tokenizer=str.split, labels=LABELS, name="bag of words")


def recurrent_model(seed: int = 0) -> Classifier:
    """A bidirectional LSTM in float64 with random weights and three labels, which can serve every method."""
    config = RecurrentConfig(
        cell="lstm", bidirectional=True, readout="mean", embedding=3, hidden=4, dropout=0.5,
        vocabulary=len(_VOCABULARY), labels=("first", "second", "third"),
    )  # fmt: skip
    module = RecurrentClassifier(config).double()
    draws = torch.Generator().manual_seed(seed)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=draws, dtype=torch.float64)
    return wrap(module.train(), vocabulary=_VOCABULARY, tokenizer=str.split, labels=config.labels, name="recurrent")


class _Bag(nn.Module):
    """The sum of the weights of a text's words, and a bias."""

    def __init__(self) -> None:
        super().__init__()
        weights = torch.tensor([0.0, 0.0, 0.0, *WEIGHTS.values()], dtype=torch.float64)
        self.embedding = nn.Embedding(len(weights), 1, _weight=weights[:, None])
        self.out = nn.Linear(1, 1, dtype=torch.float64)
        self.out.weight.data.fill_(1.0)
        self.out.bias.data.fill_(BIAS)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The outputs ``[b, 1]``, one number per text."""
        summed: Tensor = (self.embedding(ids) * mask[..., None]).sum(1)
        scores: Tensor = self.out(summed)
        return scores
