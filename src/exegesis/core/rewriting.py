"""Raw texts with other words in the place of some."""

from __future__ import annotations

from collections.abc import Mapping

from exegesis.core.text import Span, Text

Raw = str | tuple[str, str]


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


def rewritten(raw: Raw, text: Text, new: Mapping[int, str], width: int = 1) -> Raw:
    """The raw text with ``new[place]`` instead of the ``width`` words from each place on, capitalised alike."""
    changes = {}
    for place, words in new.items():
        span = Span(place, place + width)
        start, stop = _characters(text, span)
        changes[span] = _cased(text.raw[start:stop], words)
    return edited(raw, text, changes)


def _characters(text: Text, span: Span) -> tuple[int, int]:
    return text.characters(text.words[span.start])[0], text.characters(text.words[span.stop - 1])[1]


def _cased(old: str, new: str) -> str:
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new
