"""Words on both sides: the one whose saliency is explained, and those of training texts (survey, Sec. 5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.core.parameters import at_least, checked
from exegesis.core.text import Text
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.saliency import Kind, gradients, saliencies
from exegesis.protocols.batch import Batch, compact
from exegesis.protocols.loss import slope
from exegesis.questions.sources.method import Queries
from exegesis.results.influence import Mark

TOP = "top"  # the word of the largest saliency


@checked
@dataclass(frozen=True)
class Word:
    """The word whose saliency is explained: its number, its characters (in any case), or ``top``.

    ``kind`` and ``steps`` are as in ``mech.curvature.saliency.gradients``.
    """

    which: int | str
    kind: Kind = "x-input"
    steps: Annotated[int, at_least(1)] = 16

    def number(self, text: Text, scores: Float[Tensor, " w"]) -> int:
        """The number of the word in a text. Raises UsageError if the text has no such word."""
        words = text.word_strings()
        if self.which == TOP:
            return int(scores.abs().argmax())
        if isinstance(self.which, str):
            found = [n for n, word in enumerate(words) if word.lower() == self.which.lower()]
            if not found:
                raise UsageError(f"the text has no word {self.which!r}; its words are {', '.join(words)[:200]}")
            return found[0]
        if not 0 <= self.which < len(words):
            raise UsageError(f"word {self.which} lies outside the text, which has {len(words)} words (from 0)")
        return self.which


@dataclass(frozen=True, eq=False)
class Salient(Queries):
    """Numbers to explain that are saliencies of words: s of a word instead of the number itself (Eq. 29).

    Eq. 29 has the vector w = ∂S/∂x of a word. Influence is that on a number, so it is taken as x · w, or |w| (Eq. 28).
    """

    passes: Passes
    word: Word

    @classmethod
    def of(cls, queries: Queries, passes: Passes, word: Word) -> Salient:
        """The saliencies of words of the texts of other queries."""
        return cls(queries.texts, queries.batch, queries.raw, queries.target, passes, word)

    @cached_property
    def scores(self) -> list[Float[Tensor, " w"]]:
        """The saliency of every word of each text."""
        kind, steps = self.word.kind, self.word.steps
        return [
            saliencies(self.passes, self._alone(row), self._number(row), text.words, kind, steps)
            for row, text in enumerate(self.texts)
        ]

    @cached_property
    def numbers(self) -> list[int]:
        """The word of each text that is explained."""
        return [self.word.number(text, scores) for text, scores in zip(self.texts, self.scores, strict=True)]

    def gradients(self, passes: Passes, rows: range) -> Float[Tensor, "q p"]:
        """The gradients of the saliencies to the weights."""
        found = []
        for row in rows:
            span = self.texts[row].words[self.numbers[row]]
            found.append(
                gradients(passes, self._alone(row), self._number(row), [span], self.word.kind, self.word.steps)
            )
        return torch.cat(found)

    def _alone(self, row: int) -> Batch:
        return self.batch.take(torch.tensor([row]))

    def _number(self, row: int):  # type: ignore[no-untyped-def]
        target = self.target.take(torch.tensor([row]))
        return lambda raw: target.of(raw)[:, 0]


def word_marks(passes: Passes, text: Text, gold: float, score: float, vector: Float[Tensor, " p"]) -> tuple[Mark, ...]:
    """The part of a training text's score that goes with each of its words: I(z) less I of z without the word (Eq. 30).

    (Eq. 31, as printed, subtracts two names of the same number.) All removals of a text run together. The word of
    a text of one word has all of its score: without it there is no text.
    """
    places = [text.characters(word) for word in text.words]
    if len(text.words) == 1:
        return (Mark(*places[0], score),)
    model = passes.model
    whole = model.encode([text] * len(text.words))
    keep = whole.mask.clone()
    for row, word in enumerate(text.words):
        keep[row, word.start : word.stop] = False
    removed = compact(whole, keep, model.tokens["pad"])
    left = torch.zeros(len(text.words), dtype=vector.dtype)
    for rows in model.calls(removed):
        part = replace(removed.take(rows), texts=())
        golds = torch.full((len(part),), gold, device=part.device)
        _, factors = passes.factors(part, lambda raw, golds=golds: slope(raw, golds, model.link)[None])  # type: ignore[misc]
        left[rows.cpu()] = -factors.times(vector[None])[0, :, 0].cpu()
    return tuple(Mark(*place, score - other) for place, other in zip(places, left.tolist(), strict=True))
