"""How the terminal view draws: what the terminal can do, and segments as a string. Imports no torch."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterable
from typing import NamedTuple

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

from exegesis.show.palette import Paint, Palette, palette_named, stepped

MUTED = Style(dim=True)
Line = list[Segment]


class Look(NamedTuple):
    """In which colours (``truecolor``, ``256``, or none), on dark or light ground, how wide."""

    color: str | None
    dark: bool
    palette: Palette
    width: int

    def paint(self, share: float, signed: bool = True) -> Paint:
        """The colours of a cell, as ``Palette.paint``."""
        if self.color == "256":
            return stepped(self.palette, share, dark=self.dark, signed=signed)
        return self.palette.paint(share, dark=self.dark, signed=signed)

    @property
    def plain(self) -> Style:
        """A word without a score, on the ground that the strength of all others is read against."""
        paint = self.paint(0.0)
        return Style(color=paint.ink, bgcolor=paint.ground)


def look_for(color: bool | None, palette: str | Palette, width: int | None, dark: bool | None) -> Look:
    """What is not given, read from the terminal and its environment."""
    return Look(_color(color), _dark() if dark is None else dark, palette_named(palette), _width(width))


def printed(lines: Iterable[Line], color: str | None) -> str:
    """Segments as a string, with escape sequences where there is colour; without, blanks at line ends are cut."""
    out = io.StringIO()
    system = {"truecolor": ColorSystem.TRUECOLOR, "256": ColorSystem.EIGHT_BIT}.get(color or "")
    for line in lines:
        if system is None:
            out.write("".join(segment.text for segment in line).rstrip(" "))
        else:
            out.writelines(s.style.render(s.text, color_system=system) if s.style else s.text for s in line)
        out.write("\n")
    return out.getvalue()


def _color(wanted: bool | None) -> str | None:
    term, colorterm = os.environ.get("TERM", ""), os.environ.get("COLORTERM", "").lower()
    if wanted is None and (os.environ.get("NO_COLOR") or not sys.stdout.isatty()):
        return None
    if wanted is False or (wanted is None and term in ("", "dumb", "unknown", "linux")):
        return None
    return "truecolor" if colorterm in ("truecolor", "24bit") else "256"


def _dark() -> bool:
    """Whether the terminal says that its ground is dark (``COLORFGBG``); most are."""
    tail = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return not (tail.isdigit() and int(tail) in (7, 15))


def _width(wanted: int | None) -> int:
    return max(24, wanted or min(shutil.get_terminal_size((80, 24)).columns, 120))


def clipped(text: str, width: int) -> str:
    """A text in exactly so many columns, with an ellipsis where it is cut."""
    if cell_len(text) <= width:
        return text + " " * (width - cell_len(text))
    while text and cell_len(text) > width - 1:
        text = text[: min(len(text) - 1, width)]
    return text + "…" + " " * (width - 1 - cell_len(text))


def folded(text: str, width: int) -> list[str]:
    """A text broken at blanks into lines of at most so many columns, words permitting."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and cell_len(line) + 1 + cell_len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def listed(items: list[tuple[str, Style]], width: int) -> list[Line]:
    """Items with dots between them, in as many lines as they need."""
    lines: list[Line] = [[]]
    used = 0
    for text, style in items:
        if used and used + 3 + cell_len(text) > width:
            lines.append([])
            used = 0
        if used:
            lines[-1].append(Segment(" · ", MUTED))
        lines[-1].append(Segment(text, style))
        used += (3 if used else 0) + cell_len(text)
    return lines
