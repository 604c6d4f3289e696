"""Interactions for the terminal: cells of colour, or numbers where there is no colour, and the strongest pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from exegesis.results.interactions import Interactions
from exegesis.results.result import each
from exegesis.show.documents.header import header
from exegesis.show.documents.interactions import PLACE, Grid, grid, notes, shown, strongest
from exegesis.show.terminal import bars
from exegesis.show.terminal.bars import FAINT
from exegesis.show.terminal.look import MUTED, Line, Look, clipped, folded, listed
from exegesis.show.wording import signed

CELL, LABEL = 3, 12  # columns of a coloured cell; at least, of a word at the end of the diagonal
PAIRS, ALL = 6, 100  # pairs that are listed, by default and with numbers=True
SIGNS = "A cell is + for and - against."
BLANK = {True: "A blank cell weighs less than 5 % of the largest.", False: "A dot weighs less than 5 % of the largest."}


def blocks(results: Interactions | Sequence[Interactions], look: Look, numbers: bool) -> Iterator[list[Line]]:
    """Each text's words down a diagonal, then its strongest pairs with signed bars, up to a hundred of them where
    ``numbers=True``."""
    return (_whole(result, look, ALL if numbers else PAIRS) for result in each(results))


def _whole(result: Interactions, look: Look, pairs: int) -> list[Line]:
    wide = CELL if look.color else _longest(result) + 1
    drawn = grid(result, (look.width - LABEL) // wide)
    facts = [(text, Style(bold=name == "prediction")) for name, text in header(drawn.panel).items()]
    lines = [*listed(facts, look.width), [], *(_row(drawn, at, wide, look) for at in range(len(drawn.kept))), []]
    lines += _list(drawn, pairs, look)
    several = len(drawn.kept) > 1
    if several and look.color:
        lines += bars.legend(drawn.panel, look)
    count = len(drawn.kept)
    faint = any(abs(drawn.share(row, at)) < FAINT for row in range(count) for at in range(row))
    more = [PLACE, *([SIGNS] if look.color else []), *([BLANK[bool(look.color)]] if faint else [])] if several else []
    under = notes(drawn, more=[" ".join(more)] if more else [], listed=False)
    return [*lines, *([Segment(part, MUTED)] for text in under for part in folded(text, look.width))]


def _longest(result: Interactions) -> int:
    """The columns of the longest number: those of largest size on both sides, as all have as many places."""
    limit = float(np.abs(result.values).max(initial=0.0))
    return max(len(signed(float(value), limit)) for value in (result.values.min(), result.values.max(), limit / 50))


def _row(drawn: Grid, at: int, wide: int, look: Look) -> Line:
    """A word at the end of its cells."""
    line: Line = []
    for column in range(at):
        share = drawn.share(at, column)
        faint = abs(share) < FAINT
        if look.color:
            paint = look.paint(share)
            sign = " " if faint else "+" if share > 0 else "-"
            line.append(Segment(sign.center(wide), Style(color=paint.ink, bgcolor=paint.ground)))
        else:
            line.append(Segment(("." if faint else drawn.cell(at, column)).rjust(wide - 1) + " "))
    line.append(Segment((" " if at else "") + clipped(drawn.words[at], max(8, look.width - at * wide - 1)).rstrip()))
    return line


def _list(drawn: Grid, most: int, look: Look) -> list[Line]:
    """The strongest pairs with signed bars."""
    entries = [
        (f"{shown(pair.first)} ~ {shown(pair.second)}", drawn.score(pair.strength), drawn.shared(pair.strength))
        for pair in strongest(drawn.result, most)
    ]
    digits = max((len(score) for _, score, _ in entries), default=0)
    longest = max((cell_len(text) for text, _, _ in entries), default=0)
    bar = 2 * bars.HALF + 3 if look.width >= digits + 2 * bars.HALF + 19 else 0
    room = max(8, min(look.width - digits - 2 - bar, longest))
    lines: list[Line] = []
    for text, score, share in entries:
        colour = look.paint(math.copysign(1.0, share)).mark
        start = Segment(f"{clipped(text, room)}  {score:>{digits}}")
        lines.append([start, *([Segment("  " + bars.bar(share), Style(color=colour))] if bar else [])])
    return [*lines, []] if lines else []
