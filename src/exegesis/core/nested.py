"""Phrases that lie in one another: a tree from a plain list of spans. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from exegesis.core.errors import SpanError
from exegesis.core.text import Span


class Nest(NamedTuple):
    """Nested spans of word numbers: each word, the whole, and what lies between; children stand before parents."""

    spans: tuple[Span, ...]
    children: tuple[tuple[int, ...], ...]


def nest(spans: Iterable[Span], words: int) -> Nest:
    """The tree of some spans of ``words`` words, every single word and the whole added where they are missing.

    Raises SpanError where a span lies outside the text or is empty, or where two spans cross.
    """
    every = {Span(at, at + 1) for at in range(words)} | {Span(0, words)} | {Span(*span) for span in spans}
    for span in every:
        if not 0 <= span.start < span.stop <= words:
            raise SpanError(f"the phrase {tuple(span)} lies outside the text, which has {words} words")
    order = sorted(every, key=lambda span: (span.width, span.start))
    number = {span: at for at, span in enumerate(order)}
    children: list[list[int]] = [[] for _ in order]
    around: list[Span] = []
    for span in sorted(every, key=lambda span: (span.start, -span.stop)):
        while around and around[-1].stop <= span.start:
            around.pop()
        if around:
            if span.stop > around[-1].stop:
                raise SpanError(
                    f"the phrases {tuple(around[-1])} and {tuple(span)} cross; phrases of a tree lie in one another "
                    "or apart"
                )
            children[number[around[-1]]].append(number[span])
        around.append(span)
    return Nest(tuple(order), tuple(map(tuple, children)))
