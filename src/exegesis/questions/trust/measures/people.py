"""Measures against people: word lists (Eq. 24 of REAT) and human marks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Bool, Float

from exegesis.core.errors import FileError, UsageError
from exegesis.core.parameters import between, filled
from exegesis.core.text import Span, Text
from exegesis.data.tables import decode
from exegesis.questions.trust.measure import SCORES, Answers, Case, Given, Score, measure
from exegesis.questions.trust.measures.eraser import DEYOUNG

OVERLAP = 0.5  # of two spans, from which they match


@measure(
    "interpretability",
    question="do words of one list score above words of the other?",
    paper="Du et al., On Attribution of Recurrent Neural Network Predictions via Additive Decomposition (Eq. 24), 2019",
    higher=True,
    controls=SCORES,
    ranks=False,
)
@dataclass(frozen=True)
class Interpretability:
    """1 where words of the positive list score higher than words of the negative one, else 0 (REAT paper, Eq. 24).

    ``positive`` and ``negative`` are paths of word lists (a word a line, lines from ``;`` on are remarks); ``label`` is
    the positive label, which the explanations are asked about, whatever is predicted. Texts that hold words of both
    lists count, the others have no number (NaN). The paper does not say what "larger" is where a text holds several
    words of a list: here their means are compared, or with ``every`` the lowest positive with the highest negative.
    Words are compared in lower case.
    """

    positive: Annotated[str, filled]
    negative: Annotated[str, filled]
    label: Annotated[str, filled]
    every: bool = False

    @property
    def how(self) -> str:
        return ""

    def lists(self, text: Text) -> tuple[list[int], list[int]]:
        """The positive and the negative words of a text, by number."""
        words = [word.lower() for word in text.word_strings()]
        both = [word_list(path) for path in (self.positive, self.negative)]
        first, second = ([i for i, word in enumerate(words) if word in known] for known in both)
        return first, second

    def concerns(self, text: Text) -> bool:
        """Whether a text holds words of both lists."""
        return all(self.lists(text))

    def asks(self, case: Case, given: Given) -> list[int]:
        return []

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        plus, minus = (given.scores[words] for words in self.lists(case.text))
        if not len(plus) or not len(minus):
            return Score(math.nan)
        return Score(float(plus.min() > minus.max() if self.every else plus.mean() > minus.mean()))


@lru_cache(16)
def word_list(path: str) -> frozenset[str]:
    """The words of a file, lower case. Raises FileError where it cannot be read or holds none."""
    lines = [line.partition(";")[0].strip().lower() for line in decode(Path(path)).splitlines()]
    found = frozenset(line for line in lines if line)
    if not found:
        raise FileError(f"{path}: holds no words; give a word a line")
    return found


@dataclass(frozen=True)
class _Marks:
    """``share`` of the words are taken as the method's rationale; 0: as many as people marked in the text."""

    share: Annotated[float, between(0, 1)] = 0.0

    @property
    def how(self) -> str:
        return ""

    def asks(self, case: Case, given: Given) -> list[int]:
        if case.marks is None:
            raise UsageError("plausibility compares with what people marked: give marks")
        return []

    def taken(self, given: Given, marks: Bool[np.ndarray, " words"]) -> Bool[np.ndarray, " words"]:
        """The method's top words."""
        count = max(1, round(self.share * len(marks))) if self.share else int(marks.sum())
        found = np.zeros(len(marks), dtype=bool)
        found[given.order()[:count]] = True
        return found


@measure(
    "plausibility-f1",
    question="are the top words those that people marked?",
    paper=DEYOUNG,
    higher=True,
    controls=SCORES,
    ranks=False,
)
@dataclass(frozen=True)
class TokenF1(_Marks):
    """Token F1 of the top words with the marked words (DeYoung et al. 2020, Sec. 4.1).

    As many words as people marked in this text (then precision, recall and F1 are one number), or ``share`` of them as
    the paper does for a whole data set. Texts without a mark have no number (NaN).
    """

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        marks = _marked(case)
        if marks is None:
            return Score(math.nan)
        taken = self.taken(given, marks)
        return Score(2 * float((taken & marks).sum()) / float(taken.sum() + marks.sum()))


@measure(
    "plausibility-iou",
    question="are the runs of top words those that people marked?",
    paper=DEYOUNG,
    higher=True,
    controls=SCORES,
    ranks=False,
)
@dataclass(frozen=True)
class IouF1(_Marks):
    """F1 of runs of words: a run matches one of the other side with which it shares more than half of both.

    Runs are unbroken stretches of top words and of marked words; precision counts the method's runs that match a marked
    one, recall the marked ones that are matched (DeYoung et al. 2020, Sec. 4.1: intersection over union above 0.5; the
    paper's own code also matches at 0.5, and takes the F1 of precision and recall averaged over texts).
    """

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        marks = _marked(case)
        if marks is None:
            return Score(math.nan)
        own, theirs = runs(self.taken(given, marks)), runs(marks)
        hits = sum(any(_iou(one, other) > OVERLAP for other in theirs) for one in own)
        met = sum(any(_iou(one, other) > OVERLAP for one in own) for other in theirs)
        precision, recall = hits / len(own), met / len(theirs)
        return Score(2 * precision * recall / (precision + recall) if hits and met else 0.0)


@measure(
    "plausibility-auprc",
    question="do marked words score above the others?",
    paper=DEYOUNG,
    higher=True,
    controls=SCORES,
    ranks=False,
)
@dataclass(frozen=True)
class Auprc(_Marks):
    """The area under precision over recall of the scores against the marked words, as average precision.

    The paper's own code joins the points of that curve by straight lines, which gives more: numbers here do not compare
    with the paper's. Words of equal score come in together. Texts without a mark, or with nothing but marks, have no
    number (NaN). ``share`` has no part in it.
    """

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        marks = _marked(case)
        return Score(math.nan if marks is None or marks.all() else average_precision(given.scores, marks))


def average_precision(scores: Float[np.ndarray, " n"], marks: Bool[np.ndarray, " n"]) -> float:
    """Precision at each distinct score, weighted by the recall that it adds."""
    total, before = 0.0, 0
    for level in sorted(set(scores.tolist()), reverse=True):
        among = scores >= level
        found = int((marks & among).sum())
        total += (found - before) / float(marks.sum()) * found / float(among.sum())
        before = found
    return total


def runs(taken: Bool[np.ndarray, " n"]) -> list[Span]:
    """Unbroken stretches of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], taken, [False]]).astype(int)))
    return [Span(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _iou(one: Span, other: Span) -> float:
    shared = max(0, min(one.stop, other.stop) - max(one.start, other.start))
    return shared / (one.width + other.width - shared)


def _marked(case: Case) -> Bool[np.ndarray, " words"] | None:
    return case.marks if case.marks is not None and case.marks.any() else None
