"""The terminal's abilities, its colours, and segments as a string."""

from __future__ import annotations

import io
import math
import os
import re
import shutil
import sys
from collections.abc import Iterable
from typing import NamedTuple

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

from exegesis.show.palette import Paint, Palette, palette_named, stepped
from exegesis.show.wording import MINUS, clipped, folded

MUTED, BOLD, PLAIN = Style(dim=True), Style(bold=True), Style()
Line = list[Segment]


class Look(NamedTuple):
    """The colours (``truecolor``, ``256``, or none), dark or light ground, the width, and whether all numbers are
    printed."""

    color: str | None
    dark: bool
    palette: Palette
    width: int
    numbers: bool = False

    def paint(self, share: float, signed: bool = True) -> Paint:
        """The colours of a cell, as ``Palette.paint``."""
        if self.color == "256":
            return stepped(self.palette, share, dark=self.dark, signed=signed)
        return self.palette.paint(share, dark=self.dark, signed=signed)

    @property
    def plain(self) -> Style:
        """The style of a word without a score, on the ground that the strength of all others is read against."""
        paint = self.paint(0.0)
        return Style(color=paint.ink, bgcolor=paint.ground)

    def mark(self, share: float, signed: bool = True) -> Style:
        """The style of a bar on the terminal's own ground: the colour that marks a full score."""
        return Style(color=self.paint(math.copysign(1.0, share), signed).mark) if self.color else PLAIN

    def muted(self, text: str, indent: int = 0) -> list[Line]:
        """A lesser sentence in as many lines as it needs."""
        return [[Segment(" " * indent + line, MUTED)] for line in fold(text, self.width - indent)] if text else []


def look_for(color: bool | None, palette: str | Palette, width: int | None, dark: bool | None, numbers: bool) -> Look:
    """The look that options ask for; what they leave open is read from the terminal and its environment."""
    return Look(_color(color), _dark() if dark is None else dark, palette_named(palette), _width(width), numbers)


def printed(lines: Iterable[Line], color: str | None) -> str:
    """Segments as a string, with escape sequences for colours; without colours, blanks at line ends are cut."""
    out = io.StringIO()
    system = {"truecolor": ColorSystem.TRUECOLOR, "256": ColorSystem.EIGHT_BIT}.get(color or "")
    for line in lines:
        if system is None:
            out.write("".join(segment.text for segment in line).rstrip(" "))
        else:
            out.writelines(s.style.render(s.text, color_system=system) if s.style else s.text for s in line)
        out.write("\n")
    return out.getvalue()


def hyphened(text: str) -> str:
    """A text whose minus signs are hyphens, as programs and keyboards write them."""
    return re.sub(f"{MINUS}(?=[0-9\N{INFINITY}m])", "-", text)


def padded(text: str, width: int, right: bool = False) -> str:
    """A text in exactly so many columns, with an ellipsis if it is cut."""
    text = clipped(text, width, cell_len)
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks


def fold(text: str, width: int) -> list[str]:
    """A text broken at blanks into lines of at most so many columns, words permitting."""
    return folded(hyphened(text), max(20, width), cell_len)


def _color(option: bool | None) -> str | None:
    term, colorterm = os.environ.get("TERM", ""), os.environ.get("COLORTERM", "").lower()
    if option is None and (os.environ.get("NO_COLOR") or not sys.stdout.isatty()):
        return None
    if option is False or (option is None and term in ("", "dumb", "unknown", "linux")):
        return None
    return "truecolor" if colorterm in ("truecolor", "24bit") else "256"


def _dark() -> bool:
    """True unless the terminal says that its ground is light (``COLORFGBG``); most are dark."""
    tail = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return not (tail.isdigit() and int(tail) in (7, 15))


def _width(option: int | None) -> int:
    return max(24, option or min(shutil.get_terminal_size((80, 24)).columns, 120))
