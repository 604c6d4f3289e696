"""The shape of a classifier that selects its words: everything that is needed to build it again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

import exegesis.models.rationale_models.selectors  # noqa: F401 - registers them
from exegesis.core.errors import UsageError, unknown
from exegesis.models.rationale_models.encoders import KINDS, Encoder, encoder
from exegesis.models.rationale_models.selectors.selector import SELECTORS, Selector
from exegesis.models.rationale_models.selectors.whole import Whole
from exegesis.models.rationale_models.units import UNITS, WORD
from exegesis.models.trained.architectures.config import NetworkConfig, RecurrentConfig

HF = "hf"  # an encoder of transformers; ``hf:FOLDER`` until its shape is known


@dataclass(frozen=True)
class RationaleConfig(NetworkConfig):
    """A selector and a classifier, each with an encoder of its own.

    ``selector`` is a name with parameters, ``hardkuma:share=0.1``, or code as ``repr`` writes it. ``encoder`` is lstm,
    gru (both directions) or cnn, or ``hf:FOLDER``, an encoder of transformers, from which both start; ``pretrained`` is
    its shape, as JSON, filled in by the training. ``hidden`` is the width of one direction. ``unit`` is what is kept or
    gone as a whole (``units``). ``dropout`` acts on word vectors, on the selector's states and on what the classifier
    reads, while training only. ``supervision`` weighs the cross-entropy of the units' chances with marks given by
    people, for texts that have them. ``rehearsal`` weighs the cross-entropy of the classifier on random parts of the
    texts, beside the selector's objective, in a training that starts from them (``Whole`` with ``drawn``). ``base`` is
    the shape of a trained classifier, as JSON, for a selector that masks one as it is (diffmask), or ``hf`` where that
    is the one of ``pretrained``.
    """

    family = "rationale"
    whole = ("embedding", "hidden", "vocabulary")
    later = frozenset({"base", "paired", "unit", "pretrained", "rehearsal"})

    selector: str = "hardkuma"
    encoder: str = "gru"
    hidden: int = 100
    supervision: float = 1.0
    rehearsal: float = 1.0
    dropout: float = 0.2
    base: str = ""
    unit: str = WORD
    pretrained: str = ""

    def __post_init__(self) -> None:
        if self.encoder not in (*KINDS, HF) and not self.encoder.startswith(f"{HF}:"):
            raise unknown("encoder", self.encoder, (*KINDS, f"{HF}:FOLDER"))
        if (self.encoder == HF or self.base == HF) and not self.pretrained:
            raise UsageError("an encoder of transformers needs its shape: name its folder (hf:FOLDER)")
        if self.unit not in UNITS:
            raise unknown("unit", self.unit, UNITS)
        if self.turn_over:
            raise UsageError("a network that selects words has no halves: leave turn_over out")
        for name in ("supervision", "rehearsal"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UsageError(f"{name} is {getattr(self, name)!r}; give a number from 0")
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
    def blind(self) -> bool:
        """True if the selector looks at nothing."""
        return isinstance(self.chosen, Whole)

    @property
    def grouped(self) -> bool:
        """True if what is kept or gone are not simply the pieces of texts."""
        return self.unit != WORD or bool(self.pretrained)

    def new_encoder(self) -> Encoder:
        """An encoder with first weights. Raises UsageError for one of transformers whose shape is not known yet."""
        if self.encoder == HF:
            from exegesis.models.rationale_models.pretrained import PretrainedEncoder

            return PretrainedEncoder(self.pretrained)
        if self.encoder not in KINDS:
            raise UsageError(f"the encoder {self.encoder} is read by exegesis.study.train_selecting; use that")
        return encoder(self.encoder, self.embedding, self.hidden)

    @property
    def depths(self) -> tuple[int, ...]:
        """The widths of the states of a masked classifier that its selector may look at, beside the word vectors."""
        if self.base == HF:
            from exegesis.models.rationale_models.pretrained import layers_of, width_of

            return (width_of(self.pretrained),) * layers_of(self.pretrained)
        return (self.frozen.states,) if self.base else ()

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
            return self.embedding + sum(self.depths)
        return self.hidden if self.encoder in ("cnn", HF) else 2 * self.hidden

    @property
    def classes(self) -> int:
        """The number of labels."""
        return len(self.labels)

    @property
    def width(self) -> int:
        return self.states

    @property
    def tables(self) -> int:
        """The vectors that each word has in one table: one for both parts, or one for each."""
        return 2 if self.chosen.apart else 1

    def _inside(self) -> dict[str, tuple[int, ...]]:
        return {"embedding.weight": (self.vocabulary, self.embedding * self.tables)}

    def outline(self) -> dict[str, tuple[int, ...]]:
        if self.base == HF:
            return {"kinds": (self.vocabulary,)}
        if self.base:
            return {f"base.{name}": shape for name, shape in self.frozen.outline().items()}
        if self.encoder == HF:
            return {"kinds": (self.vocabulary,), "output.weight": (len(self.labels), self.width)}
        return super().outline()

    def describe(self) -> str:
        """The shape in one phrase, without the words."""
        if self.base == HF:
            return f"masks {self.selector} of a frozen Hugging Face classifier"
        if self.base:
            return f"masks {self.selector} of a frozen recurrent classifier of hidden size {self.frozen.hidden}"
        kind = {"cnn": "CNN", HF: "Hugging Face encoder"}.get(self.encoder, f"bidirectional {self.encoder.upper()}")
        units = "" if self.unit == WORD else f" of {self.unit}s"
        return f"selector {self.selector}{units} and classifier, each with a {kind} of hidden size {self.hidden}"
