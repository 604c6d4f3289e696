"""Measures of agreement with people: word lists (REAT, Eq. 24) and human marks (ERASER)."""

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
from exegesis.core.ties import top_count
from exegesis.data.encodings import decode
from exegesis.questions.trust.measure import SCORES, Answers, Case, Given, Score, measure
from exegesis.questions.trust.measuring.eraser import DEYOUNG

MIN_OVERLAP = 0.5  # two runs match if their overlap is larger


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
    """1 if words of the positive list score higher than words of the negative list, else 0 (REAT paper, Eq. 24).

    ``positive`` and ``negative`` are paths of word lists (one word per line; text after ``;`` is a remark). ``label``
    is the positive label: its explanations are measured, whatever the model predicts. NaN for a text without words of
    both lists. The paper leaves open what "larger" means for several words of a list: here their means are compared, or
    with ``every`` the lowest positive score with the highest negative one. Words are compared in lower case.

    Raises FileError for a word list that cannot be read or holds no words.
    """

    positive: Annotated[str, filled]
    negative: Annotated[str, filled]
    label: Annotated[str, filled]
    every: bool = False

    @property
    def how(self) -> str:
        return ""

    def lists(self, text: Text) -> tuple[list[int], list[int]]:
        """The numbers of the positive and of the negative words of a text."""
        words = [word.lower() for word in text.word_strings()]
        both = [word_list(path) for path in (self.positive, self.negative)]
        first, second = ([i for i, word in enumerate(words) if word in listed] for listed in both)
        return first, second

    def concerns(self, text: Text) -> bool:
        """True if a text has words of both lists."""
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
    """The words of a file in lower case. Raises FileError if the file cannot be read or holds no words."""
    lines = [line.partition(";")[0].strip().lower() for line in decode(Path(path)).splitlines()]
    words = frozenset(line for line in lines if line)
    if not words:
        raise FileError(f"{path}: holds no words; give one word per line")
    return words


@dataclass(frozen=True)
class _Marks:
    """A measure against marks; the rationale is the top ``share`` of words, by default as many as people marked."""

    share: Annotated[float, between(0, 1)] = 0.0

    @property
    def how(self) -> str:
        return ""

    def asks(self, case: Case, given: Given) -> list[int]:
        if case.marks is None:
            raise UsageError("plausibility compares with what people marked: give marks")
        return []

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        marks = case.marks
        return Score(math.nan if marks is None or not marks.any() else self.agreement(given, marks))

    def agreement(self, given: Given, marks: Bool[np.ndarray, " words"]) -> float:
        """How well an explanation agrees with the marks of a text that has some."""
        raise NotImplementedError

    def top(self, given: Given, marks: Bool[np.ndarray, " words"]) -> Bool[np.ndarray, " words"]:
        """The top words of the explanation, as truth values."""
        count = top_count(self.share, len(marks)) if self.share else int(marks.sum())
        top = np.zeros(len(marks), dtype=bool)
        top[given.order()[:count]] = True
        return top


def needs_marks(value: object) -> bool:
    """True for a measure that compares with the words that people marked."""
    return isinstance(value, _Marks)


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
    """Token F1 of the top words with the marked words, 0 to 1 (DeYoung et al. 2020, Sec. 4.1).

    There are as many top words as people marked in this text (precision, recall and F1 are then equal), or a ``share``
    of all words (rounded, a half to the even number), which the paper chooses for a whole data set. NaN for a
    text without marks.
    """

    def agreement(self, given: Given, marks: Bool[np.ndarray, " words"]) -> float:
        chosen = self.top(given, marks)
        return 2 * float((chosen & marks).sum()) / float(chosen.sum() + marks.sum())


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
    """F1 of runs of words, 0 to 1: two runs match if their intersection over union is above 0.5.

    Runs are unbroken stretches of top words and of marked words; precision counts the runs of the explanation that
    match a marked one, recall the marked runs that are matched (DeYoung et al. 2020, Sec. 4.1). It deviates from the
    paper's own code, which also matches at 0.5, and takes the F1 of precision and recall averaged over texts. NaN for a
    text without marks.
    """

    def agreement(self, given: Given, marks: Bool[np.ndarray, " words"]) -> float:
        mine, theirs = runs(self.top(given, marks)), runs(marks)
        hits = sum(any(_iou(run, marked) > MIN_OVERLAP for marked in theirs) for run in mine)
        met = sum(any(_iou(run, marked) > MIN_OVERLAP for run in mine) for marked in theirs)
        precision, recall = hits / len(mine), met / len(theirs)
        return 2 * precision * recall / (precision + recall) if hits and met else 0.0


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
    """The area under precision over recall of the scores against the marked words, 0 to 1, as average precision.

    It deviates from the paper's own code, which joins the points of that curve by straight lines and gives larger
    numbers. Words of equal score are added together. NaN for a text without marks, or with all words marked. ``share``
    is not used.
    """

    def agreement(self, given: Given, marks: Bool[np.ndarray, " words"]) -> float:
        return math.nan if marks.all() else average_precision(given.scores, marks)


def average_precision(scores: Float[np.ndarray, " n"], marks: Bool[np.ndarray, " n"]) -> float:
    """The mean of the precision at each distinct score, weighted by the recall that it adds."""
    total, before = 0.0, 0
    for level in sorted(set(scores.tolist()), reverse=True):
        among = scores >= level
        hits = int((marks & among).sum())
        total += (hits - before) / float(marks.sum()) * hits / float(among.sum())
        before = hits
    return total


def runs(flags: Bool[np.ndarray, " n"]) -> list[Span]:
    """Unbroken stretches of true values, as spans."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [Span(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _iou(first: Span, second: Span) -> float:
    """The intersection of two spans over their union."""
    shared = max(0, min(first.stop, second.stop) - max(first.start, second.start))
    return shared / (first.width + second.width - shared)
