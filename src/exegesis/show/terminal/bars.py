"""Bars, brackets, tables and the legend of the terminal view. Imports no torch."""

from __future__ import annotations

import math

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from exegesis.show.documents.attribution import Block, Panel, Row
from exegesis.show.documents.header import scales, spoken
from exegesis.show.terminal.look import MUTED, Line, Look, clipped, folded
from exegesis.show.wording import signed

EIGHTHS = " ▏▎▍▌▋▊▉█"
FAINT = 0.05  # share of the scale below which a word stands without a number where there is no colour
BARE = "a bare word weighs less than 5 % of the largest"
HALF = 10  # columns of a bar on each side of zero


def bracket(text: str, width: int, begins: bool, ends: bool) -> str:
    """A score in a bracket of some width: ``└── +1.2 ──┘``; an open side where the span goes on in another line."""
    if width < len(text) + 2:
        return "─" * width
    room = width - 2
    inner = f" {text} " if room >= len(text) + 2 else text
    return ("└" if begins else "─") + inner.center(room, "─") + ("┘" if ends else "─")


def bar(share: float) -> str:
    """A signed bar of ``2 * HALF + 1`` columns: to the left against, to the right for.

    Whole columns to the left (there are no blocks that fill from the right), eighths to the right.
    """
    if share < 0:
        size = max(1, round(-share * HALF))
        return " " * (HALF - size) + "█" * size + "│" + " " * HALF
    whole, part = divmod(round(share * HALF * 8), 8)
    text = "█" * whole + (EIGHTHS[part] if part else "")
    return " " * HALF + "│" + text.ljust(HALF)


def table(panel: Panel, look: Look) -> list[Line]:
    """Every span with its score and a signed bar, in reading order, under the name of its block and level."""
    lines: list[Line] = []
    for block in panel.blocks:
        for row in block.rows:
            lines += [[], [Segment(spoken(panel, block, row.level), Style(bold=True))]]
            lines += _table(panel, block, row, look)
    return lines[1:]


def _table(panel: Panel, block: Block, row: Row, look: Look) -> list[Line]:
    entries = [(panel.surface(c), signed(c.score, block.limit, sign=block.signed), c.share) for c in row.cells]
    entries += [(name, signed(score, block.limit, sign=block.signed), math.nan) for name, score in row.outside]
    digits = max((len(score) for _, score, _ in entries), default=0)
    longest = max((cell_len(text) for text, _, _ in entries), default=0)
    room = max(8, min(look.width - digits - 2 * HALF - 5, longest))
    lines: list[Line] = []
    for text, score, share in entries:
        # the bar stands on the terminal's own ground, so it has the colour that marks a full score on it
        colour = look.paint(math.copysign(1.0, share), block.signed).mark
        drawn = Segment("" if math.isnan(share) else bar(share), Style(color=colour))
        lines.append([Segment(f"{clipped(text, room)}  {score:>{digits}}  "), drawn])
    return lines


def legend(panel: Panel, look: Look) -> list[Line]:
    """The scale, from against to for, with the scores at its ends; in words where there is no colour."""
    scale = scales(panel)
    if scale is None:
        return []
    if look.color is None:
        sides = ["word(+) speaks for, word(-) against"] if scale.signs else []
        text = "; ".join([*sides, *([BARE] if _bare(panel) else [])])
        return [[Segment(part, MUTED)] for part in folded(text, look.width)] if text else []
    line: Line = []
    wide = 2 if len(f"against {scale.low}  {scale.high} for") + 2 * 13 <= look.width else 1
    if scale.signs:
        steps = [_step(look, k / 6, True, wide) for k in range(-6, 7)]
        line += [Segment(f"against {scale.low} ", MUTED), *steps, Segment(f" {scale.high} for", MUTED)]
    if scale.sizes:
        steps = [_step(look, k / 6, False, wide) for k in range(7)]
        line += [Segment(" · size 0 " if line else "size 0 ", MUTED), *steps]
        line.append(Segment(f" {scale.high.lstrip('+')}", MUTED))
    if not scale.note:
        return [line]
    if sum(cell_len(segment.text) for segment in line) + 3 + cell_len(scale.note) <= look.width:
        return [[*line, Segment(f" · {scale.note}", MUTED)]]
    return [line, [Segment(scale.note, MUTED)]]


def _bare(panel: Panel) -> bool:
    """Whether a word stands without its score where there is no colour."""
    shares = (cell.share for block in panel.blocks for row in block.rows if panel.fine(row) for cell in row.cells)
    return any(abs(share) < FAINT for share in shares)


def _step(look: Look, share: float, signed_: bool, wide: int) -> Segment:
    paint = look.paint(share, signed_)
    against = signed_ and share < 0
    return Segment(" " * wide, Style(color=paint.ink, bgcolor=paint.ground, underline=against or None))
