"""The result of an explanation: which spans of a text carry how much of a number. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError, unknown
from exegesis.core.text import Span, Text
from exegesis.results.result import Result
from exegesis.statistics.agreement import Comparison, compare

if TYPE_CHECKING:
    import pandas as pd

Number = float | Float[np.ndarray, " targets"]
LEVELS = ("word", "phrase", "clause", "text")


class Prediction(NamedTuple):
    """What the model says of the text: the label, its probability, and every label's probability.

    ``probability`` is NaN for a model whose output is no distribution (a regression).
    """

    label: str
    probability: float
    probabilities: dict[str, float]


class Scored(NamedTuple):
    """One span with its score, as a reader meets it."""

    text: str
    score: float
    span: Span
    level: str


@dataclass(frozen=True, eq=False)
class Attribution(Result):
    """Scores of spans of one text, for one number that the model computed (or several, see ``targets``).

    ``scores[..., i]`` belongs to ``spans[i]`` (pieces of ``text``) at level ``levels[i]``. With several targets
    the scores have a leading axis, in the order of ``targets``; ``for_target`` gives one of them.

    The account: ``explained`` is the number itself (for example the logit of the predicted class);
    ``residual`` is ``explained`` less the sum of the words' scores; ``account`` names what the residual is made of
    (the output bias, the value at the baseline, special tokens, ...). ``gap`` is what nobody accounts for:
    ``residual`` less the sum of ``account``. For a method that promises completeness the gap is rounding,
    or the stated tolerance; ``complete`` says whether the method promises it.

    Two results are equal where all of their values are: what was saved and read again equals the result.
    """

    text: Text
    spans: tuple[Span, ...]
    scores: Float[np.ndarray, "*targets spans"]
    targets: tuple[str, ...]
    method: str
    name: str
    prediction: Prediction
    explained: Number
    levels: tuple[str, ...] = ()
    account: Mapping[str, Number] = field(default_factory=dict)
    complete: bool = False
    seconds: float = 0.0
    model: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    views: ClassVar[str] = "words"
    noun: ClassVar[str] = "explanation of words"

    def __post_init__(self) -> None:
        scores = np.asarray(self.scores, dtype=np.float64)
        scores.setflags(write=False)
        object.__setattr__(self, "scores", scores)
        if not self.levels:
            object.__setattr__(self, "levels", ("word",) * len(self.spans))
        if scores.shape[-1:] != (len(self.spans),) or len(self.levels) != len(self.spans):
            raise UsageError(f"{len(self.spans)} spans need as many scores and levels, not {scores.shape}")
        if scores.ndim == 2 and len(scores) != len(self.targets):
            raise UsageError(f"{len(self.targets)} targets need as many rows of scores, not {len(scores)}")

    # what was explained -------------------------------------------------------------------------------

    @property
    def target(self) -> str:
        """The number explained, as a word: ``logit:positive``; several are joined by commas."""
        return ", ".join(self.targets)

    @property
    def words(self) -> tuple[str, ...]:
        """The user's words, as written."""
        return self.text.word_strings()

    @property
    def offsets(self) -> tuple[tuple[int, int], ...]:
        """The range of characters of each word in ``text.raw``."""
        return tuple(self.text.characters(word) for word in self.text.words)

    @property
    def residual(self) -> Number:
        """``explained`` less the sum of the words' scores (of the finest level, where there are no words)."""
        finest = self.at(self.level_names[0]).scores.sum(-1) if self.spans else np.zeros(self.scores.shape[:-1])
        return _plain(np.asarray(np.asarray(self.explained, dtype=np.float64) - finest))

    @property
    def gap(self) -> Number:
        """``residual`` less everything in ``account``: what the explanation leaves unexplained."""
        total = np.asarray(self.residual, dtype=np.float64)
        for part in self.account.values():
            total = total - np.asarray(part, dtype=np.float64)
        return _plain(np.asarray(total))

    # parts ----------------------------------------------------------------------------------------------

    @property
    def level_names(self) -> tuple[str, ...]:
        """The levels that this result holds, finest first."""
        known = [level for level in LEVELS if level in self.levels]
        return (*known, *sorted(set(self.levels) - set(known)))

    def at(self, level: str) -> Attribution:
        """The part of one level: ``word``, ``phrase``, ``clause`` or ``text``. Raises UsageError if not held."""
        if level not in self.levels:
            raise unknown("level of this result", level, self.level_names)
        keep = [i for i, name in enumerate(self.levels) if name == level]
        return replace(
            self,
            spans=tuple(self.spans[i] for i in keep),
            scores=self.scores[..., keep],
            levels=(level,) * len(keep),
        )

    def for_target(self, target: str) -> Attribution:
        """The part of one target, by its name (``logit:positive``) or its label alone (``positive``)."""
        names = [name.split(":", 1)[-1] for name in self.targets]
        if target in self.targets:
            row = self.targets.index(target)
        elif target in names:
            row = names.index(target)
        else:
            raise unknown("target of this result", target, self.targets)
        if self.scores.ndim == 1:
            return self
        return replace(
            self,
            scores=self.scores[row],
            targets=(self.targets[row],),
            explained=_row(self.explained, row),
            account={part: _row(value, row) for part, value in self.account.items()},
        )

    def each_target(self) -> tuple[Attribution, ...]:
        """One result for each target, in order."""
        return (self,) if self.scores.ndim == 1 else tuple(self.for_target(name) for name in self.targets)

    def over_words(self) -> Attribution:
        """Scores on the user's words: pieces of a word are summed, which keeps the total."""
        if all(level == "word" for level in self.levels) and self.spans == self.text.words:
            return self
        if "word" in self.levels:
            return self.at("word").over_words()
        piece = {p: n for n, word in enumerate(self.text.words) for p in range(*word)}
        summed = np.zeros((*self.scores.shape[:-1], len(self.text.words)))
        for i, span in enumerate(self.spans):
            owners = {piece.get(p, -1) for p in range(*span)}
            if len(owners) != 1 or -1 in owners:
                raise UsageError(f"span {tuple(span)} covers more than one word; only pieces of words can be summed")
            summed[..., owners.pop()] += self.scores[..., i]
        return replace(self, spans=self.text.words, scores=summed, levels=("word",) * len(self.text.words))

    def top(self, k: int = 5, level: str | None = None, *, sign: int = 0) -> tuple[Scored, ...]:
        """The k spans of the largest scores by magnitude; ``sign=1`` only those for, ``sign=-1`` only against.

        Ties stand in reading order. Raises UsageError for a result of several targets.
        """
        if self.scores.ndim != 1:
            raise UsageError("this result holds several targets; choose one with for_target(...) before top()")
        rows = [row for row in self.rows(level) if sign == 0 or row.score * sign > 0]
        return tuple(sorted(rows, key=lambda row: -abs(row.score))[:k])

    def rows(self, level: str | None = None) -> tuple[Scored, ...]:
        """Every span with its text and score, of one level (the finest unless named)."""
        part = self.at(level or self.level_names[0]) if level or self.spans else self
        if part.scores.ndim != 1:
            raise UsageError("this result holds several targets; choose one with for_target(...)")
        return tuple(
            Scored(self.text.surface(span), float(score), span, name)
            for span, score, name in zip(part.spans, part.scores, part.levels, strict=True)
        )

    def compare(self, other: Attribution, k: int = 3) -> Comparison:
        """How far two results on the same words agree: rank correlations, overlap of the top k, differences."""
        if self.words != other.words:
            raise UsageError("only explanations of the same words can be compared")
        first, second = self.over_words(), other.over_words()
        if first.scores.ndim != 1 or second.scores.ndim != 1:
            raise UsageError("a result holds several targets; choose one with for_target(...) before compare()")
        return compare(first.words, first.scores, second.scores, k)

    # files and views ------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``from_dict`` gives the result back, every score to the last bit."""
        from exegesis.results.saved import to_dict

        return to_dict(self)

    def to_pandas(self) -> pd.DataFrame:
        """One row a span and target: level, text, start, stop (characters), target, score."""
        from exegesis.results.saved import to_pandas

        return to_pandas([self])

    def __repr__(self) -> str:
        best = "" if self.scores.ndim > 1 else " ".join(f"{s.text}{s.score:+.3g}" for s in self.top(3))
        return f"<Attribution {self.name} of {self.target}={_short(self.explained)}: {len(self.spans)} spans; {best}>"


def _plain(value: Float[np.ndarray, "*any"] | np.float64) -> Number:
    return float(value) if value.ndim == 0 else value


def _row(value: Number, row: int) -> Number:
    return float(np.asarray(value)[row]) if np.ndim(value) else value


def _short(value: Number) -> str:
    if np.ndim(value):
        return "[" + ", ".join(f"{v:.4g}" for v in np.asarray(value)) + "]"
    return "nan" if math.isnan(float(value)) else f"{float(value):.4g}"
