"""Scenes: boxes, lines and words at places, which every picture is made of; and the canvas that parts are drawn on.

Lengths are in points, from the upper left corner, y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from exegesis.show.figure import fonts
from exegesis.show.layout import Layout
from exegesis.show.palette import Ground, Paint, Palette, ground, palette_named

MARGIN, SIZE, SMALL, TINY = 14.0, 10.0, 7.8, 6.4  # of a page; of letters
DASHES = {"": (), "dashed": (5.0, 4.0), "dotted": (1.0, 3.0), "long": (10.0, 4.0)}  # strokes and gaps, in points
PAD, BLANK, TIGHT = 2.6, 2.2, 0.7  # inside a word's box; between words; between words that no blank divides
MARKED = 0.1  # share of the scale from which a bar marks the sign


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

    def write(self, x: float, y: float, text: str, size: float, colour: str, *, bold: bool = False,
              anchor: float = 0.0, angle: float = 0.0) -> float:  # fmt: skip
        """Add a text, of which the share ``anchor`` stands left of ``x``; returns its width."""
        text = fonts.spelled(text)
        room = fonts.width(text, size, bold)
        if text:
            self.words.append(Words(x - anchor * room, y, text, size, colour, room, bold, angle))
        return room


@dataclass(frozen=True)
class Canvas:
    """A scene, its colours, and the column of it that is drawn on: ``room`` points from ``left`` on.

    ``remarks`` are sentences on the marks that were drawn, which the next legend writes.
    """

    on: Scene
    palette: Palette
    dark: bool = False
    numbers: bool = False
    left: float = MARGIN
    room: float = 0.0
    remarks: list[str] = field(default_factory=list)

    @property
    def ground(self) -> Ground:
        """The colours of paper, text, lesser text and thin lines."""
        return ground(self.dark)

    @property
    def right(self) -> float:
        """The right edge of the column."""
        return self.left + self.room

    def column(self, left: float, room: float) -> Canvas:
        """A canvas for another column of the same scene."""
        return replace(self, left=left, room=room)

    def write(self, x: float, y: float, text: str, size: float, colour: str = "", *, bold: bool = False,
              anchor: float = 0.0, angle: float = 0.0, room: float = math.inf) -> float:  # fmt: skip
        """Add a text, cut to fit some room, in the colour of lesser text by default; returns its width."""
        shown = fonts.fitted(text, room, size, bold)
        return self.on.write(x, y, shown, size, colour or self.ground.muted, bold=bold, anchor=anchor, angle=angle)

    def box(self, x: float, y: float, width: float, height: float, fill: str, title: str = "",
            radius: float = 0.0) -> None:  # fmt: skip
        """Add a filled rectangle."""
        self.on.boxes.append(Box(x, y, width, height, fill, title, radius))

    def under(self, texts: Sequence[str], y: float, left: float = 0.0, *, colour: str = "") -> float:
        """Write texts under each other, broken into lines; returns where they end."""
        for text in texts:
            for line in fonts.lines(text, self.room - left, SMALL):
                self.write(self.left + left, y + 7, line, SMALL, colour)
                y += 11.5
        return y

    def headed(self, text: str, y: float, size: float, step: float, up: float = 0.0, tag: float = 0.0) -> float:
        """Write a bold text, broken into lines that are ``step`` apart and leave room for a ``tag``, each ``up`` above
        its lower end; returns where they end."""
        for line in fonts.lines(text, self.room - tag, size, True) if text else []:
            y += step
            self.write(self.left, y - up, line, size, self.ground.ink, bold=True)
        return y

    def number(self, part: int, x: float, y: float) -> None:
        """The number of a text of a pair, in a small box."""
        self.box(x, y + 3.5, 10, 10, self.ground.line, radius=2)
        self.write(x + 5, y + 10.9, str(part + 1), TINY, self.ground.ink, anchor=0.5)

    def cell(self, box: Box, share: float, paint: Paint, *, signed: bool = True, bar: float = 1.4) -> None:
        """A box in its colour, with a bar above for what speaks for and below for what speaks against."""
        self.on.boxes.append(box)
        if signed and abs(share) >= MARKED and box.height > 3:
            at = box.y if share > 0 else box.y + box.height - bar
            self.box(box.x, at, box.width, bar, paint.mark)


def blank(title: str, palette: str | Palette, dark: bool, width: float, numbers: bool = False) -> Canvas:
    """A canvas of the width that is asked for, at least two inches, and of no height yet."""
    drawing = Scene(72 * max(2.0, width), title=title, paper=ground(dark).paper)
    return Canvas(drawing, palette_named(palette), dark, numbers, room=drawing.width - 2 * MARGIN)


def widths(layout: Layout) -> list[float]:
    """The room that each atom's text needs in its box."""
    atoms = layout.atoms
    return [
        fonts.width(atom.text, SIZE) + PAD * (2 - atom.glued - (i + 1 < len(atoms) and atoms[i + 1].glued))
        for i, atom in enumerate(atoms)
    ]


def placed(layout: Layout, line: range, widths: Sequence[float], left: float, room: float) -> list[tuple[int, float]]:
    """The atoms of a line from left to right, each with the place where it begins."""
    x, places, last = 0.0, list[tuple[int, float]](), None
    for i in layout.visual(line):
        if last is not None:
            gap = layout.atoms[max(i, last)].space or abs(i - last) > 1
            x += BLANK if gap else 0.0 if layout.atoms[max(i, last)].glued else TIGHT
        places.append((i, x))
        x, last = x + widths[i], i
    start = left + (room - x if layout.rtl else 0.0)
    return [(i, start + at) for i, at in places]
