"""A scene as pixels: boxes drawn by matplotlib, and each word drawn once by it and laid on the picture at its places.

A long text repeats its words, so a picture of ten thousand words takes a fraction of the time that as many texts of
matplotlib take. Words stand at whole pixels, of which there are 200 an inch. Imports no torch.
"""

from __future__ import annotations

import io
import math
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from PIL import Image

Placed = tuple[float, float, str, str, float, str]  # x, y of the baseline, text, font file, size, colour; in points
Renderer: Any = RendererAgg  # whose functions matplotlib leaves without types
EDGE = 2  # pixels around a word, beyond what its font says that it needs


def png(page: Figure, texts: list[Placed], dpi: float) -> bytes:
    """A page of boxes with texts on it, as a PNG picture."""
    page.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(page)
    canvas.draw()
    pixels = np.array(canvas.buffer_rgba())[..., :3]
    scale = dpi / 72
    for x, y, text, font, size, colour in texts:
        _lay(pixels, round(x * scale), round(y * scale), *_word(text, font, size, dpi), np.array(to_rgb(colour)) * 255)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG", dpi=(dpi, dpi), compress_level=4)
    return out.getvalue()


def _lay(
    pixels: UInt8[np.ndarray, "h w 3"],
    x: int,
    y: int,
    ink: Float[np.ndarray, "a b"],
    left: int,
    up: int,
    colour: Float[np.ndarray, " 3"],
) -> None:
    """Mix a colour into the pixels where a word has ink; what would lie outside the page is cut."""
    top, start = y - up, x - left
    rows = slice(max(0, top), max(0, min(len(pixels), top + ink.shape[0])))
    columns = slice(max(0, start), max(0, min(pixels.shape[1], start + ink.shape[1])))
    part = ink[rows.start - top : rows.stop - top, columns.start - start : columns.stop - start, None]
    if part.size:
        under = pixels[rows, columns]
        pixels[rows, columns] = np.rint(under + (colour - under) * part).astype(np.uint8)


@lru_cache(maxsize=16384)
def _word(text: str, font: str, size: float, dpi: float) -> tuple[Float[np.ndarray, "a b"], int, int]:
    """How much ink each pixel of a word has, from 0 to 1, and where its origin lies in them: right and down."""
    prop = FontProperties(fname=font, size=size)
    wide, high, below = Renderer(1, 1, dpi).get_text_width_height_descent(text, prop, False)
    left, up = (
        EDGE + math.ceil(size * dpi / 72),
        EDGE + max(0, math.ceil(high - below)),
    )  # letters may reach back over their origin
    width, height = left + math.ceil(wide) + left, up + max(0, math.ceil(below)) + EDGE
    renderer = Renderer(width, height, dpi)
    context = renderer.new_gc()
    context.set_foreground("black")
    renderer.draw_text(context, left, up, text, prop, 0)
    ink = np.asarray(renderer.buffer_rgba())[..., 3] / 255.0
    used = np.flatnonzero(ink.any(0))
    if not len(used):
        return np.zeros((0, 0)), 0, 0
    return ink[:, used[0] : used[-1] + 1].copy(), left - int(used[0]), up
