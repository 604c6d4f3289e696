"""Matrices in a terminal: cells of colour, or numbers if there is no colour."""

from __future__ import annotations

import numpy as np
from rich.segment import Segment
from rich.style import Style

from exegesis.show.document import FAINT, Column, Matrix, Table
from exegesis.show.terminal.look import BOLD, Line, Look, hyphened, padded
from exegesis.show.terminal.table import table
from exegesis.show.wording import signed

CELL, LABEL = 3, 12  # columns of a coloured cell; at least, of a word at the end of the diagonal
SIGNS = "A cell is + for and - against."
BLANK = "A blank cell weighs less than 5 % of the largest."


def matrix(part: Matrix, look: Look) -> list[Line]:
    """Words down a diagonal with their cells before them; other matrices as tables."""
    title: list[Line] = [[Segment(part.title, BOLD)]] if part.title else []
    if not part.half:
        columns = (Column("", words=True), *(Column(name) for name in part.across))
        cells = [[part.written(i, j) for j in range(len(part.across))] for i in range(len(part.down))]
        rows = tuple((name, *row) for name, row in zip(part.down, cells, strict=True))
        return title + table(Table(columns, rows), look)
    wide = CELL if look.color else _longest(part) + 1
    shortened, rest = part.shortened((look.width - LABEL) // wide)
    lines = [*title, *(_row(shortened, at, wide, look) for at in range(len(shortened.down)))]
    if look.color and len(shortened.down) > 1:
        faint = any(abs(shortened.share(row, at)) < FAINT for row in range(len(shortened.down)) for at in range(row))
        rest = " ".join(filter(None, (SIGNS, BLANK * faint, rest)))
    return lines + look.muted(rest)


def _longest(part: Matrix) -> int:
    """The columns of the longest number: one of the largest on either side, since all have as many places."""
    low, high = float(np.min(part.values, initial=0.0)), float(np.max(part.values, initial=0.0))
    return max(len(signed(value, part.limit)) for value in (low, high, part.limit / 50))


def _row(part: Matrix, row: int, wide: int, look: Look) -> Line:
    """A word at the end of its cells."""
    line: Line = []
    for column in range(row):
        share = part.share(row, column)
        faint = abs(share) < FAINT
        if look.color:
            paint = look.paint(share)
            sign = " " if faint else "+" if share > 0 else "-"
            line.append(Segment(sign.center(wide), Style(color=paint.ink, bgcolor=paint.ground)))
        else:
            line.append(Segment(("." if faint else hyphened(part.written(row, column))).rjust(wide - 1) + " "))
    word = padded(part.down[row], max(8, look.width - row * wide - 1)).rstrip()
    return [*line, Segment((" " if row else "") + word)]
