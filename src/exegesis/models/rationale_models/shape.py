"""The shape of a classifier that selects its words: everything that is needed to build it again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

import exegesis.models.rationale_models.selectors  # noqa: F401 - registers them
from exegesis.core.errors import UsageError, unknown
from exegesis.models.rationale_models.encoders import KINDS
from exegesis.models.rationale_models.selectors.selector import SELECTORS, Selector
from exegesis.models.trained.architectures.config import NetworkConfig, RecurrentConfig


@dataclass(frozen=True)
class RationaleConfig(NetworkConfig):
    """A selector and a classifier, each with an encoder of its own.

    ``selector`` is a name with parameters, ``hardkuma:share=0.1``, or code as ``repr`` writes it. ``encoder`` is lstm,
    gru (both directions) or cnn; ``hidden`` is the width of one direction. ``dropout`` acts on word vectors, on the
    selector's states and on what the classifier reads, while training only. ``supervision`` weighs the cross-entropy of
    the words' chances with marks given by people, for texts that have them. ``base`` is the shape of a trained
    classifier, as JSON, for a selector that masks one as it is (diffmask).
    """

    family = "rationale"
    whole = ("embedding", "hidden", "vocabulary")
    later = frozenset({"base", "paired"})

    selector: str = "hardkuma"
    encoder: str = "gru"
    hidden: int = 100
    supervision: float = 1.0
    dropout: float = 0.2
    base: str = ""

    def __post_init__(self) -> None:
        if self.encoder not in KINDS:
            raise unknown("encoder", self.encoder, KINDS)
        if self.turn_over:
            raise UsageError("a network that selects words has no halves: leave turn_over out")
        if not 0 <= self.supervision < float("inf"):
            raise UsageError(f"supervision is {self.supervision!r}; give a number from 0")
        super().__post_init__()
        object.__setattr__(self, "selector", repr(SELECTORS.make(self.selector)))

    @property
    def chosen(self) -> Selector:
        """The selector with its parameters."""
        return cast(Selector, SELECTORS.make(self.selector))

    @property
    def name(self) -> str:
        """The selector's name."""
        return SELECTORS.of(self.chosen).name

    @property
    def pairs(self) -> bool:
        return self.chosen.pairs

    @property
    def frozen(self) -> RecurrentConfig:
        """The shape of the classifier that is masked as it is. Raises UsageError if ``base`` is none."""
        try:
            entries = json.loads(self.base)
            return RecurrentConfig(**{**entries, "labels": tuple(entries["labels"])})
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(f"the shape of the masked classifier is damaged ({error})") from None

    @property
    def states(self) -> int:
        """The width of a word's state, of which the selector decides."""
        if self.base:
            return self.frozen.embedding + self.frozen.states
        return self.hidden if self.encoder == "cnn" else 2 * self.hidden

    @property
    def classes(self) -> int:
        """The number of labels."""
        return len(self.labels)

    @property
    def width(self) -> int:
        return self.states

    @property
    def tables(self) -> int:
        """The vectors that each word has: one for both parts, or one for each."""
        return 2 if self.chosen.apart else 1

    def _inside(self) -> dict[str, tuple[int, ...]]:
        return {"embedding.weight": (self.vocabulary, self.embedding * self.tables)}

    def outline(self) -> dict[str, tuple[int, ...]]:
        if self.base:
            return {f"base.{name}": shape for name, shape in self.frozen.outline().items()}
        return super().outline()

    def describe(self) -> str:
        """The shape in one phrase, without the words."""
        if self.base:
            return f"masks {self.selector} of a frozen recurrent classifier of hidden size {self.frozen.hidden}"
        kind = "CNN" if self.encoder == "cnn" else f"bidirectional {self.encoder.upper()}"
        return f"selector {self.selector} and classifier, each with a {kind} of hidden size {self.hidden}"
