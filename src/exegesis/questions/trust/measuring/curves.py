"""Deletion and insertion curves, and the number of removed words that flips a prediction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Float
from scipy.integrate import trapezoid

from exegesis.core.errors import UnsupportedError
from exegesis.core.parameters import above, at_least, below
from exegesis.core.ties import top_count
from exegesis.questions.trust.measure import Answers, Case, Given, Score, Way, bits, measure

GRID = np.linspace(0.0, 1.0, 21)  # shares of words at which curves of texts of several lengths are averaged
SAMEK = "Samek et al., Evaluating the Visualization of What a Deep Neural Network Has Learned, 2017"
PETSIUK = "Petsiuk et al., RISE: Randomized Input Sampling for Explanation of Black-box Models, 2018"


@dataclass(frozen=True)
class _Curve:
    """A curve of at most ``steps`` points after the first; with ``words=n`` only n words are removed, one by one."""

    how: Way = "drop"
    steps: Annotated[int, at_least(1)] = 20
    words: Annotated[int, at_least(0)] = 0

    def numbers(self, count: int) -> list[int]:
        """The numbers of words removed at the points of the curve, from 0."""
        if self.words:
            return list(range(min(self.words, count) + 1))
        points = np.linspace(0, count, min(count, self.steps) + 1)
        return [int(point) for point in np.rint(points)]

    def read(self, case: Case, chance: Float[np.ndarray, " n"], *, turned: bool = False) -> Score:
        """The area under the probabilities (trapezoids over the share of words), and the curve on ``GRID``."""
        numbers = self.numbers(case.count)
        most = self.words or case.count
        share = np.array(numbers) / most
        if share[-1] < 1:  # the text has fewer words than are removed: the curve stays level
            share, chance = np.append(share, 1.0), np.append(chance, chance[-1])
        curve = np.interp(GRID, share, chance)
        return Score(float(trapezoid(chance, share)), curve[::-1].copy() if turned else curve)


@measure(
    "deletion",
    question="does the probability fall when the highest words go first?",
    paper=f"{SAMEK}; Arras et al., Explaining and Interpreting LSTMs (Fig. 11.5), 2019",
    higher=False,
)
@dataclass(frozen=True)
class Deletion(_Curve):
    """The area under the label's probability, 0 to 1, while words are removed, the highest score first; low is good.

    The x axis is the share of removed words, 0 to 1; the first point is the whole text, the last the empty text (one
    pad piece). ``words=5`` is the protocol of Arras et al. 2019 (Fig. 11.5, left): words are removed one by one up to
    five, and the axis is the share of these five; the paper reads accuracy over a corpus, this measure the probability
    of each text.
    """

    def asks(self, case: Case, given: Given) -> list[int]:
        order = given.order()
        return [bits(order[removed:]) for removed in self.numbers(case.count)]

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        return self.read(case, np.append(case.chance, answers.chance[1:]))


@measure(
    "insertion",
    question="does the probability rise when the highest words come first?",
    paper=PETSIUK,
    higher=True,
)
@dataclass(frozen=True)
class Insertion(_Curve):
    """The area under the label's probability, 0 to 1, while words are added, the highest score first; high is good.

    Texts keep their order. Removing words from the lowest score on gives the same texts from the other end, so this is
    also the deletion curve of the opposite order (Arras et al. 2019, Fig. 11.5, right: ``words=5``, whose curve runs
    from the whole text to the text without the five lowest words, and should stay high).
    """

    def asks(self, case: Case, given: Given) -> list[int]:
        order = given.order()
        return [bits(order[: case.count - removed]) for removed in self.numbers(case.count)]

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        return self.read(case, np.append(case.chance, answers.chance[1:]), turned=not self.words)


@measure(
    "decision-flip",
    question="how few of the highest words must go until the prediction flips?",
    paper="Serrano and Smith, Is Attention Interpretable?, 2019",
    higher=False,
)
@dataclass(frozen=True)
class DecisionFlip:
    """The share of words in the shortest run from the highest score down whose removal changes the predicted label.

    It is 1 if even the removal of all words but one does not change the label; at least one word stays. NaN for a text
    of one word, and for a text whose explained label is not the predicted one: its highest words speak against the
    decision, and any order of them would look bad. With independent labels the label's own decision flips, at a
    probability of 0.5. Every number of words is tried; in texts of more than ``steps`` words, ``steps`` evenly spaced
    numbers.

    Raises UnsupportedError for a regression, which has no decision to flip.
    """

    how: Way = "drop"
    steps: Annotated[int, at_least(1)] = 100

    def numbers(self, count: int) -> list[int]:
        """The numbers of removed words that are tried."""
        return (
            [int(number) for number in np.rint(np.linspace(1, count - 1, min(count - 1, self.steps)))]
            if count > 1
            else []
        )

    def asks(self, case: Case, given: Given) -> list[int]:
        order = given.order()
        return [bits(order[removed:]) for removed in self.numbers(case.count)] if _flips(case) else []

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        if not _flips(case):
            return Score(math.nan)
        flips = np.flatnonzero(~answers.same)
        return Score(self.numbers(case.count)[flips[0]] / case.count if len(flips) else 1.0)


@measure(
    "flip-rate",
    question="does the prediction flip when the top words go?",
    paper="Serrano and Smith, Is Attention Interpretable?, 2019",
    higher=True,
)
@dataclass(frozen=True)
class FlipRate:
    """1 if the prediction changes without the top ``share`` of words, else 0; the mean is a rate.

    The share is rounded to whole words, a half to the even number, at least one.
    The texts without a number (NaN) are those of ``decision-flip``. Raises UnsupportedError for a regression.
    """

    how: Way = "drop"
    share: Annotated[float, above(0), below(1)] = 0.2

    def asks(self, case: Case, given: Given) -> list[int]:
        return [bits(given.order()[top_count(self.share, case.count) :])] if _flips(case) else []

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        return Score(float(not answers.same[0]) if _flips(case) else math.nan)


def _flips(case: Case) -> bool:
    """True if the explained label could be lost by removing some words. Raises UnsupportedError for a regression."""
    if case.regression:
        raise UnsupportedError("a regression decides nothing that could flip: leave decision-flip and flip-rate out")
    return case.decided and case.count > 1
