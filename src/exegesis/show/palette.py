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
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from exegesis.core.errors import unknown

RGB = tuple[float, float, float]
OKLCH = tuple[float, float, float]


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
    """Deepest colours as OKLCH (lightness, chroma, hue): for, against, and magnitude, on light and dark ground."""

    name: str
    title: str
    light: tuple[OKLCH, OKLCH, OKLCH]
    dark: tuple[OKLCH, OKLCH, OKLCH]

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
        ),
        Palette(
            "blue-orange",
            "Blue / orange",
            light=((0.70, 0.135, 247.0), (0.76, 0.15, 60.0), (0.70, 0.09, 330.0)),
            dark=((0.49, 0.13, 252.0), (0.52, 0.12, 55.0), (0.50, 0.10, 330.0)),
        ),
    )
}

STEPS = {
    ("green-red", False): ((194, 157, 114, 78), (224, 217, 210, 203), (189, 183, 141, 99)),
    ("green-red", True): ((22, 28, 28, 35), (52, 88, 124, 160), (54, 55, 56, 93)),
    ("blue-orange", False): ((195, 153, 117, 75), (230, 223, 215, 208), (225, 219, 213, 176)),
    ("blue-orange", True): ((17, 18, 25, 32), (58, 94, 130, 208), (53, 90, 127, 164)),
}
# the share from which each step is drawn: a weak tint stands out more on dark ground
EDGES = {False: (0.05, 0.25, 0.5, 0.75), True: (0.1, 0.3, 0.55, 0.8)}
PAPER = {False: "#ffffff", True: "#1c1c1c"}
_LEVELS = (0, 95, 135, 175, 215, 255)


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
    """The colours of a cell in steps, each an exact colour of the xterm cube; those of ``Palette.paint`` for a palette
    that is not in ``STEPS``."""
    share = 0.0 if math.isnan(share) else share
    if (palette.name, dark) not in STEPS:
        return palette.paint(share, dark=dark, signed=signed)
    ramp = STEPS[palette.name, dark][2 if not signed else 0 if share >= 0 else 1]
    step = sum(abs(share) >= edge for edge in EDGES[dark])
    colour = colour_of(ramp[step - 1]) if step else PAPER[dark]
    return Paint(colour, _readable(colour), colour_of(ramp[-1]))


@lru_cache(maxsize=256)
def _readable(colour: str) -> str:
    """Black or white, whichever is easier to read on a colour."""
    return max("#000000", "#ffffff", key=lambda ink: contrast(ink, colour))


def colour_of(index: int) -> str:
    """The colour of the xterm cube with a number from 16 to 231, as ``#rrggbb``."""
    red, green, blue = (index - 16) // 36, (index - 16) // 6 % 6, (index - 16) % 6
    return f"#{_LEVELS[red]:02x}{_LEVELS[green]:02x}{_LEVELS[blue]:02x}"


def blended(first: str, second: str, share: float) -> str:
    """The colour that lies a share of the way from the first to the second, in OKLab."""
    return _hex(_mix(_oklab(linear(first)), _oklab(linear(second)), share))


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of ``#rrggbb``, 0 to 1 (WCAG 2.2)."""
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def linear(colour: str) -> RGB:
    """``#rrggbb`` as linear sRGB, each part 0 to 1."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return red, green, blue


@lru_cache(maxsize=16384)
def _paint(palette: Palette, share: float, dark: bool, signed: bool) -> Paint:
    around = ground(dark)
    deep = (palette.dark if dark else palette.light)[2 if not signed else 0 if share >= 0 else 1]
    paper, end = _oklab(linear(around.paper)), _rectangular(deep)
    cell = _hex(_mix(paper, end, abs(share)))
    # the bar is a deeper step of the same hue: darker on light ground, lighter on dark
    lightness, chroma, hue = deep
    edge = _rectangular((lightness + (0.28 if dark else -0.2), chroma * 0.9, hue))
    mark = _hex(_mix(_oklab(linear(cell)), edge, min(1.0, 0.25 + abs(share)))) if share else cell
    return Paint(cell, around.ink, mark)


def _mix(first: RGB, second: RGB, share: float) -> RGB:
    (a, b, c), (x, y, z) = first, second
    return a + (x - a) * share, b + (y - b) * share, c + (z - c) * share


def _rectangular(colour: OKLCH) -> RGB:
    lightness, chroma, hue = colour
    return lightness, chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))


def _oklab(rgb: RGB) -> RGB:
    red, green, blue = rgb
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def _hex(lab: RGB) -> str:
    lightness, a, b = lab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    parts = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _companded(min(1.0, max(0.0, p)))):02x}" for p in parts)


def _companded(part: float) -> float:
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055
