"""The words of a text, as ranges of characters: a user's own, or by the built-in rules with a library's dictionaries.

Scripts without blanks need dictionaries. ICU has those of Thai, Lao, Khmer and Burmese; without it (the extra
``segmentation``) a word there is a cluster of letters, and the log says so once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from exegesis.core.errors import TextError, UsageError
from exegesis.core.text import trimmed
from exegesis.models.text.answers import placed_by
from exegesis.models.text.frame import Frame
from exegesis.models.text.placement import Range
from exegesis.models.text.tokenizer import Token, is_clustered, tokenize

Words = Callable[[str], Iterable[Any]]
Reading = TypeVar("Reading")
_log = logging.getLogger("exegesis.words")


def words_in(raw: str, words: Words | None = None) -> list[Range]:
    """The words of a text in order; together they hold every character that is not blank.

    ``words`` is a user's function from a text to words, or to their (start, stop); words that share characters are one,
    and what it leaves out is cut by the built-in rules. Raises ModelError, naming the word, for one whose place is not
    found, UsageError for ranges out of order, TextError for a blank text.
    """
    if not raw.strip():
        raise TextError("the text is empty or blank; give a text with at least one word")
    if words is None:
        return _joined(raw, tokenize(raw))
    found: list[Range] = []
    for token in placed_by(words, raw, Frame, "words="):
        start, stop = trimmed(raw, token.start, token.stop)
        if start < stop:
            start = found.pop()[0] if found and start < found[-1][1] else start
            found.append((start, stop))
    return _completed(raw, found)


def worded(model: Reading, words: Words | None) -> Reading:
    """A model whose ``reader`` takes the words of a user's function. Raises UsageError unless it is a function."""
    if words is None:
        return model
    if not callable(words):
        raise UsageError(f"words must be a function from a text to words, not {type(words).__name__}")
    changed: Any = model
    return replace(changed, reader=replace(changed.reader, segment=words))  # type: ignore[no-any-return]


def _completed(raw: str, words: Sequence[Range]) -> list[Range]:
    """The words, with those of the built-in rules where characters are left out."""
    whole: list[Range] = []
    reached = 0
    for start, stop in [*words, (len(raw), len(raw))]:
        whole += [(reached + a, reached + b) for a, b in _joined(raw[reached:start], tokenize(raw[reached:start]))]
        whole += [(start, stop)] if start < stop else []
        reached = stop
    return whole


def _joined(raw: str, tokens: Sequence[Token]) -> list[Range]:
    """The ranges of tokens, clusters of letters joined to the words that a dictionary knows."""
    ranges: list[Range] = []
    at = 0
    while at < len(tokens):
        first = at
        while at < len(tokens) and is_clustered(raw[tokens[at].start]) and _touch(tokens, first, at):
            at += 1
        if at == first:
            ranges.append(tokens[at][1:])
            at += 1
            continue
        start = tokens[first].start
        starts = _dictionary_words(raw[start : tokens[at - 1].stop])
        for token in tokens[first:at]:
            if ranges and token.start > start and starts is not None and token.start - start not in starts:
                ranges[-1] = (ranges[-1][0], token.stop)
            else:
                ranges.append(token[1:])
    return ranges


def _touch(tokens: Sequence[Token], first: int, at: int) -> bool:
    return at == first or tokens[at - 1].stop == tokens[at].start


def _dictionary_words(run: str) -> set[int] | None:
    """The starts of the words in a text of one script without blanks; None without ICU."""
    breaker = _word_breaker()
    return None if breaker is None else {start for start, _ in breaker(run, "en").segments()}


@cache
def _word_breaker() -> Any:
    """ICU's breaker of words, or None; then the log says what is missing, once."""
    try:
        from icu4py.breakers import WordBreaker
    except ImportError:
        _log.warning(
            "text in a script without blanks is cut into clusters of letters, not words: pip install "
            "'exegesis[segmentation]' for a dictionary's words, or give your own (words=)"
        )
        return None
    return WordBreaker
