"""A hierarchy: nested phrases of one text, each with a score and what joined it. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np

from exegesis.core.errors import UsageError, unknown
from exegesis.core.text import Span, Text
from exegesis.results.attribution import Attribution, Number, Prediction
from exegesis.results.result import Result

SORTS = ("score", "interaction")
SEARCHES = ("acd", "soc", "scd", "hedge", "parse", "owen")  # the names that results can have


class Part(NamedTuple):
    """One phrase of a hierarchy, as stored.

    ``span`` are pieces of the text. ``interaction`` is the strength with which its parts were joined, or across which
    it was cut; None for a word, and where the search measures none. ``children`` are numbers of parts in reading
    order. ``step`` says when the phrase was joined or cut, from 1 (0 for a word that was there from the start).
    """

    span: Span
    score: float
    interaction: float | None = None
    children: tuple[int, ...] = ()
    step: int = 0


class Phrase(NamedTuple):
    """One phrase as a reader meets it; ``height`` is 0 for a word, and one more than its highest part's above."""

    text: str
    score: float
    interaction: float | None
    span: Span
    height: int
    step: int
    number: int


@dataclass(frozen=True, eq=False)
class Hierarchy(Result):
    """Nested phrases of one text with their scores, for one number that the model computed.

    ``parts`` are all phrases, the whole text among them and last, every word among them too; the children of a part lie
    side by side and cover its words. Scores need not add up: what a phrase says beyond its parts is why one looks at a
    hierarchy. ``account`` names what the whole text's score leaves of ``explained`` where the search knows it;
    ``complete`` says that it promises this sum. ``name`` is the search (``acd``), ``method`` its ``repr`` with all
    parameters, ``scorer`` what gave the scores, in words.
    """

    text: Text
    parts: tuple[Part, ...]
    target: str
    method: str
    name: str
    scorer: str
    prediction: Prediction
    explained: float
    account: Mapping[str, Number] = field(default_factory=dict)
    complete: bool = False
    seconds: float = 0.0
    model: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    views: ClassVar[str] = "hierarchy"
    noun: ClassVar[str] = "hierarchy"

    def __post_init__(self) -> None:
        _check(self.text, self.parts)

    # parts ----------------------------------------------------------------------------------------------

    @property
    def root(self) -> Phrase:
        """The whole text."""
        return self[len(self.parts) - 1]

    def __getitem__(self, number: int) -> Phrase:
        part = self.parts[number]
        height = self.heights[number]
        return Phrase(self.text.surface(part.span), part.score, part.interaction, part.span, height, part.step, number)

    def __len__(self) -> int:
        """The number of phrases, words included."""
        return len(self.parts)

    def __iter__(self) -> Iterator[Phrase]:
        """Every phrase, the whole text first, each before its parts, from left to right."""
        waiting = [len(self.parts) - 1]
        while waiting:
            number = waiting.pop()
            yield self[number]
            waiting += reversed(self.parts[number].children)

    def children(self, phrase: Phrase) -> tuple[Phrase, ...]:
        """The parts of a phrase, from left to right; none for a word."""
        return tuple(self[number] for number in self.parts[phrase.number].children)

    @cached_property
    def heights(self) -> tuple[int, ...]:
        """For each part, 0 for a word and one more than its highest child's otherwise."""
        found: list[int] = []
        for part in self.parts:  # children come first
            found.append(1 + max(found[child] for child in part.children) if part.children else 0)
        return tuple(found)

    def levels(self) -> tuple[tuple[Phrase, ...], ...]:
        """Phrases by their height, words first, the whole text last, each level in reading order."""
        heights = self.heights
        rows: list[list[Phrase]] = [[] for _ in range(heights[-1] + 1)]
        for number in sorted(range(len(self.parts)), key=lambda n: self.parts[n].span):
            rows[heights[number]].append(self[number])
        return tuple(map(tuple, rows))

    def top(self, k: int = 5, by: str = "score", *, sign: int = 0) -> tuple[Phrase, ...]:
        """The k phrases of largest score, or ``by="interaction"`` of strongest interaction, by magnitude.

        ``sign=1`` only those for, ``sign=-1`` only those against. Ties stand in reading order, the longer first.
        """
        if by not in SORTS:
            raise unknown("order", by, SORTS)
        sized = [(phrase, phrase.score if by == "score" else phrase.interaction) for phrase in self]
        kept = [(phrase, size) for phrase, size in sized if size is not None and (sign == 0 or size * sign > 0)]
        return tuple(phrase for phrase, _ in sorted(kept, key=lambda pair: -abs(pair[1]))[:k])

    def words(self) -> Attribution:
        """The scores of the words alone, as any other result; its account closes where the search promises it."""
        first = {part.span: part.score for part in self.parts if not part.children}
        return Attribution(
            text=self.text,
            spans=self.text.words,
            scores=np.array([first[word] for word in self.text.words], dtype=np.float64),
            targets=(self.target,),
            method=self.method,
            name=self.name,
            prediction=self.prediction,
            explained=self.explained,
            account=self.account,
            complete=self.complete,
            seconds=self.seconds,
            model=self.model,
            details={key: value for key, value in self.details.items() if key == "signed"},
        )

    # files and views ------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``exegesis.read`` gives the result back, every score to the last bit."""
        from exegesis.results.saved import hierarchy_to_dict

        return hierarchy_to_dict(self)

    def __repr__(self) -> str:
        best = " ".join(f"{phrase.text!r}{phrase.score:+.3g}" for phrase in self.top(3) if phrase.height)
        return (
            f"<Hierarchy {self.name} of {self.target}={self.explained:.4g}: {len(self.text.words)} words, "
            f"{len(self.parts)} phrases, {self.heights[-1] + 1} levels; {best}>"
        )


def _check(text: Text, parts: Sequence[Part]) -> None:
    """Raises UsageError where the parts are no tree over the words of the text."""
    first = {word.start: number for number, word in enumerate(text.words)}
    last = {word.stop: number + 1 for number, word in enumerate(text.words)}
    words, used = set(text.words), set[int]()
    for number, part in enumerate(parts):
        where = f"part {number} of the hierarchy"
        if not np.isfinite(part.score) or not np.isfinite(part.interaction or 0.0):
            raise UsageError(f"{where} has a score that is no finite number")
        if not part.children:
            if part.span not in words:
                raise UsageError(f"{where} has no children and is no word, or one that stood before")
            words.discard(part.span)
            continue
        if len(part.children) < 2 or not all(0 <= child < number for child in part.children):
            raise UsageError(f"{where} needs two or more children that stand before it")
        if used & set(part.children) or len(set(part.children)) < len(part.children):
            raise UsageError(f"{where} has a child of another part")
        used |= set(part.children)
        spans = [parts[child].span for child in part.children]
        beside = all(last[one.stop] == first[two.start] for one, two in pairwise(spans))
        if not beside or part.span != (spans[0].start, spans[-1].stop):
            raise UsageError(f"{where} is not what its children cover")
    if words or len(used) != len(parts) - 1:
        raise UsageError("a hierarchy holds every word once, and the whole text as its last part")
