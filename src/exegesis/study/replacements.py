"""Finding and replacing words in raw texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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
    changes = {}
    for place in places:
        span = Span(place, place + width)
        start, stop = _characters(text, span)
        changes[span] = _cased(text.raw[start:stop], new)
    return edited(raw, text, changes)


def edited(raw: Raw, text: Text, changes: Mapping[Span, str]) -> Raw:
    """The raw text with other characters in the place of some spans of words, which must not overlap.

    Where nothing takes the place of words, the blank before them goes too (that behind them at the start of a text).
    """
    whole, shift = text.raw, 0
    first = len(raw[0]) if isinstance(raw, tuple) else -1
    for span, new in sorted(changes.items()):
        start, stop = (edge + shift for edge in _characters(text, span))
        if not new:
            opens = start == 0 or start == first + 1
            if not opens and whole[start - 1 : start] == " ":
                start -= 1
            elif opens and whole[stop : stop + 1] == " ":
                stop += 1
        if first >= 0 and start < first:
            first += len(new) - (stop - start)
        whole = whole[:start] + new + whole[stop:]
        shift += len(new) - (stop - start)
    return whole if first < 0 else (whole[:first], whole[first + 1 :])


def _characters(text: Text, span: Span) -> tuple[int, int]:
    return text.characters(text.words[span.start])[0], text.characters(text.words[span.stop - 1])[1]


def inserted_words(after: Text, before: Text, place: int) -> tuple[str, ...]:
    """The words of ``after`` that stand where the word number ``place`` of ``before`` was replaced."""
    start, stop = before.characters(before.words[place])
    stop += len(after.raw) - len(before.raw)
    edges = map(after.characters, after.words)
    inside = [start <= first and last <= stop for first, last in edges]
    return tuple(normal(word) for word, within in zip(after.word_strings(), inside, strict=True) if within)


def _cased(old: str, new: str) -> str:
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new
