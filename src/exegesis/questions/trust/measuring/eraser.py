"""Comprehensiveness and sufficiency, at one or several shares of words (ERASER), and faithfulness (REAT, Eq. 23)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np

from exegesis.core.parameters import above, at_most
from exegesis.core.text import Span, Text
from exegesis.core.ties import top_count
from exegesis.models.tagger import default_tagger
from exegesis.questions.phrases.levels import levels_of
from exegesis.questions.trust.measure import Answers, Case, Given, Score, Way, bits, measure

DEYOUNG = "DeYoung et al., ERASER: A Benchmark to Evaluate Rationalized NLP Models, 2020"
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)  # the paper's bins


@dataclass(frozen=True)
class _Rationale:
    how: Way = "drop"
    share: Annotated[float, above(0), at_most(1)] = 0.2

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        return Score(case.chance - float(answers.chance[0]))


@measure("comprehensiveness", question="does the probability fall without the top words?", paper=DEYOUNG, higher=True)
@dataclass(frozen=True)
class Comprehensiveness(_Rationale):
    """The label's probability less that without the top ``share`` of words (DeYoung et al. 2020, Eq. 1), -1 to 1.

    The share is rounded to whole words, a half to the even number, at least one.
    """

    def asks(self, case: Case, given: Given) -> list[int]:
        return [bits(given.order()[top_count(self.share, case.count) :])]


@measure("sufficiency", question="do the top words alone keep the probability?", paper=DEYOUNG, higher=False)
@dataclass(frozen=True)
class Sufficiency(_Rationale):
    """The label's probability less that of the top ``share`` of words alone, -1 to 1 (DeYoung et al. 2020, Eq. 2).

    Low is good; below 0 the words alone convince the model more than the whole text. The share is rounded to whole
    words, a half to the even number, at least one.
    """

    def asks(self, case: Case, given: Given) -> list[int]:
        return [bits(given.order()[: top_count(self.share, case.count)])]


@dataclass(frozen=True)
class _Aopc:
    how: Way = "drop"

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        return Score(case.chance - float(answers.chance.mean()))


@measure(
    "aopc-comprehensiveness",
    question="does the probability fall without the top words, at several shares?",
    paper=DEYOUNG,
    higher=True,
)
@dataclass(frozen=True)
class AopcComprehensiveness(_Aopc):
    """Comprehensiveness averaged over the top 1, 5, 10, 20 and 50 % of words (DeYoung et al. 2020, Sec. 4.2).

    A share is rounded to whole words, a half to the even number (50 % of 5 words are 2, of 7 words 4), at least one, so
    in short texts several shares are the same words. It deviates in one point: the paper divides the sum by the number
    of bins plus one, here the divisor is the number of bins.
    """

    def asks(self, case: Case, given: Given) -> list[int]:
        return [bits(given.order()[top_count(share, case.count) :]) for share in SHARES]


@measure(
    "aopc-sufficiency",
    question="do the top words alone keep the probability, at several shares?",
    paper=DEYOUNG,
    higher=False,
)
@dataclass(frozen=True)
class AopcSufficiency(_Aopc):
    """Sufficiency averaged over the top 1, 5, 10, 20 and 50 % of words, -1 to 1 (DeYoung et al. 2020, Sec. 4.2).

    Low is good. Shares are rounded as in ``aopc-comprehensiveness``.
    """

    def asks(self, case: Case, given: Given) -> list[int]:
        return [bits(given.order()[: top_count(share, case.count)]) for share in SHARES]


@measure(
    "faithfulness",
    question="how far does the probability fall without the top word, phrase or clause?",
    paper="Du et al., On Attribution of Recurrent Neural Network Predictions via Additive Decomposition (Eq. 23), 2019",
    higher=True,
    favours=("leave-one-out",),
)
@dataclass(frozen=True)
class Faithfulness:
    """``y(x) - y(x without A)``, y the label's probability and A the unit of the highest score (REAT paper, Eq. 23).

    ``unit`` is ``word``, ``phrase`` or ``clause`` (the paper's sentences joined by "but"), as the bundled tagger finds
    them. The score of a unit is the method's own if the method scores spans directly, else the sum over its words, as
    in the paper for its baselines. NaN for a text of a single unit, without which nothing would remain.
    """

    unit: Literal["word", "phrase", "clause"] = "word"
    how: Way = "drop"

    def units(self, case: Case) -> list[Span]:
        """The units of a text, as spans of word numbers."""
        return list(units(case.text, self.unit))

    def asks(self, case: Case, given: Given) -> list[int]:
        units = self.units(case)
        if len(units) < 2:
            return []
        scores = [given.spans.get((self.unit, unit), float(given.scores[slice(*unit)].sum())) for unit in units]
        best = units[int(np.argmax(scores))]
        return [case.full & ~bits(range(*best))]

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        return Score(case.chance - float(answers.chance[0]) if len(answers.chance) else float("nan"))


@lru_cache(4096)
def units(text: Text, unit: str) -> tuple[Span, ...]:
    """Words, phrases or clauses of a text as spans of word numbers; no span crosses the border of a pair."""
    if unit == "word":
        return tuple(Span(i, i + 1) for i in range(len(text.words)))
    return levels_of(text, default_tagger())[unit]
