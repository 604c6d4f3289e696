"""Texts and spans: the one coordinate system of the package."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from exegesis.core.errors import SpanError, TextError, UsageError

_SPLIT = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class Span(NamedTuple):
    """A half-open range of pieces, ``start`` to ``stop``."""

    start: int
    stop: int

    def covers(self, other: Span) -> bool:
        """True if the other span lies inside this one."""
        return self.start <= other.start and other.stop <= self.stop

    @property
    def width(self) -> int:
        """The number of pieces."""
        return self.stop - self.start


@dataclass(frozen=True)
class Text:
    """A text as one model reads it.

    ``pieces`` are the model's tokens (subwords, or whole words for a vocabulary of words), special pieces included;
    ``ids`` are their numbers in the model's vocabulary; ``offsets[i]`` is the half-open range of characters of ``raw``
    that piece ``i`` covers (an empty range for a special piece). ``words`` and ``segments`` are spans of pieces: the
    user's words in reading order, and the parts of a pair (one segment for a single text). For a pair ``raw`` holds
    both texts, joined by a newline. ``places`` are the pieces at which a model with an output for every piece is read:
    the word whose tag is explained, the start and the end of an answer, a mask.

    Raises UsageError if there are not as many ids, offsets and special flags as pieces, or if an offset, a word, a
    segment or a place lies outside the text, TextError for a split surrogate pair.
    """

    raw: str
    pieces: tuple[str, ...]
    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    words: tuple[Span, ...]
    segments: tuple[Span, ...]
    special: tuple[bool, ...]
    places: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.pieces)
        if not len(self.ids) == len(self.offsets) == len(self.special) == count:
            raise UsageError(f"a text of {count} pieces needs as many ids, offsets and special flags")
        refuse_split_pairs("the text", "\n".join((self.raw, *self.pieces)))
        size = len(self.raw)
        _check_ranges("offset", self.offsets, size, "characters")
        _check_ranges("word", self.words, count, "pieces", empty=False)
        _check_ranges("segment", self.segments, count, "pieces")
        _check_ranges("place", self.places, count, "pieces", empty=False)

    def __len__(self) -> int:
        """The number of pieces."""
        return len(self.pieces)

    def characters(self, span: Span) -> tuple[int, int]:
        """The range of characters of ``raw`` that the pieces of a span cover, without special pieces."""
        if span.stop - span.start == 1:  # a word of one piece, as most are
            return (0, 0) if self.special[span.start] else self.offsets[span.start]
        inside = [self.offsets[i] for i in range(span.start, span.stop) if not self.special[i]]
        if not inside:
            return (0, 0)
        return min(start for start, _ in inside), max(stop for _, stop in inside)

    def surface(self, span: Span) -> str:
        """The user's own characters under a span; for a span over both parts of a pair, the characters of both."""
        start, stop = self.characters(span)
        return self.raw[start:stop]

    def word_strings(self) -> tuple[str, ...]:
        """The user's words, as written."""
        return tuple(self.surface(word) for word in self.words)

    def over(self, words: Span) -> Span:
        """The span of pieces under a span of word numbers.

        Raises SpanError if the words lie outside the text or if the span is empty.
        """
        if not 0 <= words.start < words.stop <= len(self.words):
            raise SpanError(
                f"words {words.start} to {words.stop} lie outside the text, which has {len(self.words)} words"
            )
        return Span(self.words[words.start].start, self.words[words.stop - 1].stop)

    def words_under(self, span: Span) -> Span:
        """The span of word numbers that a span of pieces covers.

        Raises SpanError if the span lies outside the text, covers no word, or cuts one.
        """
        if not 0 <= span.start < span.stop <= len(self.pieces):
            raise SpanError(f"pieces {span.start} to {span.stop} lie outside the text of {len(self.pieces)} pieces")
        inside = [n for n, word in enumerate(self.words) if span.covers(word)]
        touched = [n for n, word in enumerate(self.words) if word.start < span.stop and span.start < word.stop]
        if not inside or inside != touched:
            raise SpanError(f"pieces {span.start} to {span.stop} cover no whole word or cut one; give whole words")
        return Span(inside[0], inside[-1] + 1)


def refuse_split_pairs(what: str, string: str) -> None:
    """Raise TextError for a character that a string holds as two surrogates, which no file brings back as two."""
    split = None if string.isascii() else _SPLIT.search(string)
    if split is not None:
        raise TextError(
            f"{what} holds a character as two surrogates (at {split.start()}), which cannot be saved: join them by "
            "text.encode('utf-16', 'surrogatepass').decode('utf-16', 'surrogatepass')"
        )


def _check_ranges(name: str, ranges: Iterable[tuple[int, int]], size: int, unit: str, *, empty: bool = True) -> None:
    """Raise UsageError if a range lies outside the text, runs backwards, or is empty although it must not be."""
    for start, stop in ranges:
        if not 0 <= start <= stop <= size or (start == stop and not empty):
            raise UsageError(f"the {name} {start} to {stop} lies outside the text, which has {size} {unit}")


def text_of_words(raw: str, words: Sequence[tuple[str, int, int]], ids: Iterable[int]) -> Text:
    """A text whose pieces are its words: ``words`` has the token and the range of characters of each word."""
    pieces, starts, stops = zip(*words, strict=True) if words else ((), (), ())
    return Text(
        raw=raw,
        pieces=pieces,
        ids=tuple(ids),
        offsets=tuple(zip(starts, stops, strict=True)),
        words=_single(len(words)),
        segments=(Span(0, len(words)),),
        special=(False,) * len(words),
    )


@lru_cache(1024)
def _single(count: int) -> tuple[Span, ...]:
    """Spans of one piece each."""
    return tuple(Span(i, i + 1) for i in range(count))


def trimmed(raw: str, start: int, stop: int) -> tuple[int, int]:
    """A range of characters without the blanks at its ends."""
    while start < stop and raw[start].isspace():
        start += 1
    while start < stop and raw[stop - 1].isspace():
        stop -= 1
    return start, stop
