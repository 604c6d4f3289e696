"""A hierarchy: nested phrases of one text, each with a score and the interaction that joined its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError, unknown
from exegesis.core.escapes import escaped
from exegesis.core.plain import to_plain
from exegesis.core.text import Span, Text
from exegesis.core.values import published
from exegesis.results.attribution import Attribution
from exegesis.results.header import Accounted, require_one_target

SORTS = ("score", "interaction")


class Part(NamedTuple):
    """A phrase as a hierarchy stores it.

    ``span`` covers pieces of the text. ``interaction`` is the strength with which its parts were joined, or across
    which it was cut; None for a word, and if the search measures none. ``children`` are numbers of parts in reading
    order. ``step`` is the step in which the phrase was joined or cut, from 1 (0 for a word from the start).
    """

    span: Span
    score: float
    interaction: float | None = None
    children: tuple[int, ...] = ()
    step: int = 0


class Phrase(NamedTuple):
    """A phrase with its characters; ``height`` is 0 for a word, else one more than the height of its highest part."""

    text: str
    score: float
    interaction: float | None
    span: Span
    height: int
    step: int
    number: int


@published
@dataclass(frozen=True, eq=False)
class Hierarchy(Accounted):
    """Nested phrases of one text with their scores, for one number that the model computed.

    ``parts`` are all phrases, from every word to the whole text, which is last; the children of a part are adjacent and
    cover its words. Scores need not add up: a hierarchy shows what a phrase says beyond its parts. ``account`` names
    the terms between the whole text's score and ``explained`` if the search knows them; ``complete`` if it promises
    this sum. ``name`` is the search (``acd``), ``method`` its ``repr`` with all parameters, ``scorer`` the source of
    the scores, in words.

    Raises UsageError for parts that are not a tree over the words, and for numbers that are not finite.
    """

    parts: tuple[Part, ...]
    scorer: str

    form: ClassVar[str] = "exegesis.hierarchy"
    noun: ClassVar[str] = "hierarchy"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_one_target(self)
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
        """All phrases from left to right, every phrase before its parts, the whole text first."""
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
        """The height of each part: 0 for a word, else one more than the height of its highest child."""
        heights: list[int] = []
        for part in self.parts:  # children come first
            heights.append(1 + max(heights[child] for child in part.children) if part.children else 0)
        return tuple(heights)

    def levels(self) -> tuple[tuple[Phrase, ...], ...]:
        """Phrases by their height, words first, the whole text last, each level in reading order."""
        heights = self.heights
        rows: list[list[Phrase]] = [[] for _ in range(heights[-1] + 1)]
        for number in sorted(range(len(self.parts)), key=lambda n: self.parts[n].span):
            rows[heights[number]].append(self[number])
        return tuple(map(tuple, rows))

    def top(self, k: int = 5, by: str = "score", *, sign: int = 0) -> tuple[Phrase, ...]:
        """The k phrases with the largest score, or with ``by="interaction"`` the strongest interaction, by magnitude.

        ``sign=1`` or ``-1`` keeps only phrases of this sign. Ties stay in reading order, longer phrases first. Raises
        UsageError for another order.
        """
        if by not in SORTS:
            raise unknown("order", by, SORTS)
        sized = [(phrase, phrase.score if by == "score" else phrase.interaction) for phrase in self]
        signed = [(phrase, size) for phrase, size in sized if size is not None and (sign == 0 or size * sign > 0)]
        return tuple(phrase for phrase, _ in sorted(signed, key=lambda pair: -abs(pair[1]))[:k])

    def words(self) -> Attribution:
        """The scores of the words alone as an attribution; its account closes if the search promises it."""
        return Attribution(
            self.subject,
            replace(self.origin, details={key: value for key, value in self.details.items() if key == "signed"}),
            self.text.words,
            self._words()[None],
            remainder=self.remainder,
        )

    def _words(self) -> Float[np.ndarray, " words"]:
        scores = {part.span: part.score for part in self.parts if not part.children}
        return np.array([scores[word] for word in self.text.words], dtype=np.float64)

    def _carried(self) -> Float[np.ndarray, " targets"]:
        return np.array([self._words().sum()])

    # files and views ------------------------------------------------------------------------------------

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs; ``parts`` keep their order, children before their parent."""
        parts = [
            {
                "text": self.text.surface(part.span),
                "offset": self.text.characters(part.span),
                "pieces": part.span,
                **{name: getattr(part, name) for name in ("score", "interaction", "children", "step")},
            }
            for part in self.parts
        ]
        return {**super().readable(), "search": self.name, "scorer": self.scorer, "parts": to_plain(parts)}

    def __repr__(self) -> str:
        best = " ".join(f"{phrase.text!r}{phrase.score:+.3g}" for phrase in self.top(3) if phrase.height)
        return escaped(
            f"<Hierarchy {self.name} of {self.target}={self.explained:.4g}: {len(self.text.words)} words, "
            f"{len(self.parts)} phrases, {self.heights[-1] + 1} levels; {best}>"
        )


def _check(text: Text, parts: Sequence[Part]) -> None:
    """Raise UsageError unless the parts are a tree over the words of the text."""
    first = {word.start: number for number, word in enumerate(text.words)}
    last = {word.stop: number + 1 for number, word in enumerate(text.words)}
    words, used = set(text.words), set[int]()
    for number, part in enumerate(parts):
        where = f"part {number} of the hierarchy"
        if not np.isfinite(part.score) or not np.isfinite(part.interaction or 0.0):
            raise UsageError(f"{where} has a score or an interaction that is not finite")
        if part.step < 0:
            raise UsageError(f"{where} has the step {part.step}: steps count from 0")
        if not part.children:
            if part.span not in words:
                raise UsageError(f"{where} has no children and is not a word, or one that stood before")
            words.discard(part.span)
            continue
        if len(part.children) < 2 or not all(0 <= child < number for child in part.children):
            raise UsageError(f"{where} needs two or more children that stand before it")
        if used & set(part.children) or len(set(part.children)) < len(part.children):
            raise UsageError(f"{where} has a child of another part")
        used |= set(part.children)
        spans = [parts[child].span for child in part.children]
        beside = all(last[a.stop] == first[b.start] for a, b in pairwise(spans))
        if not beside or part.span != (spans[0].start, spans[-1].stop):
            raise UsageError(f"{where} is not what its children cover")
    if words or len(used) != len(parts) - 1:
        raise UsageError("a hierarchy holds every word once, and the whole text as its last part")
