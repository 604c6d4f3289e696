"""The colours of scores: two palettes, each on light and on dark ground; and colours that tell methods apart.

A score's share of its scale runs from -1 to 1. Its colour lies on a straight line in OKLab from the ground (0) to
the palette's deepest colour (1 for, -1 against), so equal steps of a score look like equal steps of colour.

The paper draws green for and red against. Here the green leans to blue and the red is darker than the green, so
that the two ends stay apart for readers who do not see red or green (deuteranopia, protanopia); the other palette
is blue and orange. No view leaves the sign to colour alone: a bar stands over what speaks for and under what speaks
against, or the signed number is written out.

The nearest of the 256 colours of older terminals to a tint often has another hue (a pale green comes out grey or cyan),
so each palette has its own steps of one hue there, weakest first, as numbers of the xterm colour cube.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from rich.color import Color

from exegesis.core.errors import unknown

OKLCH = tuple[float, float, float]
Three = Float[np.ndarray, "3"]


class Paint(NamedTuple):
    """Colours of one cell as ``#rrggbb``: its ground, its text, and the bar that marks the sign."""

    ground: str
    ink: str
    mark: str


class Ground(NamedTuple):
    """Colours of a view around its cells as ``#rrggbb``: the ground, the text, lesser text, and thin lines."""

    paper: str
    ink: str
    muted: str
    line: str


LIGHT = Ground(paper="#ffffff", ink="#16181d", muted="#5c6370", line="#d5d8de")
DARK = Ground(paper="#17181c", ink="#f4f5f7", muted="#a3a9b5", line="#3a3d45")


@dataclass(frozen=True)
class Palette:
    """Deepest colours as OKLCH (lightness, chroma, hue): for, against, and magnitude, on light and dark ground; and the
    steps of each in the 256 colours of older terminals, weakest first."""

    name: str
    title: str
    light: tuple[OKLCH, OKLCH, OKLCH]
    dark: tuple[OKLCH, OKLCH, OKLCH]
    light_steps: tuple[Sequence[int], Sequence[int], Sequence[int]]
    dark_steps: tuple[Sequence[int], Sequence[int], Sequence[int]]

    def paint(self, share: float, *, dark: bool = False, signed: bool = True) -> Paint:
        """The colours of a cell whose score is ``share`` of its scale, clipped to [-1, 1]; NaN is painted as 0.

        With ``signed=False`` (a method whose scores are sizes, such as a gradient's norm) the hue is neutral.
        Text on its ground has a contrast of at least 4.5 (WCAG 2.2, AA).
        """
        share = 0.0 if math.isnan(share) else max(-1.0, min(1.0, share))
        return _paint(self, round(share, 3), dark, signed)


PALETTES = {
    palette.name: palette
    for palette in (
        Palette(
            "green-red",
            "Green / red",
            light=((0.77, 0.155, 158.0), (0.64, 0.20, 27.0), (0.70, 0.09, 290.0)),
            dark=((0.53, 0.115, 163.0), (0.47, 0.17, 26.0), (0.50, 0.10, 290.0)),
            light_steps=((194, 157, 114, 78), (224, 217, 210, 203), (189, 183, 141, 99)),
            dark_steps=((22, 28, 28, 35), (52, 88, 124, 160), (54, 55, 56, 93)),
        ),
        Palette(
            "blue-orange",
            "Blue / orange",
            light=((0.70, 0.135, 247.0), (0.76, 0.15, 60.0), (0.70, 0.09, 330.0)),
            dark=((0.49, 0.13, 252.0), (0.52, 0.12, 55.0), (0.50, 0.10, 330.0)),
            light_steps=((195, 153, 117, 75), (230, 223, 215, 208), (225, 219, 213, 176)),
            dark_steps=((17, 18, 25, 32), (58, 94, 130, 208), (53, 90, 127, 164)),
        ),
    )
}
# the share from which each step is drawn: a weak tint stands out more on dark ground
EDGES = {False: (0.05, 0.25, 0.5, 0.75), True: (0.1, 0.3, 0.55, 0.8)}
PAPER = {False: "#ffffff", True: "#1c1c1c"}
HUES = tuple(zip(
    ("#2563c9", "#d1690a", "#0d8660", "#8a4cc2", "#c7354a", "#10859c", "#86602f", "#bd4a96"),
    ("#7fabf7", "#f2a65f", "#5ecb9f", "#be95ec", "#f28d98", "#62c6d9", "#cda676", "#e896c9"),
    strict=True,
))  # fmt: skip


def hue(number: int | None, dark: bool = False) -> str:
    """A categorical colour, for methods side by side; lesser text's colour for None. Colours repeat after eight."""
    return ground(dark).muted if number is None else HUES[number % len(HUES)][dark]


def palette_named(palette: str | Palette) -> Palette:
    """A palette by its name. Raises UsageError for a name that is not known."""
    if isinstance(palette, Palette):
        return palette
    if palette not in PALETTES:
        raise unknown("palette", palette, PALETTES)
    return PALETTES[palette]


def ground(dark: bool = False) -> Ground:
    """The colours around the cells, on light or on dark ground."""
    return DARK if dark else LIGHT


def stepped(palette: Palette, share: float, *, dark: bool, signed: bool) -> Paint:
    """The colours of a cell in steps, each an exact colour of the xterm cube."""
    share = 0.0 if math.isnan(share) else share
    ramp = (palette.dark_steps if dark else palette.light_steps)[_side(share, signed)]
    step = sum(abs(share) >= edge for edge in EDGES[dark])
    colour = colour_of(ramp[step - 1]) if step else PAPER[dark]
    return Paint(colour, _readable(colour), colour_of(ramp[-1]))


def colour_of(index: int) -> str:
    """The colour of the xterm cube with a number from 16 to 231, as ``#rrggbb``."""
    return Color.from_ansi(index).get_truecolor().hex


def blended(first: str, second: str, share: float) -> str:
    """The colour that lies a share of the way from the first to the second, in OKLab."""
    return _hex(_mix(_oklab(first), _oklab(second), share))


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted(float(np.dot((0.2126, 0.7152, 0.0722), linear(colour))) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)


def linear(colour: str) -> Three:
    """``#rrggbb`` as linear sRGB, each part 0 to 1."""
    parts = np.array([*bytes.fromhex(colour[1:])]) / 255
    return np.asarray(np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4))


@lru_cache(maxsize=256)
def _readable(colour: str) -> str:
    """Black or white, whichever is easier to read on a colour."""
    return max("#000000", "#ffffff", key=lambda ink: contrast(ink, colour))


def _side(share: float, signed: bool) -> int:
    """The number of a cell's colour in a palette: for, against, or magnitude."""
    return 2 if not signed else int(share < 0)


@lru_cache(maxsize=16384)
def _paint(palette: Palette, share: float, dark: bool, signed: bool) -> Paint:
    around = ground(dark)
    lightness, chroma, angle = (palette.dark if dark else palette.light)[_side(share, signed)]
    cell = _hex(_mix(_oklab(around.paper), _rectangular(lightness, chroma, angle), abs(share)))
    # the bar is a deeper step of the same hue: darker on light ground, lighter on dark
    edge = _rectangular(lightness + (0.28 if dark else -0.2), chroma * 0.9, angle)
    mark = _hex(_mix(_oklab(cell), edge, min(1.0, 0.25 + abs(share)))) if share else cell
    return Paint(cell, around.ink, mark)


# OKLab (Ottosson 2020): from linear sRGB to the responses of the eye's cones, from their cube roots to the colour
_CONES = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
])  # fmt: skip
_LAB = np.array([
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
])  # fmt: skip


def _mix(first: Three, second: Three, share: float) -> Three:
    return np.asarray(first + (second - first) * share)


def _rectangular(lightness: float, chroma: float, angle: float) -> Three:
    return np.array([lightness, chroma * math.cos(math.radians(angle)), chroma * math.sin(math.radians(angle))])


def _oklab(colour: str) -> Three:
    return np.asarray(_LAB @ np.cbrt(_CONES @ linear(colour)))


def _hex(lab: Three) -> str:
    rgb = np.linalg.solve(_CONES, np.linalg.solve(_LAB, lab) ** 3).clip(0.0, 1.0)
    parts = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
    return "#" + bytes(round(255 * part) for part in parts.tolist()).hex()
