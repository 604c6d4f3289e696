"""The style of HTML: one for all kinds of parts, in which every rule names the class of the root.

A fragment has no identifiers and no script, so any number of fragments share a page. Both switches (numbers, the other
palette) are check boxes that the style reads. Dark and light follow the reader's system, or the notebook's theme.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache

from jinja2 import Environment
from markupsafe import Markup

from exegesis.show.document import FAINT, Cell, Gauge
from exegesis.show.environment import environment
from exegesis.show.palette import DARK, HUES, LIGHT, Paint, Palette

STEPS = 12  # of colour on each side of zero
Paints = list[tuple[str, Paint, Paint]]


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The templates, which escape whatever they are given."""
    classes = (paint_class, hue_class, cell_class, gauge_bar)
    return environment({function.__name__: function for function in classes})


@lru_cache(maxsize=16)
def styled(chosen: Palette, second: Palette, kinds: frozenset[str]) -> tuple[str, Markup]:
    """The root's class, named after the style so that two versions on one page keep apart, and the style of the kinds
    of parts that are drawn."""
    template = templates().get_template("style.css.j2")

    def written(root: str) -> str:
        paints = [_paints(chosen), _paints(second)]
        return template.render(root=root, kinds=kinds, palettes=paints, hues=HUES, light=LIGHT, dark=DARK)

    root = f"exegesis-{hashlib.sha256(written('').encode()).hexdigest()[:8]}"
    return root, Markup(written(root))  # made of constants alone


def paint_class(share: float, signs: bool) -> str:
    """The class of a cell's colour: z for none, p for, q against, m for sizes, each with its step."""
    step = round(abs(share) * STEPS) if share == share else 0
    return f"{'m' if not signs else 'p' if share > 0 else 'q'}{step}" if step else "z"


def hue_class(number: int | None) -> str:
    """The class of a categorical colour."""
    return "hk" if number is None else f"h{number % len(HUES)}"


def cell_class(cell: Cell, signed: bool) -> str:
    """The class of a cell's colour, ``told`` if its score stands under its box too, ``k`` if it is marked."""
    told = abs(cell.share) >= FAINT or math.isnan(cell.score)  # others are told at the pointer alone
    return paint_class(cell.share, signed) + " told" * told + " k" * cell.marked


def gauge_bar(gauge: Gauge) -> tuple[float, float]:
    """The left end and the width of a bar, in percent of its room."""
    half = 50 * abs(gauge.share)
    left, wide = ((50 - half if gauge.share < 0 else 50), half) if gauge.signed else (0, 2 * half)
    return round(left, 1), round(wide, 1)


def _paints(palette: Palette) -> Paints:
    """The colours of each class on light and on dark ground."""
    paints: Paints = [("z", palette.paint(0.0), palette.paint(0.0, dark=True))]
    for letter, sign, signs in (("p", 1, True), ("q", -1, True), ("m", 1, False)):
        for step in range(1, STEPS + 1):
            share = sign * step / STEPS
            lit, dim = palette.paint(share, signed=signs), palette.paint(share, dark=True, signed=signs)
            paints.append((f"{letter}{step}", lit, dim))
    return paints
