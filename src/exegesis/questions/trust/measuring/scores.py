"""Measures of the amounts of scores: infidelity, completeness, rank correlation with leave-one-out."""

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
    """The expected squared difference between the summed scores of removed words and the number's loss without them.

    ``samples`` sets of words are drawn for each text (a size from 1 to all but one, then words of that size) and
    removed together; that is the perturbation I of the paper, whose entry for a word is 1 or 0. With ``scaled`` the
    scores are first multiplied by the factor of at least zero that minimises the difference, and the result is divided
    by the expected squared loss: 0 is perfect, 1 is as bad as scores of zero, whatever the units of a method (the
    paper's scaling, except that the factor is not negative: a reversed explanation is not turned round).
    ``scaled=false`` gives the paper's number, in squared units of the explained number. Draws depend on the text and
    ``seed``. NaN for a text of one word, and if no removal changes the number.
    """

    how: Way = "drop"
    samples: Annotated[int, at_least(2)] = 64
    scaled: bool = True
    seed: int = 0

    def drawn(self, text: Text) -> list[list[int]]:
        """The sets of words that are removed."""
        return drawn(text, self.samples, self.seed)

    def asks(self, case: Case, given: Given) -> list[int]:
        return [case.full & ~bits(removed) for removed in self.drawn(case.text)]

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        claims = np.array([given.scores[removed].sum() for removed in self.drawn(case.text)])
        lost = given.number - answers.number
        if not len(lost):
            return Score(math.nan)
        if not self.scaled:
            return Score(float(((claims - lost) ** 2).mean()))
        whole, size = float((lost**2).mean()), float((claims**2).mean())
        if not whole:
            return Score(math.nan)  # no removal changes the number, so that no explanation can be wrong
        factor = max(0.0, float((claims * lost).mean()) / size) if size else 0.0
        return Score(float(((factor * claims - lost) ** 2).mean()) / whole)


@lru_cache(256)
def drawn(text: Text, samples: int, seed: int) -> list[list[int]]:
    """Random sets of words of a text; none for a text of one word."""
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
    """The absolute gap, ``|explained - sum of words - account|``, as a share of ``|explained|`` (at least 1e-6).

    The account has the parts that no word carries (an output bias, the value at a baseline). Methods that do not
    promise completeness are measured as well. NaN for scores that are sizes, which do not add up.
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
    """Spearman's correlation of the scores with the loss of the label's probability without each word, -1 to 1.

    Leave-one-out computes this loss, so it has the best number by definition and is not ranked by this measure. NaN if
    one side is constant or the text has one word.
    """

    how: Way = "drop"

    def asks(self, case: Case, given: Given) -> list[int]:
        return [case.full & ~(1 << word) for word in range(case.count)]

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        return Score(spearman(given.scores, case.chance - answers.chance))


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation; NaN if one side is constant or there are fewer than two numbers."""
    first_ranks, second_ranks = ranks(first), ranks(second)
    return float(first_ranks @ second_ranks) if len(first_ranks) > 1 else math.nan


def ranks(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Ranks with mean 0 and length 1, so that their dot product is Spearman's correlation; NaN if all values are equal.

    Values that differ by less than a ten-millionth of the largest (the precision of float32) are ties, so rounding does
    not decide a rank.
    """
    size = float(np.abs(values).max(initial=0.0)) or 1.0
    centred = stats.rankdata(np.round(values / size, 7)) - (len(values) + 1) / 2
    length = float(np.linalg.norm(centred))
    scaled: np.ndarray = centred / length if length else np.full(len(values), math.nan)
    return scaled
