"""Where the pieces of a tokenizer without offsets stand in the text: found by their characters. Imports no torch.

A tokenizer written in Python (BERTweet, PhoBERT, BioGPT, XLM, CTRL, CANINE, ByT5 ...) tells ids alone.
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
_UNKNOWN = "\0"  # stands in no text that is compared
_MARKS = re.compile(r"^##(?=.)|@@$|</w>$|[▁Ġ]")  # what tokenizers put on pieces: a word goes on, ends, begins
_BEYOND = 32  # pieces behind the cut that help to place those before it
_SIDE = 400  # characters beyond which what does not agree is not compared with what is far from it


@dataclass(frozen=True, eq=False)
class Encoded:
    """What a fast tokenizer's encoding tells. ``overflowing`` is whether the text was cut.

    ``runs`` are where the parts' own pieces stand, ``pieces`` these pieces (None for unknown ones), with some of those
    behind the cut.
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
        found: list[Range] = [(0, 0)] * len(self.ids)
        for (start, stop), part, pieces in zip(self.runs, self.parts, self.pieces, strict=True):
            found[start:stop] = places(part, pieces)[: stop - start]
        return found

    @cached_property
    def sequence_ids(self) -> list[int | None]:
        found: list[int | None] = [None] * len(self.ids)
        for number, (start, stop) in enumerate(self.runs):
            found[start:stop] = [number] * (stop - start)
        return found


def readable(tokenizer: Any) -> bool:
    """Whether a tokenizer is one that this module can follow."""
    return all(callable(getattr(tokenizer, name, None)) for name in _NEEDED)


def encode(tokenizer: Any, parts: Sequence[str], limit: int | None) -> Encoded:
    """The ids that ``tokenizer(*parts)`` gives, cut to ``limit``, with the characters of each (see ``places``).

    Raises UnsupportedError for a tokenizer whose pieces of the text do not stand in one run between its special ones.
    """
    found = tokenizer(*parts, truncation=limit is not None, max_length=limit, verbose=False)
    ids = [int(i) for i in found["input_ids"]]
    cut = [[str(token) for token in tokenizer.tokenize(part)] for part in parts]
    own = [[int(i) for i in tokenizer.convert_tokens_to_ids(tokens)] for tokens in cut]
    frame = tokenizer.build_inputs_with_special_tokens(*([-1 - n] for n in range(len(parts))))
    runs = _runs(frame, ids, own)
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
        type_ids=[int(i) for i in found.get("token_type_ids", [0] * len(ids))],
        overflowing=sum(stop - start for start, stop in runs) < sum(map(len, own)),
        parts=tuple(parts),
        runs=runs,
        pieces=pieces,
    )


def _runs(frame: Sequence[int], ids: Sequence[int], own: Sequence[Sequence[int]]) -> list[Range] | None:
    """Where each part's pieces stand, cut at their ends, in a frame of special pieces that holds -1 and -2."""
    free = len(ids) - (len(frame) - len(own))
    for first in range(min(len(own[0]), free), -1, -1):
        lengths = [first, free - first][: len(own)]
        if sum(lengths) != free or any(n > len(part) for n, part in zip(lengths, own, strict=True)):
            continue
        built: list[int] = []
        runs = []
        for piece in frame:
            if piece < 0:
                runs.append((len(built), len(built) + lengths[-1 - piece]))
                built += own[-1 - piece][: lengths[-1 - piece]]
            else:
                built.append(piece)
        if built == list(ids):
            return runs
    return None


def places(text: str, tokens: Sequence[str | None]) -> list[Range]:
    """The characters of each piece of a text, in order; None is a piece of unknown characters.

    Pieces that are the text's characters or bytes one by one have these. Else a piece that is found in the text
    (compared without case and accents) has the characters that it shares, and one that is not (an unknown word, an
    emoji by its name) those between its neighbours.
    """
    single = _single(text, "".join(token or _UNKNOWN for token in tokens), len(tokens))
    if single is not None:
        return single
    there, at = _plain([text])
    given, owner = _plain([_UNKNOWN if token is None else _MARKS.sub("", token) for token in tokens])
    firsts: dict[int, int] = {}
    lasts: dict[int, int] = {}
    for here, mine in _pairs(there, given):
        firsts.setdefault(owner[mine][0], at[here][1])
        lasts[owner[mine][0]] = at[here][1] + 1
    ranges: list[Range | None] = [(firsts[n], lasts[n]) if n in firsts else None for n in range(len(tokens))]
    return _filled(text, ranges)


def _single(text: str, joined: str, count: int) -> list[Range] | None:
    """Where as many pieces, each of one character, are the start of the text, or of its bytes in UTF-8."""
    if len(joined) != count:
        return None
    if text.startswith(joined):
        return [(n, n + 1) for n in range(count)]
    owners = [n for n, character in enumerate(text) for _ in character.encode()]
    same = max(map(ord, joined), default=0) < 256 and text.encode().startswith(joined.encode("latin-1"))
    return [(n, n + 1) for n in owners[:count]] if same else None


def _plain(strings: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The characters by which texts are compared, and of each its string and place there."""
    found: list[str] = []
    at: list[tuple[int, int]] = []
    for number, string in enumerate(strings):
        for place, character in enumerate(string):
            for plain in unicodedata.normalize("NFKD", character).lower():
                if not plain.isspace() and unicodedata.category(plain) not in ("Mn", "Cf"):
                    found.append(plain)
                    at.append((number, place))
    return "".join(found), at


def _pairs(one: str, other: str) -> list[tuple[int, int]]:
    """Characters that agree, in order: what is common at the start, then the longest runs."""
    same = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    pairs = [(n, n) for n in range(same)]
    left, right, side = same, same, _SIDE
    while left < len(one) and right < len(other):
        blocks = SequenceMatcher(None, one[left : left + side], other[right : right + side], autojunk=False)
        found = [(left + b.a + n, right + b.b + n) for b in blocks.get_matching_blocks() for n in range(b.size)]
        more = left + side < len(one) or right + side < len(other)
        found = found[: len(found) * 3 // 4] if more else found  # the last quarter may agree better with what follows
        side = _SIDE if found else 4 * side
        if found:
            pairs += found
            left, right = found[-1][0] + 1, found[-1][1] + 1
        elif not more:
            break
    return pairs


def _filled(text: str, ranges: Sequence[Range | None]) -> list[Range]:
    """Ranges for pieces without any: the blank-free runs between their neighbours one by one, else all between."""
    found: list[Range] = []
    start = 0
    for number, given in enumerate(ranges):
        if given is not None:
            found.append(given)
            start = given[1]
            continue
        if len(found) > number:
            continue
        following = next((n for n in range(number, len(ranges)) if ranges[n] is not None), len(ranges))
        after = ranges[following] if following < len(ranges) else None
        stop = max(start, after[0] if after else len(text))
        runs = [(start + run.start(), start + run.end()) for run in re.finditer(r"\S+", text[start:stop])]
        count = following - number
        between = (runs[0][0], runs[-1][1]) if runs else (start, stop)
        found += runs if len(runs) == count else [between] * count
    return found
