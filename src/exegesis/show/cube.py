"""The palettes in the 256 colours that older terminals know. Imports no torch.

The nearest of 256 colours to a tint often has another hue (a pale green comes out grey or cyan), so each palette has
its own steps of one hue here, weakest first, as numbers of the xterm colour cube.
"""

from __future__ import annotations

import math

from exegesis.show.palette import Paint, Palette, contrast

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


def paint(palette: Palette, share: float, *, dark: bool, signed: bool) -> Paint:
    """As ``Palette.paint``, in steps, each an exact colour of the cube; a palette not in ``STEPS`` as it is."""
    share = 0.0 if math.isnan(share) else share
    if (palette.name, dark) not in STEPS:
        return palette.paint(share, dark=dark, signed=signed)
    ramp = STEPS[palette.name, dark][2 if not signed else 0 if share >= 0 else 1]
    step = sum(abs(share) >= edge for edge in EDGES[dark])
    colour = colour_of(ramp[step - 1]) if step else PAPER[dark]
    ink = max("#000000", "#ffffff", key=lambda ink: contrast(ink, colour))
    return Paint(colour, ink, colour_of(ramp[-1]))


def colour_of(index: int) -> str:
    """``#rrggbb`` of a number from 16 to 231."""
    red, green, blue = (index - 16) // 36, (index - 16) // 6 % 6, (index - 16) % 6
    return f"#{_LEVELS[red]:02x}{_LEVELS[green]:02x}{_LEVELS[blue]:02x}"
