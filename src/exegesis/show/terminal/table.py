"""Tables in a terminal, with bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment

from exegesis.show.document import Column, Gauge, Table
from exegesis.show.terminal.look import MUTED, PLAIN, Line, Look, hyphened, padded

EIGHTHS = " ▏▎▍▌▋▊▉█"
HALF = 10  # columns of a bar on each side of zero
GAP, HEAD, WIDEST, LEAST = 2, 12, 22, 14  # columns between two; of a head, at least and at most; of words that are cut


def table(part: Table, look: Look) -> list[Line]:
    """Rows under heads. Words are cut to fit; columns that still do not fit stand in tables of their own, each with the
    first column. Bars are left out if there is no room for them."""
    count = len(part.rows) if look.numbers or not part.fold else part.peek
    if not count or not part.rows:
        return []
    rows = [[hyphened(cell.text if isinstance(cell, Gauge) else cell) for cell in row] for row in part.rows[:count]]
    heads = [_head(column, max(cell_len(row[i]) for row in rows)) for i, column in enumerate(part.columns)]
    sizes = [max(cell_len(text) for text in (*head, *(row[i] for row in rows))) for i, head in enumerate(heads)]
    bars = _bars(part, look.width - sum(sizes) - GAP * len(sizes) + _slack(part, sizes))
    _cut(part, sizes, look.width - bars * (GAP + 2 * HALF + 1))
    lines: list[Line] = []
    for group in _packed(sizes, look.width):
        lines += [[]] if lines else []
        lines += _heads(part, heads, sizes, group)
        for number, (row, cells) in enumerate(zip(part.rows, rows, strict=False)):
            lines += [[Segment(name, MUTED)] for at, name in part.groups if at == number]
            lines.append(_row(row, cells, part.columns, sizes, group, look, bars > 0))
    return lines + look.muted(part.rest)


def bar(gauge: Gauge) -> str:
    """A bar of ``2 * HALF + 1`` columns: from zero in the middle, to the left against and to the right for; from the
    left if it has no sign. Whole columns to the left (no blocks fill from the right), eighths to the right."""
    room = HALF if gauge.signed else 2 * HALF
    if gauge.signed and gauge.share < 0:
        size = max(1, round(-gauge.share * HALF))
        return " " * (HALF - size) + "█" * size + "│" + " " * HALF
    whole, part = divmod(round(gauge.share * room * 8), 8)
    text = "█" * whole + (EIGHTHS[part] if part else "")
    return " " * HALF + "│" + text.ljust(HALF) if gauge.signed else text.ljust(room)


def _bars(part: Table, room: int) -> int:
    """The number of columns that have bars; 0 if there is no room for the bars."""
    bars = max(sum(isinstance(cell, Gauge) for cell in row) for row in part.rows)
    return bars if bars * (GAP + 2 * HALF + 1) <= room else 0


def _slack(part: Table, sizes: Sequence[int]) -> int:
    """The width that words can give up."""
    return sum(max(0, size - LEAST) for column, size in zip(part.columns, sizes, strict=True) if column.words)


def _cut(part: Table, sizes: list[int], room: int) -> None:
    """Cut the longest words until all columns fit; if none may become shorter, cut only words of half a line."""
    words, whole = [i for i, column in enumerate(part.columns) if column.words], list(sizes)
    while words and sum(sizes) + GAP * (len(sizes) - 1) > room:
        longest = max(words, key=lambda i: sizes[i])
        if sizes[longest] <= LEAST:
            sizes[:] = [min(size, room // 2) if i in words else size for i, size in enumerate(whole)]
            break
        sizes[longest] -= 1


def _packed(sizes: Sequence[int], room: int) -> list[list[int]]:
    """Columns in groups that fit side by side after the first column, one at least."""
    groups: list[list[int]] = [[0]]
    used = sizes[0]
    for i in range(1, len(sizes)):
        if used + GAP + sizes[i] > room and len(groups[-1]) > 1:
            groups.append([0])
            used = sizes[0]
        groups[-1].append(i)
        used += GAP + sizes[i]
    return groups


def _head(column: Column, width: int) -> list[str]:
    """A head in lines about as wide as its cells, broken at hyphens and blanks, and inside a word only if it is wider
    than ``WIDEST``."""
    if column.words:
        return [column.name]
    lines = [""]
    for piece in column.name.replace("-", "-\0").replace(" ", " \0").split("\0"):
        if lines[-1] and cell_len(lines[-1]) + cell_len(piece.rstrip()) > max(HEAD, width):
            lines.append("")
        lines[-1] += piece
    whole = [line.rstrip() for line in lines]
    return [line[i : i + WIDEST] for line in whole for i in range(0, max(len(line), 1), WIDEST)] + (
        [column.note] if column.note else []
    )


def _heads(part: Table, heads: list[list[str]], sizes: Sequence[int], group: Sequence[int]) -> list[Line]:
    """The heads of a group of columns, the last lines of all side by side."""
    height = max(len(heads[i]) for i in group)
    lines = []
    for level in range(-height, 0):
        cells = [heads[i][level] if -level <= len(heads[i]) else "" for i in group]
        texts = [padded(cell, sizes[i], not part.columns[i].words) for i, cell in zip(group, cells, strict=True)]
        lines.append([Segment((" " * GAP).join(texts), MUTED)])
    return lines if any(column.name for column in part.columns) else []


def _row(
    row: Sequence[str | Gauge], cells: Sequence[str], columns: Sequence[Column], sizes: Sequence[int],
    group: Sequence[int], look: Look, bars: bool,
) -> Line:  # fmt: skip
    line: Line = []
    for i in group:
        gap, cell = " " * GAP if line else "", row[i]
        line.append(Segment(gap + padded(cells[i], sizes[i], not columns[i].words), PLAIN))
        if bars and isinstance(cell, Gauge) and not math.isnan(cell.share):
            line.append(Segment(" " * GAP + bar(cell), look.mark(cell.share, cell.signed)))
    return line
