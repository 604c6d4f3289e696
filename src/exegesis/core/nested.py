"""Nested phrases: the tree of a plain list of spans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from exegesis.core.errors import SpanError
from exegesis.core.text import Span


class Nest(NamedTuple):
    """Nested spans of word numbers: each word, the whole text, and phrases between; children precede parents."""

    spans: tuple[Span, ...]
    children: tuple[tuple[int, ...], ...]


def nest(spans: Iterable[Span], words: int) -> Nest:
    """The tree of spans over ``words`` words; missing single words and the whole text are added.

    Raises SpanError if a span lies outside the text or is empty, or if two spans cross.
    """
    nodes = {Span(at, at + 1) for at in range(words)} | {Span(0, words)} | {Span(*span) for span in spans}
    for span in nodes:
        if not 0 <= span.start < span.stop <= words:
            raise SpanError(f"the phrase {tuple(span)} lies outside the text, which has {words} words")
    order = sorted(nodes, key=lambda span: (span.width, span.start))
    number = {span: at for at, span in enumerate(order)}
    children: list[list[int]] = [[] for _ in order]
    enclosing: list[Span] = []
    for span in sorted(nodes, key=lambda span: (span.start, -span.stop)):
        while enclosing and enclosing[-1].stop <= span.start:
            enclosing.pop()
        if enclosing:
            if span.stop > enclosing[-1].stop:
                raise SpanError(
                    f"the phrases {tuple(enclosing[-1])} and {tuple(span)} cross; phrases of a tree lie in one another "
                    "or apart"
                )
            children[number[enclosing[-1]]].append(number[span])
        enclosing.append(span)
    return Nest(tuple(order), tuple(map(tuple, children)))
