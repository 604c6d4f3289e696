"""What a measure is: a frozen dataclass that scores one explanation of one text."""

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

RESAMPLE = "resample"
Way = Literal["drop", "zero", "pad", "unknown", "mask", "resample"]  # what takes the place of removed words
WAYS: tuple[str, ...] = get_args(Way)
DELETION, SCORES, NONE = "deletion", "scores", "none"  # which controls a measure has


@dataclass(frozen=True, eq=False)
class Case:
    """One text as it is measured: what the model says of it whole.

    ``label`` is the label that the explanations are about, ``chance`` its probability (the output itself for a
    regression, which has no labels to flip), ``marks`` are the words that people marked, where there are marks.
    ``decided``: that label is the one predicted (where labels stand each on their own, its probability is above 0.5).
    """

    text: Text
    label: str
    chance: float
    regression: bool = False
    marks: Bool[np.ndarray, " words"] | None = None
    decided: bool = True

    @property
    def count(self) -> int:
        """How many words the text has."""
        return len(self.text.words)

    @property
    def full(self) -> int:
        """All words, as the bits of a whole number."""
        return (1 << self.count) - 1


@dataclass(frozen=True, eq=False)
class Given:
    """One explanation of one text: a score for each word, and what else a measure may ask of it.

    ``number`` is the number explained (a logit, a probability), ``gap`` what the explanation leaves of it unexplained.
    ``spans`` are the scores of phrases (spans of word numbers) by level, where the method scores them itself.
    """

    scores: Float[np.ndarray, " words"]
    number: float
    gap: float
    spans: Mapping[tuple[str, Span], float] = field(default_factory=dict)

    def order(self) -> list[int]:
        """Words from the highest score to the lowest; ties in reading order."""
        found: list[int] = np.argsort(-self.scores, kind="stable").tolist()
        return found


class Answers(NamedTuple):
    """What the model says of perturbed texts: the label's probability, the explained number, whether it still decides
    for the label (predicts it; where labels stand each on their own, gives it a probability above 0.5)."""

    chance: Float[np.ndarray, " n"]
    number: Float[np.ndarray, " n"]
    same: Bool[np.ndarray, " n"]


class Score(NamedTuple):
    """A measure's number for one text; NaN where it has none. ``curve`` is what it was read from, on ``GRID``."""

    value: float
    curve: Float[np.ndarray, " points"] | None = None


class Measure(Protocol):
    """``asks`` names the words to keep in each perturbed text (a bit a word), ``score`` reads the model's answers.

    ``how`` says what takes the place of the other words: a way of ``mech.removal``, or ``resample`` (pieces drawn from
    the texts evaluated). It is empty where nothing is asked.
    """

    @property
    def how(self) -> str: ...
    def asks(self, case: Case, given: Given) -> list[int]: ...
    def score(self, case: Case, given: Given, answers: Answers) -> Score: ...


@dataclass(frozen=True)
class MeasureCard:
    """What is said of a measure. ``higher``: a higher number is better. ``controls``: which references it has.
    ``ranks``: methods are ranked by it. ``favours``: methods that have the best number by definition, which are not."""

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
    """Build a measure from ``name`` or ``name:parameter=value:...``; a measure value is returned as it is.

    Raises UsageError for a name or parameter that is not known and for a value that does not fit.
    """
    made: Measure = MEASURES.make(given)
    return made


def title(value: Measure) -> str:
    """The measure's name, with the parameters that are not the usual ones: ``deletion (pad, words=5)``.

    Words stand alone, numbers with their name; of a file its name without the folder.
    """
    card, parts = card_of(value), []
    for one in dataclasses.fields(card.cls):
        given = getattr(value, one.name)
        if given != one.default:
            parts.append(Path(given).name if isinstance(given, str) else f"{one.name}={given}")
    return f"{card.name} ({', '.join(parts)})" if parts else card.name


def bits(words: Sequence[int]) -> int:
    """Words as the bits of a whole number."""
    return sum(1 << word for word in words)
