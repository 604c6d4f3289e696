"""Finding and replacing words in raw texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from exegesis.core.rewriting import rewritten
from exegesis.core.text import Span, Text
from exegesis.protocols.model import Raw
from exegesis.study.corpus import normal


def starts(text: Text, words: Sequence[str]) -> list[int]:
    """The numbers of the words at which the sequence ``words`` (as written by ``normal``) begins.

    Occurrences lie within one part of a pair, do not overlap, and are found from left to right.
    """
    strings, width = list(map(normal, text.word_strings())), len(words)
    places: list[int] = []
    for i in range(len(strings) - width + 1 if width else 0):
        free = not places or i >= places[-1] + width
        if free and strings[i : i + width] == list(words) and _in_one_part(text, i, width):
            places.append(i)
    return places


def _in_one_part(text: Text, start: int, width: int) -> bool:
    whole = Span(text.words[start].start, text.words[start + width - 1].stop)
    return width == 1 or not text.segments or any(part.covers(whole) for part in text.segments)


def replaced(raw: Raw, text: Text, places: Iterable[int], new: str, width: int = 1) -> Raw:
    """The raw text with ``new`` instead of the ``width`` words from each of ``places`` on, capitalised alike."""
    return rewritten(raw, text, dict.fromkeys(places, new), width)


def inserted_words(after: Text, before: Text, place: int) -> tuple[str, ...]:
    """The words of ``after`` that stand where the word number ``place`` of ``before`` was replaced."""
    start, stop = before.characters(before.words[place])
    stop += len(after.raw) - len(before.raw)
    edges = map(after.characters, after.words)
    inside = [start <= first and last <= stop for first, last in edges]
    return tuple(normal(word) for word, within in zip(after.word_strings(), inside, strict=True) if within)
