"""Fonts: the one that can draw a word, and the word's width.

Figures are set in the DejaVu Sans that matplotlib brings, so that they look the same everywhere. A word that it cannot
draw (Chinese, emoji) is drawn in an installed font that can; characters without a font become boxes.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

from exegesis.show.layout import leftward
from exegesis.show.wording import clipped, folded

_PICTURES = re.compile("[\u2400-\u2421]")
BOX = "\N{WHITE SQUARE}"
UNKNOWN = 0.95  # width of a character that no font has, in em
UNKNOWN_WIDE = 1.2
_AVOIDED = ("last resort", "color emoji", "colour emoji", "symbols", "math")


class Word(NamedTuple):
    """A word as a font draws it: its text, the font's file, its width in em."""

    text: str
    font: str
    width: float


def spelled(text: str) -> str:
    """A text whose pictures of control characters (made by ``wording.visible``) are written out: ``\\x07``.

    Few fonts have those pictures, and they cannot be read at the size of a word.
    """
    return _PICTURES.sub(lambda match: f"\\x{_code(match.group()):02x}", text)


def _code(picture: str) -> int:
    return 0x7F if picture == "\N{SYMBOL FOR DELETE}" else ord(picture) - 0x2400


@lru_cache(maxsize=65536)
def word(text: str, bold: bool = False) -> Word:
    """A word in the first font that has all its characters, or in DejaVu Sans with boxes. Widths leave kerning out."""
    text = spelled(text)
    font = _dejavu(bold)
    missing = [c for c in text if not _has(font, c) and not _bare(c)]
    substitute = _index().get(ord(missing[0])) if missing else None
    if substitute is not None and all(_has(substitute, c) or _bare(c) for c in text):
        font = substitute
    shown = "".join(c if _has(font, c) else "" if _bare(c) else BOX for c in text)
    return Word(shown, font, sum(_advance(font, c) for c in text))


def width(text: str, size: float, bold: bool = False) -> float:
    """The width of a text of any length, in points."""
    return size * sum(word(part, bold).width for part in text.split(" ")) + size * 0.318 * text.count(" ")


def fitted(text: str, room: float, size: float, bold: bool = False) -> str:
    """A text cut to fit some room, in points, with an ellipsis if anything was cut."""
    return clipped(text, room + 0.01, lambda part: width(part, size, bold))


def lines(text: str, room: float, size: float, bold: bool = False) -> list[str]:
    """A text broken at blanks into lines that fit some room, in points."""
    return folded(text, room, lambda part: width(part, size, bold))


def shaped(text: str, library_does: bool) -> str:
    """A word for a library that draws characters from left to right; unchanged if the library orders them itself."""
    if library_does or not leftward(text):
        return text
    clusters: list[str] = []
    for character in text:
        if clusters and unicodedata.combining(character):
            clusters[-1] += character
        else:
            clusters.append(character)
    return "".join(reversed(clusters))


def _bare(character: str) -> bool:
    """True for a character that takes no room, so that nothing is lost if a font has no glyph for it."""
    return unicodedata.category(character) in ("Mn", "Me", "Cf")


@lru_cache(maxsize=65536)
def _advance(font: str, character: str) -> float:
    if not _has(font, character):
        if _bare(character):
            return 0.0
        return UNKNOWN_WIDE if unicodedata.east_asian_width(character) in "WF" else UNKNOWN
    face = _face(font)
    face.set_size(64, 72)
    return float(face.load_char(ord(character)).linearHoriAdvance) / 65536 / 64


def _has(font: str, character: str) -> bool:
    return bool(_face(font).get_char_index(ord(character)))


@lru_cache(maxsize=16)
def _face(font: str) -> FT2Font:
    return FT2Font(font)


def _dejavu(bold: bool) -> str:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return str(Path(matplotlib.get_data_path(), "fonts", "ttf", name))


@lru_cache(maxsize=1)
def _index() -> dict[int, str]:
    """The first installed upright font for every character that one has; built when first needed."""
    index: dict[int, str] = {}
    fonts = [
        f for f in font_manager.fontManager.ttflist if f.style == "normal" and f.weight in (400, "normal", "regular")
    ]
    for entry in sorted(fonts, key=lambda f: (not f.name.lower().startswith("noto sans"), f.name, f.fname)):
        if any(part in entry.name.lower() for part in _AVOIDED):
            continue
        try:
            characters = FT2Font(entry.fname).get_charmap()
        except (OSError, RuntimeError):  # moved since matplotlib listed it, or bitmaps only
            continue
        for code in characters:
            index.setdefault(code, entry.fname)
    return index
