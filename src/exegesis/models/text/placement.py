"""The places of a tokenizer's tokens in the text: by their characters, and by asking the tokenizer about changed texts.

A tokenizer is a function from a text to strings, which may lower, normalise, stem, replace and leave out what it reads.

1. If the tokens hold all characters of a text, or all its letters and digits, in order, each has its own.
2. Otherwise the text is cut at its blanks, as long as the tokenizer gives the parts the tokens that it gives the whole.
3. In a part that cannot be cut, tokens are found by their letters: as many as possible, in order, whole words before
   parts of words. A place counts only if the token goes away where its characters are taken out of the part. A token
   that is not found so has the characters between its neighbours that it goes away with.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from exegesis.core.errors import ModelError, UsageError
from exegesis.models.text.folding import Folded, folded, is_part
from exegesis.models.text.frame import Frame
from exegesis.models.text.tokenizer import tokenize

Ask = Callable[[str], list[str]]
Range = tuple[int, int]
REMEDY = "let {} give (token, start, stop) for each, or keep the text's characters"
_INK = re.compile(r"\S+")
_TRIES = 16  # cuts of a long part that are tried, those nearest to its middle
_ASKED = 200  # characters that the tokenizer is asked about, for each character of the text
_FREE = 200_000  # further ones
_FOUND = 20_000  # places of tokens that are weighed in a part


class Placed(NamedTuple):
    """A token and its range of characters, which is empty if it has none; ``special`` if it belongs to no word."""

    token: str
    start: int
    stop: int
    special: bool = False


def place(
    raw: str, tokens: Sequence[str], ask: Ask, frame: Callable[[], Frame], name: str = "tokenizer="
) -> list[Placed]:
    """The places of the tokens that ``ask`` gave for a text.

    ``frame`` finds the tokens that are added to every text, if they are needed; ``name`` is the argument that the user
    gave the tokenizer as. Raises ModelError, naming the token,
    for one whose place is not found.
    """
    if (ranges := _agreeing(raw, tokens)) is not None:
        return [Placed(token, *place) for token, place in zip(tokens, ranges, strict=True)]
    around = frame()
    inside = around.inside(tokens)
    search = _Search(raw, ask, around, REMEDY.format(name))
    search.settle(0, len(search.chunks), list(tokens[inside]), 0)
    special = [Placed(token, 0, 0, True) for token in tokens]
    return [*special[: inside.start], *search.placed(tokens[inside]), *special[inside.stop :]]


def _agreeing(text: str, tokens: Sequence[str]) -> list[Range] | None:
    """The ranges of tokens that hold all characters of a text, or all letters and digits, in order; else None."""
    whole, parts = folded(text), [folded(token).characters for token in tokens]
    if "".join(parts) != whole.characters:
        if not all(any(map(str.isalnum, part)) for part in parts):
            return None
        whole, parts = whole.alone(), ["".join(filter(str.isalnum, part)) for part in parts]
        if "".join(parts) != "".join(filter(str.isalnum, whole.characters)):
            return None
    ranges, done = [], 0
    for part in parts:
        ranges.append(_range(text, whole, done, done + len(part)))
        done += len(part)
    return ranges


def _range(text: str, whole: Folded, first: int, last: int) -> Range:
    """The characters of a text under some folded ones, with the marks behind them; an empty range for none."""
    if first == last:
        at = whole.at[first] if first < len(whole.at) else whole.at[-1] + 1 if whole.at else 0
        return at, at
    stop = whole.at[last - 1] + 1
    while stop < len(text) and is_part(text[stop]) and not text[stop].isalnum():
        stop += 1
    return whole.at[first], stop


class _Search:
    """The search for the places of the tokens of one text."""

    def __init__(self, raw: str, ask: Ask, frame: Frame, remedy: str) -> None:
        self.raw, self._ask, self._frame, self._remedy = raw, ask, frame, remedy
        self.chunks = [match.span() for match in _INK.finditer(raw)]
        self._left = _ASKED * len(raw) + _FREE
        self._found: dict[int, Range | None] = {}  # by the number of the token; None for one without characters
        self._shortens: bool | None = None
        self._whole: tuple[str, list[str]] | None = None  # the part that was asked about last, and its tokens

    def placed(self, tokens: Sequence[str]) -> list[Placed]:
        """The tokens in order; one without characters stands before the next one, or belongs to no word."""
        places = [self._found.get(n) for n in range(len(tokens))]
        return [Placed(token, *(place or (0, 0)), place is None) for token, place in zip(tokens, places, strict=True)]

    def answer(self, text: str) -> list[str] | None:
        """The tokens of a text, without those that are added to any; None if the tokenizer refuses the text."""
        self._left -= len(text)
        if self._left < 0:
            raise ModelError(f"the places of the tokens would take too many trials: {self._remedy}")
        try:
            tokens = self._ask(text)
        except (ModelError, UsageError):
            return None
        return tokens[self._frame.inside(tokens)]

    def settle(self, first: int, last: int, tokens: list[str], number: int) -> None:
        """Place the tokens of some chunks, of which the first one has this number."""
        if not tokens:
            return
        start, text = self._part(first, last)
        if (ranges := _agreeing(text, tokens)) is not None:
            self._note(number, [(start + a, start + b) for a, b in ranges])
            return
        for middle in _middles(first, last):
            left, right = self.answer(self._part(first, middle)[1]), self.answer(self._part(middle, last)[1])
            if left is None or right is None:
                continue
            shares = self._shares(left, right, tokens)
            if shares is not None:
                self.settle(first, middle, shares[0], number)
                self.settle(middle, last, shares[1], number + len(shares[0]))
                return
        self._place(first, last, tokens, number)

    def _shares(self, left: list[str], right: list[str], tokens: list[str]) -> tuple[list[str], list[str]] | None:
        """The tokens of the two parts of a text; None if the text has others.

        A tokenizer that keeps a number of tokens, as ``text.split()[:200]``, gives the parts more than the whole.
        """
        both, count = left + right, len(tokens)
        if both == tokens:
            return left, right
        if count >= len(both) or not self._keeps_a_number():
            return None
        head, tail = both[:count] == tokens, both[-count:] == tokens
        if head == tail:
            return None
        edge = min(len(left), count) if head else max(0, len(left) - (len(both) - count))
        return tokens[:edge], tokens[edge:]

    def _keeps_a_number(self) -> bool:
        """True if the text twice has no more tokens than the text."""
        if self._shortens is None:
            once, twice = self.answer(self.raw), self.answer(f"{self.raw} {self.raw}")
            self._shortens = once is not None and twice is not None and len(twice) <= len(once)
        return self._shortens

    def _part(self, first: int, last: int) -> tuple[int, str]:
        """Some chunks: where they start, and their text."""
        start = self.chunks[first][0] if first < len(self.chunks) else 0
        return start, self.raw[start : self.chunks[last - 1][1]] if last else ""

    def _note(self, number: int, ranges: Sequence[Range | None]) -> None:
        for n, found in enumerate(ranges):
            self._found[number + n] = found

    def _place(self, first: int, last: int, tokens: list[str], number: int) -> None:
        """Place the tokens of a part that cannot be cut."""
        start, text = self._part(first, last)
        found = _widened(text, self._tried(text, tokens))
        ranges: list[Range | None] = [found.get(n) for n in range(len(tokens))]
        for n in range(len(tokens)):
            if n not in found:
                before = max((stop for m, (_, stop) in found.items() if m < n), default=0)
                after = min((begin for m, (begin, _) in found.items() if m > n), default=len(text))
                ranges[n] = self._between(text, tokens[n], (before, after))
        self._note(number, [None if place is None else (start + place[0], start + place[1]) for place in ranges])

    def _between(self, text: str, token: str, gap: Range) -> Range | None:
        """The characters between its neighbours with which a token goes away.

        A token with nothing between its neighbours was added: in a part without blanks to what follows; in another one
        to the piece beside it with which it goes away, or to the text (None).
        """
        inked = [(gap[0] + match.start(), gap[0] + match.end()) for match in _INK.finditer(text[gap[0] : gap[1]])]
        pieces = [match.span() for match in _INK.finditer(text)]
        if not inked and len(pieces) == 1:
            return gap[1], gap[1]
        gone = [place for place in inked or pieces if self._goes(text, token, place)]
        if inked and gone:
            return gone[0][0], gone[-1][1]
        if not inked and not gone:
            return None
        if len(gone) == 1 and gone[0][0] <= gap[1] and gap[0] <= gone[0][1]:
            return gone[0]
        raise ModelError(f"the token {token[:40]!r} is not in the text at its place: {self._remedy}")

    def _tried(self, text: str, tokens: list[str]) -> dict[int, Range]:
        """The best places of tokens that are found by their letters, all of them tried."""
        found = list(islice(_occurrences(text, tokens), _FOUND))
        if len(found) == _FOUND:
            token = tokens[found[-1][0]]
            raise ModelError(f"the token {token[:40]!r} may be in too many places: {self._remedy}")
        good: set[tuple[int, Range]] = set()
        while True:
            chain = _chain(text, found)
            new = [(n, place) for n, place in chain.items() if (n, place) not in good]
            bad = {(n, place) for n, place in new if not self._goes(text, tokens[n], place)}
            good.update(set(new) - bad)
            if not bad:
                return chain
            found = [pair for pair in found if pair not in bad]

    def _goes(self, text: str, token: str, place: Range) -> bool:
        """True if a text without the characters at a place has fewer of a token, or is no longer read."""
        if self._whole is None or self._whole[0] != text:
            self._whole = text, self.answer(text) or []
        rest = self.answer(text[: place[0]] + text[place[1] :])
        return rest is None or rest.count(token) < self._whole[1].count(token)


def _middles(first: int, last: int) -> list[int]:
    """Chunks before which a part may be cut, those near its middle first."""
    middle, reach = (first + last) // 2, max(1, min(_TRIES // 2, (last - first) // 2))
    near = [n for n in range(middle - reach, middle + reach + 1) if first < n < last]
    return sorted(near, key=lambda n: abs(n - middle))


def _occurrences(text: str, tokens: Sequence[str]) -> Iterator[tuple[int, Range]]:
    """The number of each token with each place at which it is, or else its letters and digits."""
    whole = folded(text)
    letters = whole.alone()
    for number, token in enumerate(tokens):
        wanted = folded(token)
        among = whole
        if not wanted.characters or wanted.characters not in whole.characters:
            wanted, among = wanted.alone(), letters
        at = among.characters.find(wanted.characters) if wanted.characters else -1
        while at >= 0:
            yield number, _range(text, among, at, at + len(wanted.characters))
            at = among.characters.find(wanted.characters, at + 1)


def _chain(text: str, found: Sequence[tuple[int, Range]]) -> dict[int, Range]:
    """The best places for as many tokens as possible, in order: whole words, and unbroken ones, first."""
    stops, totals = [0], [0]  # the best total of places up to a stop; both rise
    links: list[tuple[int, Range, int]] = []  # a token, its place, and the link before it
    lasts = [-1]
    position = 0
    while position < len(found):
        number, fresh = found[position][0], []
        while position < len(found) and found[position][0] == number:
            start, stop = found[position][1]
            before = bisect_right(stops, start) - 1
            fresh.append((stop, totals[before] + _worth(text, start, stop), len(links)))
            links.append((number, (start, stop), lasts[before]))
            position += 1
        for stop, total, link in fresh:
            at = bisect_right(stops, stop)
            if totals[at - 1] >= total:
                continue
            beaten = at
            while beaten < len(totals) and totals[beaten] <= total:
                beaten += 1
            at -= stops[at - 1] == stop
            stops[at:beaten], totals[at:beaten], lasts[at:beaten] = [stop], [total], [link]
    chosen: dict[int, Range] = {}
    link = lasts[-1]
    while link >= 0:
        number, place, link = links[link]
        chosen[number] = place
    return dict(sorted(chosen.items()))


def _worth(text: str, start: int, stop: int) -> int:
    """The weight of a place: any is worth more than how good it is."""
    edges = _is_edge(text, start) + _is_edge(text, stop)
    broken = sum(not is_part(character) for character in text[start:stop])
    return 1000 + 100 * edges - min(broken, 90)


def _is_edge(text: str, at: int) -> bool:
    """True unless a word goes on from one character to the next."""
    return at in (0, len(text)) or not (is_part(text[at - 1]) and is_part(text[at]))


def _widened(text: str, found: dict[int, Range]) -> dict[int, Range]:
    """Places stretched to the ends of their words, as far as no other token has them: a stem stands for its word."""
    edges = {edge for word in tokenize(text) for edge in word[1:]} | {n for n in range(len(text)) if _is_edge(text, n)}
    edges.add(len(text))
    wide, done = {}, 0
    limits = [*(start for start, _ in found.values()), len(text)][1:]
    for (number, (start, stop)), limit in zip(found.items(), limits, strict=False):
        first = next((n for n in range(start, done - 1, -1) if n in edges), start)
        last = next((n for n in range(stop, limit + 1) if n in edges), stop)
        wide[number] = (first, last)
        done = last
    return wide
