"""The tokens that a tokenizer adds to every text: at its beginning, at its end, and to fill it up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from exegesis.core.errors import ModelError, UsageError

_FIRST, _SECOND = "story", "film"


@dataclass(frozen=True)
class Frame:
    """``added`` are the tokens of a text without words, ``filling`` is the token that makes short texts longer."""

    added: tuple[str, ...] = ()
    filling: str | None = None

    def inside(self, tokens: Sequence[str]) -> slice:
        """The tokens that come from the text; all of them if the frame is not around them."""
        start, stop = _unfilled(tokens, self.filling)
        own = list(tokens[start:stop])
        first = next((n for n, (a, b) in enumerate(zip(own, self.added, strict=False)) if a != b), len(self.added))
        for front in range(min(first, len(own)), -1, -1):
            behind = len(self.added) - front
            if front + behind <= len(own) and own[len(own) - behind :] == list(self.added[front:]):
                return slice(start + front, stop - behind)
        return slice(start, stop)


def frame_of(ask: Callable[[str], list[str]]) -> Frame:
    """The frame of a tokenizer, from what it gives two words and both together."""
    try:
        one, two, both = ask(_FIRST), ask(_SECOND), ask(f"{_FIRST} {_SECOND}")
    except (ModelError, UsageError):
        return Frame()
    filling = _filling(one, two)
    one, two, both = ([*tokens[slice(*_unfilled(tokens, filling))]] for tokens in (one, two, both))
    count = len(one) + len(two) - len(both)  # tokens that are there once instead of twice
    for front in range(min(count, len(two)), -1, -1):
        behind = count - front
        if behind > len(one):
            break
        same = one[:front] == two[:front] and one[len(one) - behind :] == two[len(two) - behind :]
        if same and one[: len(one) - behind] + two[front:] == both:
            return Frame((*two[:front], *one[len(one) - behind :]), filling)
    return Frame((), filling)


def _filling(one: Sequence[str], two: Sequence[str]) -> str | None:
    """The token that ends, or begins, two texts of one word several times."""
    for tokens, others in ((one[::-1], two[::-1]), (one, two)):
        if len(tokens) > 2 and tokens[0] == tokens[1] and list(tokens[:2]) == list(others[:2]):
            return tokens[0]
    return None


def _unfilled(tokens: Sequence[str], filling: str | None) -> tuple[int, int]:
    start, stop = 0, len(tokens)
    while filling is not None and start < stop and tokens[stop - 1] == filling:
        stop -= 1
    while filling is not None and start < stop and tokens[start] == filling:
        start += 1
    return start, stop
