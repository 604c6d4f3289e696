"""Words of a text found and replaced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from exegesis.core.text import Span, Text
from exegesis.protocols.model import Raw
from exegesis.study.texts import normal


def starts(text: Text, words: Sequence[str]) -> list[int]:
    """The numbers of the words where ``words`` (as ``normal`` writes them) begin: one after another, in one part of a
    pair, from left to right, no word of the text taken twice."""
    strings, width = list(map(normal, text.word_strings())), len(words)
    found: list[int] = []
    for i in range(len(strings) - width + 1 if width else 0):
        free = not found or i >= found[-1] + width
        if free and strings[i : i + width] == list(words) and _together(text, i, width):
            found.append(i)
    return found


def _together(text: Text, start: int, width: int) -> bool:
    whole = Span(text.words[start].start, text.words[start + width - 1].stop)
    return width == 1 or not text.segments or any(part.covers(whole) for part in text.segments)


def replaced(raw: Raw, text: Text, places: Iterable[int], new: str, width: int = 1) -> Raw:
    """A text with ``new`` for the ``width`` words from each of some places on, with a capital where they had one."""
    whole, shift = text.raw, 0
    first = len(raw[0]) if isinstance(raw, tuple) else -1
    for place in sorted(places):
        start, stop = text.characters(text.words[place])[0], text.characters(text.words[place + width - 1])[1]
        word = _cased(whole[start + shift : stop + shift], new)
        if first >= 0 and start + shift < first:
            first += len(word) - (stop - start)
        whole = whole[: start + shift] + word + whole[stop + shift :]
        shift += len(word) - (stop - start)
    return whole if first < 0 else (whole[:first], whole[first + 1 :])


def put(after: Text, before: Text, place: int) -> tuple[str, ...]:
    """The words that a model reads where one word of ``before`` was replaced."""
    start, stop = before.characters(before.words[place])
    stop += len(after.raw) - len(before.raw)
    edges = map(after.characters, after.words)
    inside = [start <= first and last <= stop for first, last in edges]
    return tuple(normal(word) for word, own in zip(after.word_strings(), inside, strict=True) if own)


def _cased(old: str, new: str) -> str:
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new
