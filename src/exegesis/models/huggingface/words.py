"""The user's own words over the pieces of any subword tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

from exegesis.core.text import Span, trimmed

Range = tuple[int, int]


def align(
    raw: str, pieces: Sequence[Range], candidates: Sequence[Range], *, cut: bool = False
) -> tuple[list[Range], list[Span]]:
    """Put words on pieces: each piece's range of characters, and each word's span of pieces.

    ``pieces`` are the ranges that a tokenizer reports, in its order; ``candidates`` are the words as a reader would
    cut them, in order, together holding every character that is not blank. The words returned are candidates, or
    runs of neighbouring candidates:

    - a piece that lies in several candidates joins them (a tokenizer that reads "don't" as "don" and "'t" leaves
      one word), and so do pieces that jump back;
    - blanks at the ends of a piece are not its own; a piece of blanks alone goes to the word after it (the word
      before it, at the end);
    - characters that the tokenizer drops stay with the word that holds them. A candidate without any piece joins
      the candidate that it touches, the one before first; if blanks surround it, it belongs to no word, since
      the model never sees it.

    So every character that is not blank lies in exactly one word, except in the last case. ``cut`` says that the
    tokenizer cut the text: the characters after the last piece are in no word. Returns no word if no piece holds a
    character.
    """
    ranges = [trimmed(raw, start, stop) for start, stop in pieces]
    end = max((stop for _, stop in ranges), default=0) if cut else len(raw)
    candidates = [(start, min(stop, end)) for start, stop in candidates if start < end]
    owner = [-1] * len(raw)
    for number, (start, stop) in enumerate(candidates):
        owner[start:stop] = [number] * (stop - start)
    touched = [(owner[start], owner[stop - 1]) if start < stop else None for start, stop in ranges]
    joined = _straddled(touched, len(candidates))
    group = _grouped(joined)
    while _adopt(candidates, {group[span[0]] for span in touched if span}, group, joined):
        group = _grouped(joined)
    homes = homes_of([group[span[0]] if span else None for span in touched])
    return _spread(ranges, homes, group, candidates), spans_of(homes)


def _straddled(touched: Sequence[Range | None], count: int) -> list[bool]:
    """For each candidate n: true if n and n + 1 are one word, because a piece straddles them or pieces go back."""
    joined = [False] * count
    reached = 0
    for span in touched:
        if span is not None:
            for number in range(span[0], max(reached, span[1])):
                joined[number] = True
            reached = max(reached, span[1])
    return joined


def _grouped(joined: Sequence[bool]) -> list[int]:
    """Each candidate's word, numbered in order."""
    group, number = [], 0
    for together in joined:
        group.append(number)
        number += not together
    return group


def _adopt(candidates: Sequence[Range], held: set[int], group: Sequence[int], joined: list[bool]) -> bool:
    """Join each word without a piece to a neighbour that it touches; return true if any was joined."""
    changed = False
    for number in range(len(candidates)):
        if group[number] in held:
            continue
        for border in (number - 1, number):
            touches = 0 <= border < len(candidates) - 1 and candidates[border][1] == candidates[border + 1][0]
            if touches and not joined[border]:
                joined[border] = changed = True
                break
    return changed


def homes_of(words: Sequence[int | None]) -> list[int | None]:
    """Each piece's word: a blank piece belongs to the word of the next piece that has one, else to the last word."""
    homes, following = list(words), None
    for number in range(len(homes) - 1, -1, -1):
        following = homes[number] = words[number] if words[number] is not None else following
    last: int | None = None
    for number, home in enumerate(homes):
        last = homes[number] = home if home is not None else last
    return homes


def _spread(
    ranges: Sequence[Range], homes: Sequence[int | None], group: Sequence[int], candidates: Sequence[Range]
) -> list[Range]:
    """The pieces' ranges, with the ends of each word stretched over characters that the tokenizer dropped."""
    spread = list(ranges)
    limits: dict[int, Range] = {}
    for word, (start, stop) in zip(group, candidates, strict=True):
        limits[word] = (limits.get(word, (start, stop))[0], stop)
    firsts: dict[int, int] = {}
    lasts: dict[int, int] = {}
    for number, (home, (start, stop)) in enumerate(zip(homes, ranges, strict=True)):
        if home is None:
            spread[number] = (0, 0)
        elif start == stop:
            at = min(max(start, limits[home][0]), limits[home][1])
            spread[number] = (at, at)
        else:
            if home not in firsts or start < ranges[firsts[home]][0]:
                firsts[home] = number
            if home not in lasts or stop >= ranges[lasts[home]][1]:
                lasts[home] = number
    for home, number in firsts.items():
        spread[number] = (limits[home][0], spread[number][1])
    for home, number in lasts.items():
        spread[number] = (spread[number][0], limits[home][1])
    return spread


def spans_of(homes: Sequence[int | None]) -> list[Span]:
    """The span of pieces of each word, from each piece's word."""
    spans: list[Span] = []
    previous: int | None = None
    for number, home in enumerate(homes):
        if home is None:
            continue
        if spans and home == previous:
            spans[-1] = Span(spans[-1].start, number + 1)
        else:
            spans.append(Span(number, number + 1))
        previous = home
    return spans
