"""Measures of the scores themselves: infidelity, completeness, rank correlation with leave-one-out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
from jaxtyping import Float
from scipy import stats

from exegesis.core.parameters import at_least
from exegesis.core.text import Text
from exegesis.protocols.draws import generator
from exegesis.questions.trust.measure import NONE, SCORES, Answers, Case, Given, Score, Way, bits, measure


@measure(
    "infidelity",
    question="do the scores of removed words add up to what the number loses?",
    paper="Yeh et al., On the (In)fidelity and Sensitivity of Explanations (Def. 2.1), 2019",
    higher=False,
    controls=SCORES,
)
@dataclass(frozen=True)
class Infidelity:
    """The expected squared difference between the summed scores of removed words and what the number loses by them.

    ``samples`` sets of words are drawn for each text (a size from 1 to all but one, then words of that size) and
    removed together; that is the perturbation I of the paper, a word's part of it being 1 or 0. With ``scaled`` the
    scores are first multiplied by the one number of at least zero that makes the difference least, and the result is
    divided by the expected squared loss: 0 is perfect, 1 as if nothing had been said, whatever units a method has (the
    paper's scaling, with the sign kept: a reversed explanation may not be turned round). ``scaled=false`` gives the
    paper's number, in squared units of what is explained. Draws belong to the text and ``seed``. Texts of one word have
    no number (NaN).
    """

    how: Way = "drop"
    samples: Annotated[int, at_least(2)] = 64
    scaled: bool = True
    seed: int = 0

    def drawn(self, text: Text) -> list[list[int]]:
        """The sets of words that go."""
        return drawn(text, self.samples, self.seed)

    def asks(self, case: Case, given: Given) -> list[int]:
        return [case.full & ~bits(gone) for gone in self.drawn(case.text)]

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        said = np.array([given.scores[gone].sum() for gone in self.drawn(case.text)])
        lost = given.number - answers.number
        if not len(lost):
            return Score(math.nan)
        if not self.scaled:
            return Score(float(((said - lost) ** 2).mean()))
        whole, size = float((lost**2).mean()), float((said**2).mean())
        if not whole:
            return Score(math.nan)  # nothing that goes changes anything: no explanation can be wrong
        factor = max(0.0, float((said * lost).mean()) / size) if size else 0.0
        return Score(float(((factor * said - lost) ** 2).mean()) / whole)


@lru_cache(256)
def drawn(text: Text, samples: int, seed: int) -> list[list[int]]:
    """Sets of words of a text, none for a text of one word."""
    count = len(text.words)
    if count < 2:
        return []
    draws = np.random.default_rng(generator(text, seed).initial_seed())
    return [draws.permutation(count)[: draws.integers(1, count)].tolist() for _ in range(samples)]


@measure(
    "completeness",
    question="how much of the number do the scores and their account leave out?",
    paper="Sundararajan et al., Axiomatic Attribution for Deep Networks, 2017",
    higher=False,
    controls=NONE,
    ranks=False,
)
@dataclass(frozen=True)
class Completeness:
    """The size of the gap, ``|explained - sum of words - account|``, as a share of ``|explained|`` (at least 1e-6).

    The account are the parts that a method says no word carries (an output bias, the value at a baseline). Methods that
    promise no sum are measured all the same; sizes without a sign, which add up to nothing, have no number (NaN).
    """

    @property
    def how(self) -> str:
        return ""

    def asks(self, case: Case, given: Given) -> list[int]:
        return []

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        return Score(abs(given.gap) / max(abs(given.number), 1e-6))


@measure(
    "monotonicity",
    question="do words rank as they do when each is left out?",
    paper="Arya et al., One Explanation Does Not Fit All, 2019; Nguyen and Martinez, 2020",
    higher=True,
    controls=SCORES,
    favours=("leave-one-out",),
)
@dataclass(frozen=True)
class Monotonicity:
    """Spearman's correlation of the scores with what the label's probability loses without each word, -1 to 1.

    That loss is what leave-one-out computes, which therefore has the best number by definition and is not ranked by it.
    NaN where one side is constant or the text has one word.
    """

    how: Way = "drop"

    def asks(self, case: Case, given: Given) -> list[int]:
        return [case.full & ~(1 << word) for word in range(case.count)]

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        return Score(spearman(given.scores, case.chance - answers.chance))


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation; NaN where one side is constant or there are fewer than two numbers."""
    one, other = ranks(first), ranks(second)
    return float(one @ other) if len(one) > 1 else math.nan


def ranks(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Ranks with mean 0 and length 1, whose product is Spearman's correlation; NaN where all values are equal.

    Values that differ by less than a ten-millionth of the largest (what single precision keeps) are ties, so that
    rounding decides no rank.
    """
    size = float(np.abs(values).max(initial=0.0)) or 1.0
    found = stats.rankdata(np.round(values / size, 7)) - (len(values) + 1) / 2
    length = float(np.linalg.norm(found))
    scaled: np.ndarray = found / length if length else np.full(len(values), math.nan)
    return scaled
