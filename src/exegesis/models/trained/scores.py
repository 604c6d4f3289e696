"""Scores of a classifier on labelled texts, and the record of an epoch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from exegesis.core.escapes import markdown
from exegesis.models.trained.architectures.network import TextClassifier
from exegesis.models.trained.corpus import NEUTRAL, Corpus
from exegesis.models.trained.taught import Shares


@dataclass(frozen=True)
class Epoch:
    """The record of an epoch: its number from 1, mean training loss in nats, development accuracy and loss, seconds.

    ``shares`` are those of the development texts that a network keeps if it selects words, and ``fits`` is false if
    they are far from what was wanted: such an epoch is kept only if there is no other.
    """

    number: int
    loss: float
    dev_accuracy: float
    dev_loss: float
    seconds: float
    shares: Shares | None = None
    fits: bool = True

    @property
    def rank(self) -> tuple[bool, float, float, float, float]:
        """What is larger for a better epoch: one that fits, and is more accurate; of two that select words and are
        alike in this, the one that says less by silence, then the one that keeps less, then that of the lower loss."""
        if self.shares is None:
            return self.fits, self.dev_accuracy, 0.0, 0.0, 0.0
        return self.fits, self.dev_accuracy, -self.shares.none, -self.shares.selected, -self.dev_loss


@dataclass(frozen=True)
class Score:
    """``confusion[i][j]`` counts the texts of class i that were taken for class j; ``loss`` is their mean
    cross-entropy in nats. Neutral texts are left out."""

    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    loss: float

    @property
    def total(self) -> int:
        """The number of texts."""
        return sum(map(sum, self.confusion))

    @property
    def accuracy(self) -> float:
        """The share of texts on the diagonal; NaN if there are no texts."""
        right = sum(row[i] for i, row in enumerate(self.confusion))
        return right / self.total if self.total else float("nan")

    def table(self) -> list[str]:
        """The lines of a Markdown table of gold labels by predicted ones."""
        labels = list(map(markdown, self.labels))
        rows = [[label, *map(str, row)] for label, row in zip(labels, self.confusion, strict=True)]
        head = ["gold \\ predicted", *labels]
        return ["| " + " | ".join(row) + " |" for row in (head, ["---", *["---:"] * len(labels)], *rows)]


@torch.no_grad()
def score(module: TextClassifier, corpus: Corpus, batch: int = 256) -> Score:
    """Hold a classifier against labels; its mode is put back afterwards."""
    labels = module.config.labels
    device = module.output.weight.device
    table = torch.zeros(len(labels), len(labels), dtype=torch.long)
    loss, training = 0.0, module.training
    module.eval()
    try:
        for part in corpus.in_order(batch):
            logits = module(part.ids.to(device), part.lengths).cpu().double()
            real = part.classes != NEUTRAL
            gold, logits = part.classes[real], logits[real]
            loss += float(functional.cross_entropy(logits, gold, reduction="sum"))
            table.index_put_((gold, logits.argmax(dim=1)), torch.tensor(1), accumulate=True)
    finally:
        module.train(training)
    total = int(table.sum())
    return Score(labels, tuple(tuple(row) for row in table.tolist()), loss / total if total else float("nan"))
