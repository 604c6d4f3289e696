"""A text cut into atoms, its lines, and the direction in which it is written: what every medium sets words by."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from exegesis.core.text import Text
from exegesis.show.wording import visible

LONGEST = 24  # characters of an atom; a longer word is cut, so that a medium can break it over lines

_INK = re.compile(r"[^ \t\n\r\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")


class Atom(NamedTuple):
    """A piece of text that no cell divides, ready to be drawn.

    ``space``: a blank stands before it. ``part`` is 0, or 1 in the second text of a pair. ``glued``: it continues the
    atom before, since both are parts of one long word that was cut.
    """

    text: str
    space: bool
    part: int = 0
    glued: bool = False


@dataclass(frozen=True)
class Layout:
    """The atoms of a text in reading order; ``rtl``: the text is written from right to left."""

    atoms: tuple[Atom, ...] = ()
    rtl: bool = False

    @cached_property
    def parts(self) -> int:
        """The number of texts: 2 for a pair."""
        return 1 + max((atom.part for atom in self.atoms), default=0)

    @cached_property
    def texts(self) -> list[range]:
        """The atoms of each text that has some."""
        edges = [0, *(i for i, atom in enumerate(self.atoms) if i and atom.part != self.atoms[i - 1].part)]
        return [range(*ends) for ends in pairwise([*edges, len(self.atoms)])]

    def words(self, atoms: Iterable[int]) -> list[tuple[bool, str]]:
        """Atoms as words, for a medium that breaks long words itself: if a blank stands before each, and its text."""
        words: list[tuple[bool, str]] = []
        for i in atoms:
            atom = self.atoms[i]
            if atom.glued and words:
                words[-1] = words[-1][0], words[-1][1] + atom.text
            else:
                words.append((atom.space and bool(words), atom.text))
        return words

    def surface(self, start: int, stop: int) -> str:
        """The text of some atoms, as drawn."""
        if stop == start + 1:  # most spans are words
            return self.atoms[start].text
        atoms = self.atoms[start:stop]
        return "".join((" " if atom.space and i else "") + atom.text for i, atom in enumerate(atoms))

    def whole(self, start: int, stop: int) -> bool:
        """True if some atoms are one word, or part of one."""
        return all(atom.glued for atom in self.atoms[start + 1 : stop])

    def blank(self, line: range, i: int) -> bool:
        """True if a blank is drawn before atom ``i`` of a line."""
        return i > line.start and self.atoms[i].space

    def lines(self, widths: Sequence[float], space: float, room: float) -> list[range]:
        """Runs of atoms that fit ``room``, broken at blanks, between the texts of a pair, and inside a word only if the
        word alone is longer than a line. ``widths`` are the atoms' widths, ``space`` is the width of a blank."""
        lines: list[range] = []
        start, used = 0, 0.0
        ahead = self._ahead(widths)
        for i, atom in enumerate(self.atoms):
            gap = space if atom.space and i > start else 0.0
            needed = gap + min(ahead[i], room) if atom.space else widths[i]
            if i > start and (atom.part != self.atoms[i - 1].part or used + needed > room):
                lines.append(range(start, i))
                start, used, gap = i, 0.0, 0.0
            used += gap + widths[i]
        return [*lines, range(start, len(self.atoms))] if self.atoms else []

    def _ahead(self, widths: Sequence[float]) -> list[float]:
        """For each atom, the width from its start to the next blank."""
        ahead = [0.0] * len(widths)
        for i in reversed(range(len(widths))):
            follows = i + 1 < len(widths) and not self.atoms[i + 1].space
            ahead[i] = widths[i] + (ahead[i + 1] if follows else 0.0)
        return ahead

    def visual(self, line: range) -> list[int]:
        """The atoms of a line from left to right: words move as wholes, in runs of one direction.

        A word without letters goes with the line. A browser orders words itself; a figure needs this order.
        """
        if not self.rtl and all(self.atoms[i].text.isascii() for i in line):
            return list(line)
        runs: list[tuple[bool, list[int]]] = []
        for i in line:
            rtl = leftward(self.atoms[i].text, self.rtl)
            if runs and runs[-1][0] == rtl:
                runs[-1][1].append(i)
            else:
                runs.append((rtl, [i]))
        placed = [list(reversed(run)) if rtl else run for rtl, run in runs]
        return [i for run in (reversed(placed) if self.rtl else placed) for i in run]


def laid_out(raw: str, cuts: Iterable[int], starts_of_parts: Sequence[int] = (0,)) -> tuple[list[int], Layout]:
    """A text cut at every blank and at ``cuts`` (characters): where each atom starts, and the layout."""
    edges, starts, atoms = sorted(cuts), list[int](), list[Atom]()
    for ink in _INK.finditer(raw):
        inside = edges[bisect_right(edges, ink.start()) : bisect_left(edges, ink.end())]
        for i, (start, stop) in enumerate(zip([ink.start(), *inside], [*inside, ink.end()], strict=True)):
            part = max(0, bisect_right(starts_of_parts, start) - 1)
            word = raw[start:stop]
            for j, piece in enumerate(_pieces(word) if len(word) > LONGEST else [word]):
                starts.append(start)
                atoms.append(Atom(visible(piece), i == j == 0, part, j > 0))
                start += len(piece)
    return starts, Layout(tuple(atoms), leftward(raw))


def parts_of(text: Text) -> list[int]:
    """The character at which each text of a pair begins; ``[0]`` for a single text."""
    if len(text.segments) < 2:
        return [0]
    places = [text.characters(segment) for segment in text.segments]
    return sorted({start for start, stop in places if stop > start}) or [0]


def leftward(text: str, default: bool = False) -> bool:
    """True if a text is written from right to left, by its first letter that has a direction."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("L", "R", "AL"):
            return kind != "L"
    return default


def _pieces(word: str) -> list[str]:
    """A long word in pieces, none of which begins with a character that joins the one before."""
    pieces = []
    while len(word) > LONGEST:
        cut = LONGEST
        while 0 < cut < len(word) and _joins(word[cut - 1], word[cut]):
            cut -= 1
        cut = cut or LONGEST
        pieces.append(word[:cut])
        word = word[cut:]
    return [*pieces, word]


def _joins(first: str, second: str) -> bool:
    return unicodedata.category(second)[0] == "M" or "\u200d" in (first, second) or 0x1F3FB <= ord(second) <= 0x1F3FF
