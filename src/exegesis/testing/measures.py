"""The contract of a measure: perfect explanations are better than random ones, and those better than reversed ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

import exegesis.questions.trust.measuring  # noqa: F401 - registers the measures
from exegesis.core.text import Text
from exegesis.nn.context import entry
from exegesis.questions.trust.measure import Answers, Case, Given, Measure, MeasureCard, Score, card_of, make
from exegesis.testing.toys import BIAS, LABELS, WEIGHTS, bag_of_words

COUNT = 60  # texts
KINDS = ("perfect", "random", "reversed")  # best first
ERRORS = 2.0  # standard errors by which a better kind must lead (a sign test)


@dataclass(frozen=True, eq=False)
class Question:
    """A text of the linear bag of words with an explanation of it."""

    case: Case
    given: Given


@dataclass(frozen=True, eq=False)
class Trial:
    """A measure on the same texts under perfect, random and reversed explanations."""

    measure: Measure
    questions: Mapping[str, list[Question]]

    @cached_property
    def card(self) -> MeasureCard:
        """The measure's card."""
        return card_of(self.measure)

    @cached_property
    def scores(self) -> dict[str, list[Score]]:
        """The measure's scores of all explanations, by kind."""
        return {kind: [self.score(question) for question in self.questions[kind]] for kind in KINDS}

    def score(self, question: Question) -> Score:
        """The measure's number for one explanation, with the answers of the bag of words."""
        keeps = self.measure.asks(question.case, question.given)
        return self.measure.score(question.case, question.given, answers(question.case, keeps))

    def demand(self, holds: bool, complaint: str) -> None:
        """Raise AssertionError, which begins with the measure's name, unless a condition holds."""
        if not holds:
            raise AssertionError(f"{self.card.name}: {complaint}")


@entry
def check_measure(measure: str | Measure, seed: int = 0) -> None:
    """Hold a measure to the contract of all measures, on a linear bag of words whose perfect explanation is known.

    ``measure`` is ``name`` or ``name:parameter=value``, or a value. Measures against people get marks on the words that
    speak for the label; the words and labels of word lists are those of ``testing.toys``. Removed words add nothing,
    whatever replaces them.

    Raises AssertionError for the first promise that is broken: the card is true; equal parameters make equal measures;
    the measure asks for sets of the text's words, equal on every call; numbers are finite or NaN, and depend on nothing
    but their text; perfect explanations are better than random ones, and those better than reversed ones, in the
    direction that ``higher`` says. Raises UsageError if the measure is not registered.
    """
    value = make(measure)
    trial = Trial(value, _questions(seed, getattr(value, "label", "")))
    for check in CHECKS:
        check(trial)


def true_card(trial: Trial) -> None:
    """The card says what the class is, and equal parameters make an equal measure."""
    trial.demand(bool(trial.card.cls.__doc__), "its class has no docstring")
    trial.demand(bool(trial.card.question) and bool(trial.card.paper), "it names no question or no paper")
    twin = dataclasses.replace(cast(Any, trial.measure))
    trial.demand(twin == trial.measure and hash(twin) == hash(trial.measure), "equal parameters, unequal measures")


def asks_for_words(trial: Trial) -> None:
    """The measure asks for sets of words of the text, equal on every call, and for nothing if ``how`` is empty."""
    for question in (question for kind in KINDS for question in trial.questions[kind]):
        keeps = trial.measure.asks(question.case, question.given)
        raw = question.case.text.raw
        inside = all(0 <= keep <= question.case.full for keep in keeps)
        trial.demand(inside, f"{raw!r}: asks for words that the text does not have")
        again = trial.measure.asks(question.case, question.given)
        trial.demand(keeps == again, f"{raw!r}: asks for other words on a second call; draw from a seed and the text")
        trial.demand(bool(trial.measure.how) or not keeps, f"{raw!r}: asks for words, but how is empty")


def numbers_are_plain(trial: Trial) -> None:
    """Every number is finite, or NaN for a text that has none; some texts have one."""
    for kind, scores in trial.scores.items():
        values = [score.value for score in scores]
        trial.demand(not any(math.isinf(value) for value in values), f"an infinite number for {kind} explanations")
        trial.demand(not all(math.isnan(value) for value in values), f"no number at all for {kind} explanations")


def texts_stand_alone(trial: Trial) -> None:
    """A text's number does not depend on the order of the texts or on earlier texts."""
    for kind in KINDS:
        back = [trial.score(question) for question in trial.questions[kind][::-1]][::-1]
        for question, first, second in zip(trial.questions[kind], trial.scores[kind], back, strict=True):
            same = np.array_equal(first.value, second.value, equal_nan=True)
            trial.demand(same, f"{question.case.text.raw!r}: a number that depends on the texts measured before")


def order_of_quality(trial: Trial) -> None:
    """Perfect is better than random, and random better than reversed, on more texts than by chance."""
    sign = 1.0 if trial.card.higher else -1.0
    direction = "higher" if trial.card.higher else "lower"
    values = {kind: np.array([score.value for score in trial.scores[kind]]) for kind in KINDS}
    for better, worse in (("perfect", "random"), ("random", "reversed")):
        leads = np.sign(sign * (values[better] - values[worse]))
        wins, losses = int((leads > 0).sum()), int((leads < 0).sum())
        trial.demand(
            wins - losses > ERRORS * math.sqrt(wins + losses),
            f"{better} explanations are not better than {worse} ones, although a {direction} number is better: they "
            f"are on {wins} texts, and worse on {losses}",
        )


CHECKS: tuple[Callable[[Trial], None], ...] = (
    true_card,
    asks_for_words,
    numbers_are_plain,
    texts_stand_alone,
    order_of_quality,
)


def answers(case: Case, keeps: list[int]) -> Answers:
    """The answers of the bag of words about a text of which only some words are kept, one bit per word."""
    words, sign = case.text.word_strings(), _sign(case.label)
    texts = [[word for place, word in enumerate(words) if keep >> place & 1] for keep in keeps]
    numbers = np.array([sign * (BIAS + sum(WEIGHTS[word] for word in row)) for row in texts])
    chances = 1 / (1 + np.exp(-numbers))
    return Answers(chances, numbers, chances > 0.5)


def _questions(seed: int, label: str) -> dict[str, list[Question]]:
    """The texts, each with an explanation of every kind for a label, the predicted one by default."""
    draws, model = np.random.default_rng(seed), bag_of_words()
    questions: dict[str, list[Question]] = {kind: [] for kind in KINDS}
    for _ in range(COUNT):
        words = draws.choice(list(WEIGHTS), draws.integers(3, 10))
        case = _case(model.read(" ".join(words)), label)
        perfect = _sign(case.label) * np.array([WEIGHTS[word] for word in case.text.word_strings()])
        number = float(answers(case, [case.full]).number[0])
        for kind, scores in zip(KINDS, (perfect, draws.normal(size=len(words)), -perfect), strict=True):
            scores.setflags(write=False)
            gap = float(number - _sign(case.label) * BIAS - scores.sum())
            questions[kind].append(Question(case, Given(scores, number, gap)))
    return questions


def _case(text: Text, label: str) -> Case:
    total = BIAS + sum(WEIGHTS[word] for word in text.word_strings())
    predicted = LABELS[total > 0]
    about = label or predicted
    marks = np.array([_sign(about) * WEIGHTS[word] > 0.3 for word in text.word_strings()])
    chance = 1 / (1 + math.exp(-_sign(about) * total))
    return Case(text, about, chance, False, marks, about == predicted)


def _sign(label: str) -> float:
    return 1.0 if label == LABELS[1] else -1.0
