"""Documents in a terminal, and as plain text."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from exegesis.show import document as doc
from exegesis.show.palette import Palette
from exegesis.show.terminal.chart import chart
from exegesis.show.terminal.look import BOLD, MUTED, PLAIN, Line, Look, fold, hyphened, look_for, padded, printed
from exegesis.show.terminal.matrix import matrix
from exegesis.show.terminal.passage import passage
from exegesis.show.terminal.table import table
from exegesis.show.terminal.tree import tree

BARE = "a bare word weighs less than 5 % of the largest"


def terminal(document: doc.Document, *, color: bool | None = None, palette: str | Palette = "green-red",
             width: int | None = None, numbers: bool = False, dark: bool | None = None) -> str:  # fmt: skip
    """A document as lines that end in a line feed, two blank lines between sections.

    Without ``color=`` colours are used if standard output is a terminal of at least 256 colours and ``NO_COLOR`` is
    not set. ``width`` and ``dark`` are read from the terminal by default (dark if it does not say). ``numbers=True``
    adds a table of every number. Characters that would act on the terminal are shown, never sent.
    """
    look = look_for(color, palette, width, dark, numbers)
    lines: list[Line] = []
    for section in document.sections:
        lines += [[], []] if lines else []
        lines += _section(section, look)
    return printed(lines, look.color)


def text(document: doc.Document, *, width: int = 100) -> str:
    """A document as in a terminal of so many columns without colour, with all numbers."""
    return terminal(document, color=False, width=width, numbers=True)


def _section(section: doc.Section, look: Look) -> list[Line]:
    """The brief reading of a section, a blank line between two parts but for a title and its facts."""
    parts = section.brief or section.parts
    lines: list[Line] = []
    picture: doc.Part | None = None
    for before, part in pairwise([None, *parts]):
        picture = part if isinstance(part, doc.Passage | doc.Tree | doc.Matrix) else picture
        more = _legend(part, picture, look) if isinstance(part, doc.Legend) else DRAWN[type(part)](part, look)
        apart = lines and more and not (isinstance(before, doc.Heading) and before.level == 1)
        lines += [[], *more] if apart else more
    return lines


def _facts(facts: doc.Facts, look: Look) -> list[Line]:
    """Values with dots between them, in as many lines as they need."""
    lines: list[Line] = [[]]
    used = 0
    for value, strong in facts.texts:
        *folded, text = fold(value, look.width) if cell_len(value) > look.width else [hyphened(value)]
        if used and (folded or used + 3 + cell_len(text) > look.width):
            lines.append([])
            used = 0
        for line in folded:
            lines[-1].append(Segment(line, BOLD if strong else MUTED if facts.named else PLAIN))
            lines.append([])
        if used:
            lines[-1].append(Segment(" · ", MUTED))
            used += 3
        lines[-1].append(Segment(text, BOLD if strong else MUTED if facts.named else PLAIN))
        used += cell_len(text)
    return lines if facts.items else []


def _alignment(alignment: doc.Alignment, look: Look) -> list[Line]:
    return table(alignment.listed(), look)


def _prose(prose: doc.Prose, look: Look) -> list[Line]:
    style = {"plain": PLAIN, "muted": MUTED, "lead": BOLD}[prose.tone]
    return [[Segment(line, style)] for line in fold(prose.text, look.width)]


def _heading(heading: doc.Heading, look: Look) -> list[Line]:
    return [[Segment(line, BOLD)] for line in fold(heading.text, look.width)]


def _legend(legend: doc.Legend, picture: doc.Part | None, look: Look) -> list[Line]:
    """The keys, the scale, and the sentences, those with names aligned after them; a long name has its own line."""
    lines = look.muted(" · ".join(key.name for key in legend.keys))
    if legend.scale is not None:
        lines += _scale(legend.scale, look) if look.color else look.muted(_signs(legend.scale, picture))
    room = min(max((cell_len(note.name) for note in legend.notes), default=0), look.width // 2)
    for name, text in legend.notes:
        start = padded(name, room) + "  " if name else ""
        if cell_len(name) > room:
            lines += [[Segment(line, MUTED)] for line in fold(name, look.width)]
            start = " " * cell_len(start)
        for i, part in enumerate(fold(text, look.width - cell_len(start))):
            lines.append([Segment((" " * cell_len(start) if i else start) + part, MUTED)])
    return lines


def _signs(scale: doc.Scale, picture: doc.Part | None) -> str:
    """The meaning of signs and of words without numbers, if there is no colour."""
    if isinstance(picture, doc.Matrix):
        return "A dot weighs less than 5 % of the largest." if scale.faint else ""
    label = f" {scale.label}" * bool(scale.label)
    plus, minus = ("+", "-") if isinstance(picture, doc.Tree) else ("word(+)", "word(-)")
    sides = f"{plus} speaks for{label}, {minus} against{' it' * bool(label)}"
    return "; ".join(filter(None, (sides * scale.signs, BARE * scale.faint)))


def _scale(scale: doc.Scale, look: Look) -> list[Line]:
    """The scale from against to for, with the scores at its ends."""
    line: Line = []
    if cell_len(f"{scale.label}{scale.label}  against {scale.low}  {scale.high} for") + 15 > look.width:
        scale = scale._replace(label="")
    label = f" {scale.label} {scale.label}" * bool(scale.label)
    wide = 2 if cell_len(f"against {scale.low}  {scale.high} for{label}") + 2 * 13 <= look.width else 1
    for before, after, signs in scale.ramps:
        steps = [_step(look, k / 6, signs, wide) for k in range(-6 if signs else 0, 7)]
        start = Segment(" · " * bool(line) + hyphened(before) + " ", MUTED)
        line += [start, *steps, Segment(f" {hyphened(after)}", MUTED)]
    if not scale.note:
        return [line]
    if sum(cell_len(segment.text) for segment in line) + 3 + cell_len(scale.note) <= look.width:
        return [[*line, Segment(f" · {scale.note}", MUTED)]]
    return [line, [Segment(scale.note, MUTED)]]


def _step(look: Look, share: float, signed: bool, wide: int) -> Segment:
    paint = look.paint(share, signed)
    against = signed and share < 0
    return Segment(" " * wide, Style(color=paint.ink, bgcolor=paint.ground, underline=against or None))


DRAWN: dict[type, Callable[[Any, Look], list[Line]]] = {
    doc.Facts: _facts,
    doc.Prose: _prose,
    doc.Heading: _heading,
    doc.Passage: passage,
    doc.Tree: tree,
    doc.Matrix: matrix,
    doc.Alignment: _alignment,
    doc.Table: table,
    doc.Chart: chart,
}
