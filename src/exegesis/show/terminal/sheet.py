"""A page of a study for the terminal, and as plain lines. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from exegesis.results.result import each
from exegesis.results.study import Shown, Study
from exegesis.show.documents.study import sheet
from exegesis.show.sheet import Bars, Boxes, Grid, Heading, Marked, Part, Prose, Sheet, reach
from exegesis.show.terminal.look import MUTED, Line, Look, clipped, folded
from exegesis.show.terminal.page import render
from exegesis.show.wording import MINUS, signed, visible

BOLD = Style(bold=True)
NAME, NOTE = 18, 34  # columns of a row's name and of its note, at most


def blocks(studies: Study | Sequence[Study], look: Look, numbers: bool) -> list[list[Line]]:
    """All studies as one block, whose numbers stand in it in any case."""
    found: list[Line] = []
    for study in each(studies):
        found += [*([[]] if found else []), *lines(sheet(study), look)]
    return [found]


def txt(studies: Sequence[Study], *, width: int = 120) -> str:
    """As plain lines of at most ``width`` columns, tables aside."""
    return render(studies, color=False, width=width)


def lines(page: Sheet, look: Look) -> list[Line]:
    """Every part of a page."""
    found: list[Line] = [[Segment(page.title, BOLD)]]
    head = "  ".join(f"{name}: {value}" for name, value in page.facts)
    found += [[Segment(part, MUTED)] for part in folded(head, look.width)]
    for part in page.parts:
        found += [[], *_part(part, look)]
    return found


def _part(part: Part, look: Look) -> list[Line]:
    if isinstance(part, Prose):
        return [[Segment(line, MUTED if part.muted else Style())] for line in folded(part.text, look.width)]
    if isinstance(part, Heading):
        return [[Segment(part.text, BOLD)]]
    if isinstance(part, Grid):
        return _grid(part, look)
    if isinstance(part, Boxes):
        return _boxes(part, look)
    if isinstance(part, Bars):
        return _bars(part, look)
    return _marked(part, look)


def _bars(bars: Bars, look: Look) -> list[Line]:
    names = min(NAME, max(cell_len(visible(row.name)) for row in bars.rows))
    notes = min(NOTE, max(cell_len(visible(row.note)) for row in bars.rows), max(0, look.width - names - 34))
    room = max(12, look.width - names - notes - 3)
    most = max(max(row.value for row in bars.rows), 0.0 if math.isnan(bars.mark) else bars.mark) or 1.0
    found: list[Line] = [[Segment(bars.title, BOLD)], [Segment(bars.axis, MUTED)]]
    for row in bars.rows:
        full, whole = round(row.part / most * room), round(row.value / most * room)
        cells = list(("█" * full + "░" * (whole - full)).ljust(room))
        if not math.isnan(bars.mark):
            cells[min(room - 1, round(bars.mark / most * room))] = "┊"
        found.append([
            Segment(clipped(visible(row.name), names) + " ", BOLD),
            Segment("".join(cells), Style(color=look.paint(1.0 * row.side).mark) if look.color else Style()),
            Segment("  " + clipped(visible(row.note), notes) if notes else "", MUTED),
        ])  # fmt: skip
    return found


def _grid(grid: Grid, look: Look) -> list[Line]:
    rows = [grid.columns, *grid.rows]
    sizes = [max(cell_len(row[i]) for row in rows) for i in range(len(grid.columns))]
    while sum(sizes) + 2 * (len(sizes) - 1) > look.width:  # words are cut, numbers never
        longest = max(range(grid.left), key=lambda i: sizes[i], default=None)
        if longest is None or sizes[longest] <= 8:
            break
        sizes[longest] -= 1
    found: list[Line] = []
    for n, row in enumerate(rows):
        cells = [
            clipped(cell, size) if i < grid.left else " " * (size - cell_len(cell)) + cell
            for i, (cell, size) in enumerate(zip(row, sizes, strict=True))
        ]
        found.append([Segment("  ".join(cells), MUTED if n == 0 else Style())])
    return found


def _boxes(boxes: Boxes, look: Look) -> list[Line]:
    names = min(NAME, max(cell_len(visible(row.name)) for row in boxes.rows))
    notes = min(NOTE, max(cell_len(visible(row.note)) for row in boxes.rows), max(0, look.width - names - 44))
    room = max(20, look.width - names - notes - 13)
    low, high = reach(boxes.rows)
    size = max(abs(row.spread.median) for row in boxes.rows) or 1.0

    def at(value: float) -> int:
        return min(room - 1, max(0, int((value - low) / (high - low) * room)))

    found: list[Line] = [[Segment(boxes.title, BOLD)]]
    for row in boxes.rows:
        s = row.spread
        cells = [" "] * room
        cells[at(0.0)] = "┊"
        cells[at(s.low) : at(s.high) + 1] = "─" * (at(s.high) - at(s.low) + 1)
        cells[at(s.low)], cells[at(s.high)] = "├", "┤"
        cells[at(s.q1) : at(s.q3) + 1] = "█" * (at(s.q3) - at(s.q1) + 1)
        cells[at(s.median)] = "┃"
        colour = look.paint(math.copysign(1.0, s.median), boxes.signed).mark
        text = "".join(cells)
        found.append([
            Segment(clipped(visible(row.name), names) + " ", BOLD),
            Segment(text, Style(color=colour) if look.color else Style()),
            Segment(f" {signed(s.median, size, minus=MINUS):>8} "),
            Segment(clipped(visible(row.note), notes) if notes else "", MUTED),
        ])  # fmt: skip
    left, right = (signed(end, max(-low, high), minus=MINUS, sign=boxes.signed) for end in (low, high))
    inner = room - len(left) - len(right)
    if cell_len(boxes.axis) + 2 > inner:  # too long to stand between the ends
        found.append([Segment(" " * (names + 1) + left + " " * inner + right, MUTED)])
        found.append([Segment(" " * (names + 1) + boxes.axis, MUTED)])
    else:
        found.append([Segment(" " * (names + 1) + left + boxes.axis.center(inner) + right, MUTED)])
    return found


def _marked(marked: Marked, look: Look) -> list[Line]:
    found: list[Line] = []
    for caption, shown in marked.texts:
        found += [[Segment(line, MUTED)] for line in folded(caption, look.width)]
        found += [*_text(shown, marked, look), []]
    return found[:-1]


def _text(shown: Shown, marked: Marked, look: Look) -> list[Line]:
    found: list[Line] = [[]]
    used = 0
    for word in shown.words:
        share = 0.0 if math.isnan(word.score) else word.score / marked.limit
        text = visible(word.text)
        if look.color is None:
            strong = abs(share) >= 0.05
            text += f"({'+' if share > 0 else '-'})" if strong and marked.signed else ""
            text = f"[{text}]" if word.marked else text
        if used and used + 1 + cell_len(text) > look.width:
            found.append([])
            used = 0
        found[-1].append(Segment(" " if used else ""))
        found[-1].append(Segment(text, _style(share, word.marked, marked, look)))
        used += cell_len(text) + (1 if used else 0)
    return found


def _style(share: float, strong: bool, marked: Marked, look: Look) -> Style:
    if look.color is None:
        return Style()
    paint = look.paint(share, marked.signed)
    details: dict[str, Any] = {"bold": True, "underline": True} if strong else {}
    return Style(color=paint.ink, bgcolor=paint.ground, **details)
