"""Offsets of the pieces of a tokenizer that reports none: each piece is found in the text by its characters.

A tokenizer written in Python (BERTweet, PhoBERT, BioGPT, XLM, CTRL, CANINE, ByT5 ...) gives ids alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any

from exegesis.core.errors import UnsupportedError

Range = tuple[int, int]
_NEEDED = ("tokenize", "convert_tokens_to_ids", "convert_ids_to_tokens", "build_inputs_with_special_tokens")
_UNKNOWN = "\0"  # a character that no compared text contains
_MARKS = re.compile(r"^##(?=.)|@@$|</w>$|[▁Ġ]")  # marks of tokenizers on pieces: a word goes on, ends, begins
_BEYOND = 32  # pieces after the cut that help to place those before it
_SIDE = 400  # characters on each side that are compared at once if they do not agree


@dataclass(frozen=True, eq=False)
class Encoded:
    """An encoding with the attributes that a fast tokenizer's has. ``overflowing``: the text was cut.

    ``runs`` are the ranges of the parts' own pieces, ``pieces`` these pieces (None for unknown ones), with some of
    those after the cut.
    """

    ids: list[int]
    tokens: list[str]
    type_ids: list[int]
    overflowing: bool
    parts: tuple[str, ...]
    runs: list[Range]
    pieces: list[list[str | None]]

    @cached_property
    def offsets(self) -> list[Range]:
        """The range of characters of each piece in its part of the text."""
        offsets: list[Range] = [(0, 0)] * len(self.ids)
        for (start, stop), part, pieces in zip(self.runs, self.parts, self.pieces, strict=True):
            offsets[start:stop] = places(part, pieces)[: stop - start]
        return offsets

    @cached_property
    def sequence_ids(self) -> list[int | None]:
        """The number of each piece's part; None for special pieces."""
        parts: list[int | None] = [None] * len(self.ids)
        for number, (start, stop) in enumerate(self.runs):
            parts[start:stop] = [number] * (stop - start)
        return parts


def readable(tokenizer: Any) -> bool:
    """True if a tokenizer has the functions by which its pieces are followed."""
    return all(callable(getattr(tokenizer, name, None)) for name in _NEEDED)


def encode(tokenizer: Any, parts: Sequence[str], limit: int | None) -> Encoded:
    """Encode the parts of a text as ``tokenizer(*parts)`` does, cut to ``limit``, with each piece's characters.

    Raises UnsupportedError for a tokenizer that puts special pieces between the pieces of a text.
    """
    encoding = tokenizer(*parts, truncation=limit is not None, max_length=limit, verbose=False)
    ids = [int(i) for i in encoding["input_ids"]]
    cut = [[str(token) for token in tokenizer.tokenize(part)] for part in parts]
    cut_ids = [[int(i) for i in tokenizer.convert_tokens_to_ids(tokens)] for tokens in cut]
    frame = tokenizer.build_inputs_with_special_tokens(*([-1 - n] for n in range(len(parts))))
    runs = _runs(frame, ids, cut_ids)
    if runs is None:
        raise UnsupportedError(
            f"the tokenizer {type(tokenizer).__name__} puts its special pieces inside the text, so that its pieces "
            "cannot be told from the text's: take a fast tokenizer (with tokenizer.json)"
        )
    unknown = getattr(tokenizer, "unk_token", None)
    pieces: list[list[str | None]] = [
        [None if token == unknown else token for token in tokens[: stop - start + _BEYOND]]
        for (start, stop), tokens in zip(runs, cut, strict=True)
    ]
    return Encoded(
        ids=ids,
        tokens=[str(token) for token in tokenizer.convert_ids_to_tokens(ids)],
        type_ids=[int(i) for i in encoding.get("token_type_ids", [0] * len(ids))],
        overflowing=sum(stop - start for start, stop in runs) < sum(map(len, cut_ids)),
        parts=tuple(parts),
        runs=runs,
        pieces=pieces,
    )


def _runs(frame: Sequence[int], ids: Sequence[int], cut_ids: Sequence[Sequence[int]]) -> list[Range] | None:
    """The range of each part's pieces, cut at their ends, in a frame of special pieces that holds -1 and -2."""
    free = len(ids) - (len(frame) - len(cut_ids))
    for first in range(min(len(cut_ids[0]), free), -1, -1):
        lengths = [first, free - first][: len(cut_ids)]
        if sum(lengths) != free or any(n > len(part) for n, part in zip(lengths, cut_ids, strict=True)):
            continue
        built: list[int] = []
        runs = []
        for piece in frame:
            if piece < 0:
                runs.append((len(built), len(built) + lengths[-1 - piece]))
                built += cut_ids[-1 - piece][: lengths[-1 - piece]]
            else:
                built.append(piece)
        if built == list(ids):
            return runs
    return None


def places(text: str, tokens: Sequence[str | None]) -> list[Range]:
    """The characters of each piece of a text, in order; None is a piece of unknown characters.

    If the pieces are the text's characters or bytes one by one, each has its own. Otherwise a piece that is found in
    the text (compared without case and accents) has the characters that it shares, and one that is not (an unknown
    word, an emoji by its name) those between its neighbours.
    """
    single = _single(text, "".join(token or _UNKNOWN for token in tokens), len(tokens))
    if single is not None:
        return single
    comparable, at = _plain([text])
    pieces, owner = _plain([_UNKNOWN if token is None else _MARKS.sub("", token) for token in tokens])
    firsts: dict[int, int] = {}
    lasts: dict[int, int] = {}
    for character, mine in _pairs(comparable, pieces):
        firsts.setdefault(owner[mine][0], at[character][1])
        lasts[owner[mine][0]] = at[character][1] + 1
    ranges: list[Range | None] = [(firsts[n], lasts[n]) if n in firsts else None for n in range(len(tokens))]
    return _filled(text, ranges)


def _single(text: str, joined: str, count: int) -> list[Range] | None:
    """Ranges of pieces of one character each that are the start of the text, or of its bytes in UTF-8; else None."""
    if len(joined) != count:
        return None
    if text.startswith(joined):
        return [(n, n + 1) for n in range(count)]
    owners = [n for n, character in enumerate(text) for _ in character.encode()]
    bytewise = max(map(ord, joined), default=0) < 256 and text.encode().startswith(joined.encode("latin-1"))
    return [(n, n + 1) for n in owners[:count]] if bytewise else None


def _plain(strings: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The characters by which texts are compared, and for each the number of its string and its index there."""
    characters: list[str] = []
    at: list[tuple[int, int]] = []
    for number, string in enumerate(strings):
        for place, character in enumerate(string):
            for plain in unicodedata.normalize("NFKD", character).lower():
                if not plain.isspace() and unicodedata.category(plain) not in ("Mn", "Cf"):
                    characters.append(plain)
                    at.append((number, place))
    return "".join(characters), at


def _pairs(text: str, pieces: str) -> list[tuple[int, int]]:
    """Pairs of characters that agree, in order: the common start, then the longest runs."""
    same = next((n for n, (a, b) in enumerate(zip(text, pieces, strict=False)) if a != b), min(len(text), len(pieces)))
    pairs = [(n, n) for n in range(same)]
    at_text, at_piece, side = same, same, _SIDE
    while at_text < len(text) and at_piece < len(pieces):
        blocks = SequenceMatcher(
            None, text[at_text : at_text + side], pieces[at_piece : at_piece + side], autojunk=False
        )
        matches = [(at_text + b.a + n, at_piece + b.b + n) for b in blocks.get_matching_blocks() for n in range(b.size)]
        more = at_text + side < len(text) or at_piece + side < len(pieces)
        matches = matches[: len(matches) * 3 // 4] if more else matches  # the rest may agree better with what follows
        side = _SIDE if matches else 4 * side
        if matches:
            pairs += matches
            at_text, at_piece = matches[-1][0] + 1, matches[-1][1] + 1
        elif not more:
            break
    return pairs


def _filled(text: str, ranges: Sequence[Range | None]) -> list[Range]:
    """Ranges for pieces without any: the words between their neighbours one by one, else all that is between."""
    filled: list[Range] = []
    start = 0
    for number, place in enumerate(ranges):
        if place is not None:
            filled.append(place)
            start = place[1]
            continue
        if len(filled) > number:
            continue
        following = next((n for n in range(number, len(ranges)) if ranges[n] is not None), len(ranges))
        after = ranges[following] if following < len(ranges) else None
        stop = max(start, after[0] if after else len(text))
        runs = [(start + run.start(), start + run.end()) for run in re.finditer(r"\S+", text[start:stop])]
        count = following - number
        between = (runs[0][0], runs[-1][1]) if runs else (start, stop)
        filled += runs if len(runs) == count else [between] * count
    return filled
