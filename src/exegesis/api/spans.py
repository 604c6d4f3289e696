"""Spans of words that a user names: one list for all texts, or a list for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exegesis.api.inputs import spans_of
from exegesis.core.errors import SpanError, UsageError
from exegesis.core.text import Span, Text
from exegesis.engine.run import Spans
from exegesis.models.tagger import Tagger


def of_each(spans: object) -> list[Any] | None:
    """The lists of spans, where a list for each text is given; None where one is for all texts.

    A span is a pair of numbers, so a list of lists of pairs (some of them empty) is one for each.
    """
    if not isinstance(spans, Sequence) or isinstance(spans, str) or not len(spans):
        return None
    lists = [isinstance(one, Sequence) and not isinstance(one, str) for one in spans]
    inner = [not len(one) or not isinstance(one[0], int) for one, fits in zip(spans, lists, strict=True) if fits]
    return list(spans) if all(lists) and all(inner) else None


def spans_each(level: str, given: Sequence[Any], tagger: Tagger | None, texts: Sequence[Text]) -> Spans:
    """Each text's own spans, beside those of the level.

    Raises UsageError for another number of lists than of texts, SpanError, naming the text, for a span outside it.
    """
    if len(given) != len(texts):
        raise UsageError(
            f"{len(given)} lists of spans are given for {len(texts)} texts; give one list a text, or one list of pairs "
            "for all"
        )
    found = {}
    for number, (text, spans) in enumerate(zip(texts, given, strict=True), 1):
        find = spans_of(level, list(spans), tagger)
        try:
            for span in spans:
                text.over(Span(*span))
        except SpanError as error:
            raise SpanError(f"text {number} of {len(texts)}: {error}") from error
        if find is not None:
            found[id(text)] = find
    return lambda text: found[id(text)](text)
