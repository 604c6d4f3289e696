"""Boxes and words at places: what a figure is made of. Imports no torch.

Lengths are in points, from the upper left corner, y downwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from exegesis.show.before.figure import fonts

MARGIN, SIZE, SMALL, TINY = 14.0, 10.0, 7.8, 6.4  # of a page; of letters


class Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float
    fill: str
    title: str = ""
    radius: float = 0.0


class Words(NamedTuple):
    """A text whose baseline lies at ``y``, from ``x`` on; ``width`` is what it takes.

    ``anchor`` is the share of it that stands left of where it was put, which another font keeps.
    """

    x: float
    y: float
    text: str
    size: float
    colour: str
    width: float
    bold: bool = False
    anchor: float = 0.0


@dataclass
class Scene:
    """What is drawn, boxes below words."""

    width: float
    height: float = 0.0
    title: str = ""
    paper: str = "#ffffff"
    boxes: list[Box] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)

    def write(
        self, x: float, y: float, text: str, size: float, colour: str, *, bold: bool = False, anchor: float = 0.0
    ) -> float:
        """A text; ``anchor`` is the share of it that stands left of ``x``. Gives its width."""
        text = fonts.spelled(text)
        room = fonts.width(text, size, bold)
        self.words.append(Words(x - anchor * room, y, text, size, colour, room, bold, anchor))
        return room


def clipped(text: str, room: float, size: float, bold: bool = False) -> str:
    """A text that fits some room, with an ellipsis where it is cut."""
    if fonts.width(text, size, bold) <= room + 0.01:
        return text
    text = text[: int(room)]  # no letter is narrower than a point
    while text and fonts.width(text + "…", size, bold) > room:
        text = text[:-1]
    return text + "…"


def folded(text: str, room: float) -> list[str]:
    """A text broken at blanks into lines that fit, words permitting."""
    lines, line = [], ""
    for part in text.split(" "):
        if line and fonts.width(f"{line} {part}", SMALL) > room:
            lines.append(line)
            line = part
        else:
            line = f"{line} {part}" if line else part
    return [*lines, line]
