"""What a network learns from in a step, and what is watched of one that selects words after an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

WHOLE, NONE = 0.9, 0.3  # shares of texts kept whole, and of those of which nothing is kept, above which it collapses


class Shares(NamedTuple):
    """What a network that selects words keeps of some texts: the mean share of a text's words, the share of the texts
    that are kept whole, and the share of those of which nothing is kept."""

    selected: float
    whole: float
    none: float

    @property
    def collapse(self) -> str | None:
        """The collapse of the selection in words; None if there is none."""
        if self.whole > WHOLE:
            return f"the selection has collapsed: {self.whole:.0%} of the texts are kept whole"
        if self.none > NONE:
            return f"the selection has collapsed: nothing is kept of {self.none:.0%} of the texts"
        return None


@dataclass(frozen=True, eq=False)
class Lesson:
    """A batch as a network is trained on it.

    ``targets`` are the probabilities of the classes, ``marks`` are 1 on pieces that people marked, 0 on others and NaN
    in texts without marks. ``present`` weighs the texts (None: all count).
    """

    ids: Int[Tensor, "b t"]
    lengths: Int[Tensor, " b"]
    targets: Float[Tensor, "b c"]
    smoothing: float = 0.0
    present: Float[Tensor, " b"] | None = None
    marks: Float[Tensor, "b t"] | None = None

    def losses(self, logits: Float[Tensor, "b c"]) -> Float[Tensor, " b"]:
        """The cross-entropy of each text in nats."""
        return functional.cross_entropy(logits, self.targets, label_smoothing=self.smoothing, reduction="none")

    def mean(self, losses: Float[Tensor, " b"]) -> Float[Tensor, ""]:
        """The mean over the batch, to which absent texts add nothing."""
        return (losses if self.present is None else losses * self.present).mean()

    def cross_entropy(self, logits: Float[Tensor, "b c"]) -> Float[Tensor, ""]:
        """The mean cross-entropy in nats."""
        if self.present is None:
            return functional.cross_entropy(logits, self.targets, label_smoothing=self.smoothing)
        return self.mean(self.losses(logits))


def full_targets(
    classes: Int[Tensor, " b"], count: int, neutral: int, like: torch.dtype = torch.float32
) -> Float[Tensor, "b c"]:
    """One probability of 1 for each class; equal ones for texts that speak for none (``neutral``)."""
    targets = functional.one_hot(classes.clamp(min=0), count).to(like)
    targets[classes == neutral] = 1 / count
    return targets
