"""What a measure is: a frozen dataclass that scores one explanation of one text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from jaxtyping import Bool, Float

from exegesis.core.errors import UsageError, unknown
from exegesis.core.text import Span, Text
from exegesis.engine.methods import fitted

RESAMPLE = "resample"
HOWS = ("drop", "zero", "pad", "unknown", "mask", RESAMPLE)
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


_cards: dict[str, MeasureCard] = {}
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
    """Register a frozen dataclass as a measure."""

    def register(cls: T) -> T:
        if name in _cards:
            raise UsageError(f"a measure named {name!r} is registered already")
        if not dataclasses.is_dataclass(cls) or not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise UsageError(f"measure {name!r} is not a frozen dataclass")
        _cards[name] = MeasureCard(name, question, paper, higher, controls, ranks, favours, cls)
        return cls

    return register


def measures() -> tuple[MeasureCard, ...]:
    """The cards of all measures, by name."""
    return tuple(_cards[name] for name in sorted(_cards))


def card_of(value: object) -> MeasureCard:
    """The card of a measure value. Raises UsageError where it is none."""
    for card in _cards.values():
        if type(value) is card.cls:
            return card
    raise UsageError(f"{value!r} is no measure: take a name ({', '.join(sorted(_cards))}) or a measure value")


def make(given: str | Measure) -> Measure:
    """A measure from ``name`` or ``name:parameter=value:...``, or the value itself. Raises UsageError for others."""
    if not isinstance(given, str):
        card_of(given)
        return given
    name, *parameters = given.split(":")
    if name not in _cards:
        raise unknown("measure", name, sorted(_cards))
    values: dict[str, Any] = {}
    for one in parameters:
        key, sign, value = one.partition("=")
        if not sign:
            raise UsageError(f"measure {given!r}: write {name}:parameter=value, such as {name}:how=pad")
        values[key] = _plain(value)
    made: Measure = _cards[name].cls(**fitted(_cards[name].cls, name, values))
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


def check_how(how: str) -> None:
    """Raises UsageError for an unknown way of taking words away."""
    if how not in HOWS:
        raise unknown("way of removing", how, HOWS)


def bits(words: Sequence[int]) -> int:
    """Words as the bits of a whole number."""
    return sum(1 << word for word in words)


def _plain(value: str) -> Any:
    if value in ("true", "false"):
        return value == "true"
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
