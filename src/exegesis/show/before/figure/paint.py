"""Scenes painted by matplotlib: PNG, PDF, or a matplotlib Figure. Imports no torch.

No global state of matplotlib is read or changed: no pyplot, no rcParams but within a call.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.path import Path
from matplotlib.text import Text as Writing
from matplotlib.transforms import Transform

from exegesis.show.before.figure import fonts, raster
from exegesis.show.before.figure.scene import Box, Scene, Words
from exegesis.show.before.figure.visual import shaped

DPI, TALLEST = 200, 30_000  # dots an inch; dots of a picture's longer side, beyond which it is drawn coarser
SHAPES = hasattr(FT2Font, "_layout")  # matplotlib 3.11 and later order and join the letters of Hebrew, Arabic, ...


def as_png(drawing: Scene) -> bytes:
    """A scene as a PNG picture, drawn coarser where it is very long."""
    dpi = min(DPI, TALLEST * 72 / max(drawing.height, drawing.width))
    texts = [
        (x, words.y, *_shaped(word), words.size, words.colour) for words in drawing.words for x, word in _cut(words)
    ]
    with _settings():
        return raster.png(_page(drawing), texts, dpi)


def as_pdf(drawing: Scene) -> bytes:
    """A scene as a PDF page."""
    dates: dict[str, None] = {"CreationDate": None}
    out = io.BytesIO()
    with _settings():
        page = _page(drawing)
        page.add_artist(_Texts(drawing.words, page.axes[0].transData), clip=False)
        page.savefig(out, facecolor=drawing.paper, bbox_inches=None, format="pdf", metadata=dates)
    return out.getvalue()


def _settings() -> AbstractContextManager[None]:
    """What matplotlib would do without a reader's own settings."""
    settings = {name: value for name, value in matplotlib.rcParamsDefault.items() if "backend" not in name}
    return matplotlib.rc_context({**settings, "pdf.fonttype": 42})


def drawn(drawing: Scene) -> Figure:
    """A scene as a matplotlib Figure, each of whose texts is one of its own."""
    made = _page(drawing)
    for words in drawing.words:
        for x, word in _cut(words):
            artist = _artist(x, words, word)
            artist.set_transform(made.axes[0].transData)
            made.add_artist(artist, clip=False)
    return made


def _page(drawing: Scene) -> Figure:
    """The boxes of a scene, without its texts."""
    made = Figure(figsize=(drawing.width / 72, drawing.height / 72), dpi=DPI, facecolor=drawing.paper)
    made.set_layout_engine("none")
    FigureCanvasAgg(made)
    axes = made.add_axes((0, 0, 1, 1), frameon=False)
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    axes.set_axis_off()
    paths = [_path(box) for box in drawing.boxes]
    fills = [box.fill for box in drawing.boxes]
    axes.add_collection(PathCollection(paths, facecolors=fills, linewidths=0, antialiaseds=True), autolim=False)
    return made


class _Texts(Artist):
    """All texts of a scene at once: what one Text each would draw, without what each would find out for itself."""

    def __init__(self, words: Sequence[Words], transform: Transform) -> None:
        super().__init__()
        self.words, self.page = words, transform

    def draw(self, renderer: Any) -> None:  # one of a backend, or one that stands for it
        context = renderer.new_gc()
        _, height = renderer.get_canvas_width_height()
        every = [(x, words.y, words, word) for words in self.words for x, word in _cut(words)]
        places: np.ndarray | list[Any] = self.page.transform([(x, y) for x, y, _, _ in every]) if every else []
        for (x, y), (_, _, words, word) in zip(places, every, strict=True):
            text, font = _shaped(word)
            context.set_foreground(words.colour)
            down = height - y if renderer.flipy() else y
            renderer.draw_text(context, x, down, text, _font(font, words.size), 0)
        context.restore()


def _path(box: Box) -> Path:
    x, y, right, low = box.x, box.y, box.x + box.width, box.y + box.height
    if not box.radius:
        return Path([(x, y), (right, y), (right, low), (x, low), (x, y)], closed=True)
    r = min(box.radius, box.width / 2, box.height / 2)
    corners = [(x + r, y), (right - r, y), (right, y), (right, y + r), (right, low - r), (right, low), (right - r, low),
               (x + r, low), (x, low), (x, low - r), (x, y + r), (x, y), (x + r, y), (x + r, y)]  # fmt: skip
    curve = [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path(corners, [Path.MOVETO, *curve, *curve, *curve, *curve, Path.CLOSEPOLY])


def _cut(words: Words) -> list[tuple[float, fonts.Word]]:
    """A text, cut where another font must draw a part of it: where each part begins, and how it is drawn."""
    parts = [words.text] if fonts.word(words.text, words.bold).text == words.text else words.text.split(" ")
    x, drawn = words.x, []
    for part in parts:
        word = fonts.word(part, words.bold)
        if word.text:
            drawn.append((x, word))
        x += words.size * (word.width + 0.318)
    return drawn


def _shaped(word: fonts.Word) -> tuple[str, str]:
    """A text as matplotlib wants it, and the font's file."""
    return shaped(word.text, SHAPES), word.font


@lru_cache(maxsize=256)
def _font(file: str, size: float) -> FontProperties:
    return FontProperties(fname=file, size=size)


def _artist(x: float, words: Words, word: fonts.Word) -> Writing:
    return Writing(
        x, words.y, shaped(word.text, SHAPES),
        fontproperties=_font(word.font, words.size),
        color=words.colour, ha="left", va="baseline", usetex=False, parse_math=False,
    )  # fmt: skip
