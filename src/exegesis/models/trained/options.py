"""Options of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from exegesis.core.errors import UsageError, unknown
from exegesis.models.trained.adversarial import Adversaries


@dataclass(frozen=True)
class TrainOptions:
    """Options of training a classifier; the shape of the model is a NetworkConfig.

    ``patience`` epochs without a better development accuracy end the run; ``clip`` bounds the gradient's norm;
    ``average`` is the decay per step of an exponential moving average of the weights, which is then evaluated and kept
    (0: the weights themselves). ``attention_penalty`` weighs the term that keeps the rows of the readout structured
    apart (Lin et al. 2017), or lets few spans of the readout spans decide (Sun et al. 2020). ``adversarial`` is how
    far the word vectors of a text are moved to where its loss grows most, a loss that is added; ``adversary`` moves
    them to ``any`` side, or towards other ``words`` only (``adversarial.Opponent``).
    ``word_dropout`` is the share of words replaced by the unknown word.
    ``neutral`` is the label of texts that speak for no class: they are trained towards equal probabilities and left out
    of every score. ``minimum_count`` and ``lowercase`` shape the vocabulary; ``vectors`` initialises the embeddings,
    ``freeze`` keeps them fixed. ``development`` is the share of texts set aside if no development texts are given.
    """

    epochs: int = 20
    batch: int = 64
    lr: float = 1e-3
    patience: int = 3
    clip: float = 1.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    word_dropout: float = 0.0
    attention_penalty: float = 1.0
    adversarial: float = 0.0
    adversary: Adversaries = "any"
    average: float = 0.0
    neutral: str | None = None
    minimum_count: int = 1
    lowercase: bool = True
    vectors: Path | None = None
    freeze: bool = False
    development: float = 0.1
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.adversary not in get_args(Adversaries):
            raise unknown("adversary", self.adversary, get_args(Adversaries))
        for name in ("epochs", "batch", "patience", "minimum_count"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; give a whole number from 1")
        for name in ("label_smoothing", "word_dropout", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; give a number from 0 to below 1")
        for name in ("lr", "clip"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UsageError(f"{name} is {getattr(self, name)}; give a number above 0")
        for name in ("weight_decay", "attention_penalty", "adversarial"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UsageError(f"{name} is {getattr(self, name)}; give a number from 0")
        if not 0 < self.development < 1:
            raise UsageError(f"development is {self.development}; give a share between 0 and 1")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed is {self.seed}; give a whole number from 0 to below 2^63")
