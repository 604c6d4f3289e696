"""Scenes: boxes, lines and words at places, which every picture is made of.

Lengths are in points, from the upper left corner, y downwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from exegesis.show.figure import fonts

MARGIN, SIZE, SMALL, TINY = 14.0, 10.0, 7.8, 6.4  # of a page; of letters
DASHES = {"": (), "dashed": (5.0, 4.0), "dotted": (1.0, 3.0), "long": (10.0, 4.0)}  # strokes and gaps, in points


class Box(NamedTuple):
    """A filled rectangle; ``title`` is shown at the pointer."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    title: str = ""
    radius: float = 0.0


class Line(NamedTuple):
    """A stroke through points; ``dash`` is a name in ``DASHES``."""

    points: tuple[tuple[float, float], ...]
    colour: str
    width: float = 1.6
    dash: str = ""
    title: str = ""


class Words(NamedTuple):
    """A text whose baseline begins at ``x``, ``y``; ``width`` is the room that it takes.

    ``angle`` turns it about that point, in degrees against the clock.
    """

    x: float
    y: float
    text: str
    size: float
    colour: str
    width: float
    bold: bool = False
    angle: float = 0.0


@dataclass
class Scene:
    """A drawing: boxes below lines below words."""

    width: float
    height: float = 0.0
    title: str = ""
    paper: str = "#ffffff"
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)

    def write(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: str,
        *,
        bold: bool = False,
        anchor: float = 0.0,
        angle: float = 0.0,
    ) -> float:
        """Add a text, of which the share ``anchor`` stands left of ``x``; returns its width."""
        text = fonts.spelled(text)
        room = fonts.width(text, size, bold)
        if text:
            self.words.append(Words(x - anchor * room, y, text, size, colour, room, bold, angle))
        return room
