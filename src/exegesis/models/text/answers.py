"""What a user's function gives for a text: tokens, words with their places, or places alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from exegesis.core.errors import ModelError, UsageError, out_of_memory
from exegesis.models.text.frame import Frame
from exegesis.models.text.placement import Placed, Range, place

Tokenize = Callable[[str], Iterable[Any]]


def placed_by(tokenize: Tokenize, raw: str, frame: Callable[[], Frame], name: str = "tokenizer=") -> list[Placed]:
    """The tokens that a function gives for a text, with their places: its own if it gives any, else those found.

    ``name`` is the argument that the user gave the function as.
    """
    given = _listed(tokenize, raw, name)
    if given and all(_is_range(item) for item in given):
        given = [(raw[max(0, start) : stop], start, stop) for start, stop in given]
    if given and all(_is_placed(item) for item in given):
        _check_ranges(raw, [(start, stop) for _, start, stop in given], name)
        return [Placed(*item) for item in given]
    return place(raw, _strings(given, name), partial(tokens_of, tokenize, name=name), frame, name)


def tokens_of(tokenize: Tokenize, text: str, name: str = "tokenizer=") -> list[str]:
    """The tokens that a function gives for a text.

    Raises ModelError if it raises, UsageError if it gives anything but tokens.
    """
    return _strings(_listed(tokenize, text, name), name)


def _check_ranges(raw: str, ranges: Iterable[Range], name: str) -> None:
    """Raise UsageError unless ranges of characters are in order, apart, and inside the text."""
    reached = 0
    for start, stop in ranges:
        if not reached <= start <= stop <= len(raw):
            raise UsageError(
                f"{name} gives the characters {start} to {stop}, which lie before those of the token before, or "
                f"outside the text of {len(raw)}: give half-open ranges in the order of the text"
            )
        reached = stop


def _is_range(item: object) -> bool:
    """True for a first character and the one behind the last."""
    return isinstance(item, tuple | list) and len(item) == 2 and all(type(edge) is int for edge in item)


def _is_placed(item: object) -> bool:
    """True for a token with its first character and the one behind its last."""
    return (
        isinstance(item, tuple)
        and len(item) == 3
        and isinstance(item[0], str)
        and all(type(edge) is int for edge in item[1:])
    )


def _strings(given: list[Any], name: str) -> list[str]:
    wrong = next((item for item in given if isinstance(item, bytes | int | float | list | tuple | dict)), None)
    if wrong is not None:
        raise UsageError(f"{name} must give strings, (token, start, stop) or (start, stop), not {wrong!r:.40}")
    return [str(item) for item in given]


def _listed(tokenize: Tokenize, text: str, name: str) -> list[Any]:
    try:
        given = tokenize(text)
        if isinstance(given, str | bytes) or not isinstance(given, Iterable):
            raise UsageError(f"{name} must give a list of tokens, not a {type(given).__name__}")
        return list(given)
    except UsageError:
        raise
    except Exception as error:  # the user's own code
        if out_of_memory(error):
            raise
        line = " ".join(str(error).split())[:200]
        raise ModelError(f"the function {name} raised {type(error).__name__} on {text[:40]!r}: {line}") from error
