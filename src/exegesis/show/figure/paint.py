"""Scenes painted by matplotlib: PNG, PDF, or a matplotlib Figure.

No global state of matplotlib is read or changed: no pyplot, and rcParams only within a call.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.patches import BoxStyle
from matplotlib.path import Path
from matplotlib.text import Text as Writing
from matplotlib.transforms import Transform
from PIL import Image

from exegesis.show.figure import fonts
from exegesis.show.figure.scene import DASHES, Box, Scene, Words

DPI, MAX_DOTS = 200, 30_000  # dots an inch; dots of a picture's longer side, beyond which it is drawn coarser
SHAPES = hasattr(FT2Font, "_layout")  # matplotlib 3.11 and later order and join the letters of Hebrew, Arabic, ...


def png(drawing: Scene) -> bytes:
    """A scene as a PNG picture of 200 dots per inch, coarser if it is very long; 10,000 words take about 10 seconds."""
    out = io.BytesIO()
    dpi = min(DPI, MAX_DOTS * 72 / max(drawing.height, drawing.width))
    with _settings():
        page = _written(drawing)
        page.set_dpi(dpi)
        canvas: Any = FigureCanvasAgg(page)  # whose functions matplotlib leaves without types
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        Image.fromarray(pixels).save(out, format="PNG", dpi=(dpi, dpi), compress_level=4)
    return out.getvalue()


def pdf(drawing: Scene) -> bytes:
    """A scene as a PDF page with its fonts, without a date, so that the same scene gives the same bytes; 10,000
    words take about 10 seconds."""
    out = io.BytesIO()
    dates: dict[str, None] = {"CreationDate": None}
    with _settings():
        _written(drawing).savefig(out, facecolor=drawing.paper, bbox_inches=None, format="pdf", metadata=dates)
    return out.getvalue()


def _settings() -> AbstractContextManager[None]:
    """The settings that matplotlib comes with, whatever the reader's own are."""
    settings = {name: value for name, value in matplotlib.rcParamsDefault.items() if "backend" not in name}
    return matplotlib.rc_context({**settings, "pdf.fonttype": 42})


def figure(drawing: Scene) -> Figure:
    """A scene as a matplotlib Figure, to save or to draw more on, in which each text is a separate artist."""
    page = _page(drawing)
    for words in drawing.words:
        for x, y, word in _cut(words):
            text, font = fonts.shaped(word.text, SHAPES), _font(word.font, words.size)
            artist = Writing(
                x, y, text, fontproperties=font, color=words.colour, rotation=words.angle, rotation_mode="anchor",
                ha="left", va="baseline", usetex=False, parse_math=False,
            )  # fmt: skip
            artist.set_transform(page.axes[0].transData)
            page.add_artist(artist, clip=False)
    return page


def _written(drawing: Scene) -> Figure:
    """A scene as a Figure in which all texts are one artist."""
    page = _page(drawing)
    page.add_artist(_Texts(drawing.words, page.axes[0].transData), clip=False)
    return page


def _page(drawing: Scene) -> Figure:
    """The boxes and lines of a scene."""
    page = Figure(figsize=(drawing.width / 72, drawing.height / 72), dpi=DPI, facecolor=drawing.paper)
    page.set_layout_engine("none")
    FigureCanvasAgg(page)
    axes = page.add_axes((0, 0, 1, 1), frameon=False)
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    axes.set_axis_off()
    paths = [_path(box) for box in drawing.boxes]
    fills = [box.fill for box in drawing.boxes]
    axes.add_collection(PathCollection(paths, facecolors=fills, linewidths=0, antialiaseds=True), autolim=False)
    if drawing.lines:
        strokes = LineCollection(
            [line.points for line in drawing.lines],
            colors=[line.colour for line in drawing.lines],
            linewidths=[line.width for line in drawing.lines],
            linestyles=[_dash(line.dash, line.width) for line in drawing.lines],
        )
        axes.add_collection(strokes, autolim=False)
    return page


class _Texts(Artist):
    """All texts of a scene: what a Text for each would draw, without the layout that each would compute for itself."""

    def __init__(self, words: Sequence[Words], transform: Transform) -> None:
        super().__init__()
        self.words, self.page = words, transform
        self.set_zorder(3)  # that of matplotlib's own texts: above the boxes

    def draw(self, renderer: Any) -> None:  # a backend's renderer, or matplotlib's stand-in for one
        context = renderer.new_gc()
        _, height = renderer.get_canvas_width_height()
        texts = [(x, y, words, word) for words in self.words for x, y, word in _cut(words)]
        places: Any = self.page.transform([(x, y) for x, y, _, _ in texts]) if texts else []
        for (x, y), (_, _, words, word) in zip(places, texts, strict=True):
            context.set_foreground(words.colour)
            down = height - y if renderer.flipy() else y
            text = fonts.shaped(word.text, SHAPES)
            renderer.draw_text(context, x, down, text, _font(word.font, words.size), words.angle)
        context.restore()


def _path(box: Box) -> Path:
    x, y, right, low = box.x, box.y, box.x + box.width, box.y + box.height
    if not box.radius:
        return Path([(x, y), (right, y), (right, low), (x, low), (x, y)], closed=True)  # whose edges are crisp
    radius = min(box.radius, box.width / 2, box.height / 2)
    return BoxStyle.Round(pad=0.0, rounding_size=radius)(x, y, box.width, box.height, 1.0)


def _dash(name: str, width: float) -> Any:
    """A dash as matplotlib counts it, in widths of the line."""
    return (0, tuple(part / width for part in DASHES[name])) if DASHES[name] else "solid"


def _cut(words: Words) -> Iterator[tuple[float, float, fonts.Word]]:
    """The places and words of a text, cut at blanks if another font must draw a part of it."""
    parts = [words.text] if fonts.word(words.text, words.bold).text == words.text else words.text.split(" ")
    along, turn = 0.0, math.radians(words.angle)
    for part in parts:
        word = fonts.word(part, words.bold)
        if word.text:
            yield words.x + along * math.cos(turn), words.y - along * math.sin(turn), word
        along += words.size * (word.width + 0.318)


@lru_cache(maxsize=256)
def _font(file: str, size: float) -> FontProperties:
    return FontProperties(fname=file, size=size)
