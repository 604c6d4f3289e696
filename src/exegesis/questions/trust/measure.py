"""Measures and their registry. A measure is a frozen dataclass that scores one explanation of one text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeVar, get_args

import numpy as np
from jaxtyping import Bool, Float

from exegesis.core.registry import Registry
from exegesis.core.text import Span, Text
from exegesis.core.ties import ranked, slack_of

RESAMPLE = "resample"
DRAWS = 4  # answers are averaged over as many replacements of a text's words
Way = Literal["drop", "zero", "pad", "unknown", "mask", "resample"]  # the replacement of removed words
WAYS: tuple[str, ...] = get_args(Way)
DELETION, SCORES, NONE = "deletion", "scores", "none"  # the controls of a measure


@dataclass(frozen=True, eq=False)
class Case:
    """A text of an evaluation, with the model's answer for the whole text.

    ``label`` is the label that the explanations are about, ``chance`` its probability (for a regression, which has no
    labels to flip, the output itself), ``marks`` are the words that people marked, or None. ``decided``: the label is
    the predicted one (with independent labels: its probability is above 0.5).
    """

    text: Text
    label: str
    chance: float
    regression: bool = False
    marks: Bool[np.ndarray, " words"] | None = None
    decided: bool = True

    @property
    def count(self) -> int:
        """The number of words in the text."""
        return len(self.text.words)

    @property
    def full(self) -> int:
        """All words, as bits of a whole number."""
        return (1 << self.count) - 1


@dataclass(frozen=True, eq=False)
class Given:
    """An explanation of a text, in the form that measures read: a score per word, the explained number and its gap.

    ``number`` is the explained number (a logit, a probability), ``gap`` the part of it that the explanation leaves
    unexplained. ``spans`` has the scores of phrases, by level and span of word numbers, if the method scores phrases
    itself.
    """

    scores: Float[np.ndarray, " words"]
    number: float
    gap: float
    spans: Mapping[tuple[str, Span], float] = field(default_factory=dict)

    def order(self) -> list[int]:
        """The numbers of the words from the highest score to the lowest; ties, also by rounding, in reading order."""
        scores = self.scores.tolist()
        return ranked(scores, slack_of(scores))


class Answers(NamedTuple):
    """The model's answers for the perturbed texts of one explanation.

    ``chance`` is the label's probability, ``number`` the explained number, ``same`` is true if the model still decides
    for the label (predicts it; with independent labels: gives it a probability above 0.5).
    """

    chance: Float[np.ndarray, " n"]
    number: Float[np.ndarray, " n"]
    same: Bool[np.ndarray, " n"]


class Score(NamedTuple):
    """A measure's number for one text, NaN if the text has none, and the curve on ``GRID`` from which it was read."""

    value: float
    curve: Float[np.ndarray, " points"] | None = None


class Measure(Protocol):
    """A measure: ``asks`` names the words to keep in each perturbed text, a bit per word; ``score`` reads the answers.

    ``how`` says what replaces the other words: a ``Way``, of which ``resample`` draws pieces from the evaluated texts.
    It is empty for a measure that needs no perturbed texts.
    """

    @property
    def how(self) -> str: ...
    def asks(self, case: Case, given: Given) -> list[int]: ...
    def score(self, case: Case, given: Given, answers: Answers) -> Score: ...


@dataclass(frozen=True)
class MeasureCard:
    """The public facts about a measure.

    ``question`` is the question that it answers, ``paper`` its source. ``higher``: a higher number is better.
    ``controls`` names its references: ``DELETION`` has all, ``SCORES`` all but greedy removal, ``NONE`` random scores
    alone. ``ranks``: methods are ranked by it, except the methods that it ``favours``, which have the best number by
    definition.
    """

    name: str
    question: str
    paper: str
    higher: bool
    controls: str
    ranks: bool
    favours: tuple[str, ...]
    cls: type


MEASURES: Registry[MeasureCard] = Registry("measure")
T = TypeVar("T", bound=type)


def measure(
    name: str,
    *,
    question: str,
    paper: str,
    higher: bool,
    controls: str = DELETION,
    ranks: bool = True,
    favours: tuple[str, ...] = (),
) -> Callable[[T], T]:
    """Register a frozen dataclass as a measure; its parameters are checked by their annotations from then on.

    The arguments are those of ``MeasureCard``. Raises UsageError if the name is taken or the class is not a frozen
    dataclass.
    """

    def register(cls: T) -> T:
        MEASURES.add(MeasureCard(name, question, paper, higher, controls, ranks, favours, cls))
        return cls

    return register


def measures() -> tuple[MeasureCard, ...]:
    """The cards of all registered measures, by name."""
    return tuple(MEASURES)


def card_of(value: object) -> MeasureCard:
    """The card of a measure value. Raises UsageError for any other value."""
    return MEASURES.of(value)


def make(given: str | Measure) -> Measure:
    """Build a measure from ``name`` or ``name:parameter=value:...``; a measure value is returned unchanged.

    Raises UsageError for an unknown name or parameter and for a value that does not fit.
    """
    built: Measure = MEASURES.make(given)
    return built


def title(value: Measure) -> str:
    """The measure's name, with the parameters that differ from their defaults: ``deletion (pad, words=5)``.

    Text stands alone, numbers with the name of their parameter; paths are shown without their folders.
    """
    card, parts = card_of(value), []
    for parameter in dataclasses.fields(card.cls):
        setting = getattr(value, parameter.name)
        if setting != parameter.default:
            parts.append(Path(setting).name if isinstance(setting, str) else f"{parameter.name}={setting}")
    return f"{card.name} ({', '.join(parts)})" if parts else card.name


def bits(words: Sequence[int]) -> int:
    """Word numbers as bits of a whole number."""
    return sum(1 << word for word in words)
