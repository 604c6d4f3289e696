"""Strings as they are compared: without case, accents, compatibility forms and kinds of quotes."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from exegesis.models.text.tokenizer import SIGNS

_DROPPED = ("Mn", "Mc", "Me", "Cf")  # marks and format characters: what takes accents off a text leaves them out
_SAME = {"ı": "i", "ø": "o", "ł": "l", "đ": "d"}
_KEPT = 32  # characters of a string whose folding is remembered
_DOUBLE = re.compile("''")  # two backticks or apostrophes are a double quote, as in the Penn Treebank


class Folded(NamedTuple):
    """The characters by which a string is compared, and for each of them the index of its character in the string."""

    characters: str
    at: tuple[int, ...]

    def alone(self) -> Folded:
        """The letters and digits alone; all characters if there are none."""
        kept = [n for n, character in enumerate(self.characters) if character.isalnum()]
        if not kept:
            return self
        return Folded("".join(self.characters[n] for n in kept), tuple(self.at[n] for n in kept))


def folded(string: str) -> Folded:
    """Fold a string; no character of it is a blank, a mark or an invisible one."""
    return _remembered(string) if len(string) <= _KEPT else _folded(string)


def _folded(string: str) -> Folded:
    if string.isascii():
        at = [place for place, character in enumerate(string) if not character.isspace()]
        joined = "".join(string.lower().split()).replace("`", "'")
    else:
        plain = [_plain(character) for character in string]
        at = [place for place, parts in enumerate(plain) for _ in parts]
        joined = "".join(plain)
    if "''" in joined:
        doubled = {match.start() for match in _DOUBLE.finditer(joined)}
        kept = [n for n in range(len(joined)) if n - 1 not in doubled]
        joined, at = "".join('"' if n in doubled else joined[n] for n in kept), [at[n] for n in kept]
    return Folded(joined, tuple(at))


_remembered = lru_cache(1 << 14)(_folded)  # the same words come again and again


@lru_cache(1 << 14)
def _plain(character: str) -> str:
    """The characters by which one is compared: none for a blank, a mark and an invisible one."""
    if character.isspace():
        return ""
    whole = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character.translate(SIGNS)).casefold())
    return "".join(_SAME.get(c, c) for c in whole if not c.isspace() and unicodedata.category(c) not in _DROPPED)


def is_part(character: str) -> bool:
    """True for a letter, a digit or a mark: a character that continues a word."""
    return character.isalnum() or unicodedata.category(character) in _DROPPED[:3]
