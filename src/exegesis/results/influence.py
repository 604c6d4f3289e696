"""Influence: the training texts that made a model say something about a text, each with its score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError
from exegesis.core.escapes import escaped
from exegesis.core.values import published
from exegesis.results.header import TextResult, require_one_target


class Mark(NamedTuple):
    """Characters ``start`` to ``stop`` of a text, with a score."""

    start: int
    stop: int
    score: float


class Source(NamedTuple):
    """A training text: its number (from 0), its characters, its label, its score; ``words`` where they were asked for.

    The parts of a pair are joined by a newline.
    """

    number: int
    text: str
    label: str
    score: float
    words: tuple[Mark, ...] = ()

    @property
    def helps(self) -> bool:
        """True if the text speaks for the number explained."""
        return self.score > 0

    @property
    def effect(self) -> str:
        """``helps``, ``hurts`` or ``no effect``."""
        return "helps" if self.score > 0 else "hurts" if self.score < 0 else "no effect"


@published
@dataclass(frozen=True, eq=False)
class Influence(TextResult):
    """The training texts behind a number of one text.

    ``scores[n]`` is that of training text n; NaN for one that the method did not look at. For every method alike, a
    score above zero says that the text **helps** (it makes the explained number larger), one below zero that it
    **hurts**; ``unit`` says what the number is. ``sources`` are the texts that help most, the most helpful first, then
    those that hurt most, the worst last; texts without an effect are not among them. ``marks`` are the words of the
    explained text with the scores of their own saliency, and ``word`` the number of the one whose saliency is explained
    (-1: the prediction is).
    """

    scores: Float[np.ndarray, " n"]
    sources: tuple[Source, ...]
    unit: str
    notes: tuple[str, ...] = ()
    marks: tuple[float, ...] = ()
    word: int = -1

    form: ClassVar[str] = "exegesis.influence"
    noun: ClassVar[str] = "influence of training texts"

    def __post_init__(self) -> None:
        require_one_target(self)
        if self.scores.ndim != 1 or np.isinf(self.scores).any():
            raise UsageError("scores of training texts are one finite number each, or NaN")
        for source in self.sources:
            if not 0 <= source.number < len(self.scores) or source.score != self.scores[source.number]:
                raise UsageError(f"training text {source.number} has another score than its place says")
        if self.marks and len(self.marks) != len(self.text.words):
            raise UsageError(f"{len(self.text.words)} words need as many marks, not {len(self.marks)}")
        if not -1 <= self.word < len(self.text.words):
            raise UsageError(f"the text has no word {self.word}")
        self.scores.setflags(write=False)

    @property
    def helpful(self) -> tuple[Source, ...]:
        """The texts that help most, the most helpful first."""
        return tuple(source for source in self.sources if source.score > 0)

    @property
    def harmful(self) -> tuple[Source, ...]:
        """The texts that hurt most, the worst first."""
        return tuple(source for source in reversed(self.sources) if source.score < 0)

    @property
    def scored(self) -> int:
        """The number of training texts with a score."""
        return int(np.isfinite(self.scores).sum())

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: the strongest texts with what each does."""
        sources = [{"number": s.number, "text": s.text, "label": s.label, "score": s.score, "effect": s.effect}
                   for s in self.sources]  # fmt: skip
        return {**super().readable(), "sources": sources, "unit": self.unit, "training_texts": len(self.scores)}

    def __repr__(self) -> str:
        first = self.helpful[0].text if self.helpful else "none"
        return escaped(
            f"<Influence on {self.target} by {self.name}: of {self.scored:,} texts {first!r:.60} helps most>"
        )


def strongest(scores: Float[np.ndarray, " n"], count: int) -> list[int]:
    """The numbers of the ``count`` texts that help most and of as many that hurt most, in the order of ``sources``."""
    order = np.argsort(-np.nan_to_num(scores), kind="stable")
    helpful = [int(n) for n in order[:count] if scores[n] > 0]
    harmful = [int(n) for n in order[::-1][:count] if scores[n] < 0]
    return [*helpful, *reversed(harmful)]
