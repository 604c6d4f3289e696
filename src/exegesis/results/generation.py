"""The answer of a language model: every part of it against every word of the prompt and of the answer before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError
from exegesis.core.escapes import escaped
from exegesis.core.plain import to_plain
from exegesis.core.text import Span
from exegesis.core.values import published
from exegesis.results.attribution import Attribution
from exegesis.results.header import Account, Accounted, require_finite


@published
@dataclass(frozen=True, eq=False)
class Generation(Accounted):
    """Scores of words for each part of an answer.

    ``text`` is the prompt with the answer behind it. ``outputs`` are the parts that are explained, as spans of its
    pieces: the words of the answer (``unit`` is ``word``), its pieces (``piece``), or the whole (``answer``).
    ``explained[k]`` is the number of part k, the log-probability of its pieces or their logits given all before them;
    ``values[k, i]`` is the score of ``inputs[i]``, a word of the prompt or of the answer, or a source, for it. A score
    of words that come after a part is 0. What a part's own words do to each other stands in the account, as do special
    pieces, among them all that a chat's template adds. ``first`` is the number of the answer's first word among
    ``text.words``.

    Sums: the scores for a run of parts are those of its number, if the method is signed (``over``).

    Raises UsageError for scores that are not finite, or whose shape does not fit.
    """

    inputs: tuple[Span, ...]
    outputs: tuple[Span, ...]
    values: Float[np.ndarray, "targets inputs"]
    first: int
    unit: str = "word"

    form: ClassVar[str] = "exegesis.generation"
    noun: ClassVar[str] = "explanation of an answer"

    def __post_init__(self) -> None:
        super().__post_init__()
        values = np.asarray(self.values, dtype=np.float64)
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        if values.shape != (len(self.targets), len(self.inputs)) or len(self.outputs) != len(self.targets):
            raise UsageError(
                f"{len(self.targets)} parts and {len(self.inputs)} words need as many spans and scores for each pair, "
                f"not {values.shape}"
            )
        require_finite("the scores", values)
        if not 0 <= self.first <= len(self.text.words):
            raise UsageError(f"the answer begins at word {self.first} of {len(self.text.words)}")
        for start, stop in (*self.inputs, *self.outputs):
            if not 0 <= start < stop <= len(self.text):
                raise UsageError(f"the span {start} to {stop} lies outside the text of {len(self.text)} pieces")

    @property
    def answer(self) -> str:
        """The answer, as written."""
        words = self.text.words[self.first :]
        return self.text.surface(Span(words[0].start, words[-1].stop)) if words else ""

    @property
    def steps(self) -> tuple[str, ...]:
        """The parts of the answer that are explained, as written; of a piece that is no text, the tokenizer's name."""
        return tuple(self.text.surface(span) or " ".join(self.text.pieces[slice(*span)]) for span in self.outputs)

    @property
    def words(self) -> tuple[str, ...]:
        """The words that have scores, as written."""
        return tuple(self.text.surface(span) for span in self.inputs)

    @property
    def cites(self) -> bool:
        """True if whole sources of the prompt have scores, instead of words."""
        return not set(self.inputs) <= set(self.text.words) or "sources" in self.details

    @property
    def signed(self) -> bool:
        """True if a score below zero speaks against the part; the scores of other methods are sizes."""
        return self.details.get("signed") is not False

    def _carried(self) -> Float[np.ndarray, " targets"]:
        summed: np.ndarray = self.values.sum(-1)
        return summed

    def part(self, number: int) -> Attribution:
        """The explanation of one part of the answer, from 0. Raises UsageError if there is no such part."""
        return self.over(number, number + 1)

    def over(self, start: int = 0, stop: int | None = None) -> Attribution:
        """One number for a run of parts, by default the whole answer: the sum of theirs, with the sum of their scores.

        What the words of the run do to each other has scores too. Raises UsageError for an empty run, and for the sum
        of several parts by a method without signs.
        """
        stop = len(self.targets) if stop is None else stop
        if not 0 <= start < stop <= len(self.targets):
            raise UsageError(f"parts {start} to {stop} are not among the {len(self.targets)} of the answer")
        if stop - start > 1 and not self.signed:
            raise UsageError(f"the scores of {self.name} are sizes, which do not add up over parts; take one part")
        run = slice(start, stop)
        kind = self.targets[start].partition(":")[0]
        said = self.text.surface(Span(self.outputs[start].start, self.outputs[stop - 1].stop))
        name = self.targets[start] if stop - start == 1 else f"{kind}:{said}"
        explained = float(sum(self.subject.explained[run]))
        account = {key: (float(sum(part[run])),) for key, part in self.remainder.parts.items()}
        return Attribution(
            replace(self.subject, targets=(name,), explained=(explained,)),
            self.origin,
            self.inputs,
            self.values[run].sum(0, keepdims=True),
            ("word",) * len(self.inputs),
            remainder=Account(account, self.complete),
        )

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: ``scores[k][i]`` is that of word i for part k."""
        values = {"answer": self.answer, "steps": self.steps, "words": self.words, "scores": self.values}
        offsets = [self.text.characters(span) for span in self.inputs]
        return {**super().readable(), **to_plain({**values, "offsets": offsets, "method": self.name})}

    def __repr__(self) -> str:
        return escaped(f"<Generation {self.name} of {self.answer[:40]!r}: {len(self.outputs)} parts>")
