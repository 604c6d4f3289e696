"""An attribution: the spans of a text and how much of a number each of them carries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import MissingExtraError, UsageError, unknown
from exegesis.core.escapes import escaped
from exegesis.core.text import Span
from exegesis.core.values import published
from exegesis.results.header import Account, Accounted, Number, Prediction, require_finite
from exegesis.statistics.agreement import Comparison, compare

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LEVELS", "Attribution", "Number", "Prediction", "Scored"]
LEVELS = ("word", "phrase", "clause", "text")


class Scored(NamedTuple):
    """A span with its characters, score and level."""

    text: str
    score: float
    span: Span
    level: str


@published
@dataclass(frozen=True, eq=False)
class Attribution(Accounted):
    """Scores of spans of one text, for one number that the model computed (or several, see ``targets``).

    ``values[k, i]`` is the score of ``spans[i]`` (pieces of ``text``) at level ``levels[i]`` for target k. ``scores``
    is a vector if there is one target; with several targets it has a leading axis, in the order of ``targets``, and
    ``for_target`` selects one of them.

    The account: ``explained`` is the number itself (for example the logit of the predicted class);
    ``residual`` is ``explained`` less the sum of the words' scores; ``account`` names what the residual is made of
    (the output bias, the value at the baseline, special tokens, ...). ``gap`` is the part that no term accounts for:
    ``residual`` less the sum of ``account``. For a method that promises completeness the gap is rounding,
    or the stated tolerance; ``complete`` says whether the method promises it.

    Two results are equal if all their values are equal, also after one of them was saved and read again. Raises
    UsageError for scores or an account that are not finite, or whose shape does not fit spans and targets.
    """

    spans: tuple[Span, ...]
    values: Float[np.ndarray, "targets spans"]
    levels: tuple[str, ...] = ()

    form: ClassVar[str] = "exegesis.attribution"
    noun: ClassVar[str] = "explanation of words"

    def __post_init__(self) -> None:
        super().__post_init__()
        values = np.asarray(self.values, dtype=np.float64)
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        if not self.levels:
            object.__setattr__(self, "levels", ("word",) * len(self.spans))
        if values.shape != (len(self.targets), len(self.spans)) or len(self.levels) != len(self.spans):
            raise UsageError(
                f"{len(self.spans)} spans need as many levels, and scores for {len(self.targets)} targets, "
                f"not {values.shape}"
            )
        if not np.isfinite(values).all():
            raise UsageError(f"the scores of {self.name} must be finite numbers: mend or drop the explanation")
        if self.complete:
            require_finite("explained", *self.subject.explained)
        for start, stop in self.spans:
            if not 0 <= start < stop <= len(self.text):
                raise UsageError(f"the span {start} to {stop} lies outside the text of {len(self.text)} pieces")

    # the numbers ----------------------------------------------------------------------------------------

    @property
    def words(self) -> tuple[str, ...]:
        """The user's words, as written."""
        return self.text.word_strings()

    @property
    def scores(self) -> Float[np.ndarray, "*targets spans"]:
        """The scores of the spans; with several targets, one row per target."""
        return self.values[0] if len(self.targets) == 1 else self.values

    def replace(self, **changes: Any) -> Self:
        """The result with other values, by the names of its properties: ``result.replace(scores=scores, model="b")``.

        Raises UsageError for a name that the result does not have, and if the values do not fit each other.
        """
        if "scores" in changes:
            changes["values"] = np.atleast_2d(np.asarray(changes.pop("scores"), dtype=np.float64))
        return super().replace(**changes)

    def _carried(self) -> Float[np.ndarray, " targets"]:
        """The sum of the words' scores; without words, the sum of the scores of the finest level."""
        if not self.spans:
            return np.zeros(len(self.targets))
        if len(self.targets) == 1 and len(set(self.levels)) == 1:
            return np.atleast_1d(self.values[0].sum())
        finest = self.level_names[0]
        sums: np.ndarray = self.values[:, [i for i, level in enumerate(self.levels) if level == finest]].sum(-1)
        return sums

    # parts ----------------------------------------------------------------------------------------------

    @property
    def level_names(self) -> tuple[str, ...]:
        """The levels that this result holds, finest first."""
        usual = [level for level in LEVELS if level in self.levels]
        return (*usual, *sorted(set(self.levels) - set(usual)))

    def at(self, level: str) -> Attribution:
        """The spans of one level: ``word``, ``phrase``, ``clause`` or ``text``.

        Raises UsageError if the result has no span of this level.
        """
        if level not in self.levels:
            raise unknown("level of this result", level, self.level_names)
        keep = [i for i, name in enumerate(self.levels) if name == level]
        return replace(
            self,
            spans=tuple(self.spans[i] for i in keep),
            values=self.values[:, keep],
            levels=(level,) * len(keep),
        )

    def for_target(self, target: str) -> Attribution:
        """The scores for one target, chosen by its name (``logit:positive``) or by its label alone (``positive``).

        Raises UsageError if the result does not explain this target.
        """
        names = [name.split(":", 1)[-1] for name in self.targets]
        if target in self.targets:
            row = self.targets.index(target)
        elif target in names:
            row = names.index(target)
        else:
            raise unknown("target of this result", target, self.targets)
        if len(self.targets) == 1:
            return self
        subject, remainder = self.subject, self.remainder
        return replace(
            self,
            subject=replace(subject, targets=(subject.targets[row],), explained=(subject.explained[row],)),
            values=self.values[row : row + 1],
            remainder=Account({name: (part[row],) for name, part in remainder.parts.items()}, remainder.complete),
        )

    def each_target(self) -> tuple[Attribution, ...]:
        """A result for each target, in the order of ``targets``."""
        return (self,) if len(self.targets) == 1 else tuple(self.for_target(name) for name in self.targets)

    def over_words(self) -> Attribution:
        """The result with scores on the user's words: the scores of a word's pieces are summed, which keeps the total.

        Raises UsageError for a span that covers more than one word.
        """
        if all(level == "word" for level in self.levels) and self.spans == self.text.words:
            return self
        if "word" in self.levels:
            return self.at("word").over_words()
        piece = {p: n for n, word in enumerate(self.text.words) for p in range(*word)}
        summed = np.zeros((len(self.targets), len(self.text.words)))
        for i, span in enumerate(self.spans):
            owners = {piece.get(p, -1) for p in range(*span)}
            if len(owners) != 1 or -1 in owners:
                raise UsageError(f"span {tuple(span)} covers more than one word; only pieces of words can be summed")
            summed[:, owners.pop()] += self.values[:, i]
        return replace(self, spans=self.text.words, values=summed, levels=("word",) * len(self.text.words))

    def top(self, k: int = 5, level: str | None = None, *, sign: int = 0) -> tuple[Scored, ...]:
        """The k spans with the largest scores by magnitude; ``sign=1`` or ``-1`` keeps only scores of this sign.

        Ties stay in reading order. Raises UsageError for a result with several targets.
        """
        if self.scores.ndim != 1:
            raise UsageError("this result holds several targets; choose one with for_target(...) before top()")
        rows = [row for row in self.rows(level) if sign == 0 or row.score * sign > 0]
        return tuple(sorted(rows, key=lambda row: -abs(row.score))[:k])

    def rows(self, level: str | None = None) -> tuple[Scored, ...]:
        """Every span of one level (by default the finest) with its text and score, in the order of ``spans``.

        Raises UsageError for a result with several targets, and for a level that the result does not have.
        """
        part = self.at(level or self.level_names[0]) if level or self.spans else self
        if part.scores.ndim != 1:
            raise UsageError("this result holds several targets; choose one with for_target(...)")
        return tuple(
            Scored(self.text.surface(span), float(score), span, name)
            for span, score, name in zip(part.spans, part.scores, part.levels, strict=True)
        )

    def compare(self, other: Attribution, k: int = 3) -> Comparison:
        """The agreement of two results on the same words: rank correlations, overlap of the top k, differences.

        Raises UsageError if the words differ, or if a result has several targets.
        """
        if self.words != other.words:
            raise UsageError("only explanations of the same words can be compared")
        first, second = self.over_words(), other.over_words()
        if first.scores.ndim != 1 or second.scores.ndim != 1:
            raise UsageError("a result holds several targets; choose one with for_target(...) before compare()")
        names = [(self.name, other.name), (self.model, other.model), (self.target, other.target), ("first", "second")]
        told = next(pair for pair in names if pair[0] != pair[1])
        return replace(compare(first.words, first.scores, second.scores, k), names=told)

    # files and views ------------------------------------------------------------------------------------

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: ``scores`` are parallel to ``words``; ``spans`` has every level."""
        words = self.at("word").scores.tolist() if "word" in self.levels else None
        spans = [
            {
                "level": level,
                "text": self.text.surface(span),
                "offset": list(self.text.characters(span)),
                "pieces": list(span),
                "score": self.scores[..., i].tolist(),
            }
            for i, (span, level) in enumerate(zip(self.spans, self.levels, strict=True))
        ]
        return {**super().readable(), "method": self.name, "scores": words, "spans": spans}

    def to_pandas(self) -> pd.DataFrame:
        """A data frame with one row per span and target: level, text, start, stop (characters), target, score.

        Raises MissingExtraError without pandas.
        """
        return to_pandas([self])

    def __repr__(self) -> str:
        best = "" if self.scores.ndim > 1 else " ".join(f"{s.text}{s.score:+.3g}" for s in self.top(3))
        number = f"{self.target}={_short(self.explained)}"
        return escaped(f"<Attribution {self.name} of {number}: {len(self.spans)} spans; {best}>")


def _short(value: Number) -> str:
    if np.ndim(value):
        return "[" + ", ".join(f"{v:.4g}" for v in np.asarray(value)) + "]"
    return "nan" if math.isnan(float(value)) else f"{float(value):.4g}"


def to_pandas(results: Sequence[Attribution]) -> pd.DataFrame:
    """A data frame with one row per result, span and target. Raises MissingExtraError without pandas."""
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("pandas", "pandas", "a data frame of results") from error
    rows = [
        {
            "example": number,
            "method": part.name,
            "target": part.target,
            "level": row.level,
            "text": row.text,
            "start": part.text.characters(row.span)[0],
            "stop": part.text.characters(row.span)[1],
            "score": row.score,
        }
        for number, result in enumerate(results)
        for part in result.each_target()
        for level in part.level_names
        for row in part.rows(level)
    ]
    return pd.DataFrame(rows)
