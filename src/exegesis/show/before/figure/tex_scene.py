r"""A scene as LaTeX: pictures of colour boxes and words, one under the other, that need ``xcolor`` alone.

Each band of a scene that no box and no word crosses is a ``picture`` of its own, so that long figures break over pages.
Words stand where a figure has them, in the document's own sans-serif font. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator

from exegesis.show.before.figure.scene import Box, Scene, Words
from exegesis.show.latex import escaped

HEAD = r"""% A figure by Exegesis. In the preamble: \usepackage{xcolor}
% (and \usepackage[T1]{fontenc} with pdfLaTeX; text beyond Latin letters needs XeLaTeX or LuaLaTeX).
\begingroup\setlength{\unitlength}{1bp}\setlength{\parindent}{0pt}\setlength{\fboxsep}{0pt}
"""
TAIL = "\\endgroup\n"
ASCENT, DESCENT = 0.8, 0.25  # of letters over and under their baseline


def as_tex(drawing: Scene) -> str:
    r"""A scene as a snippet that goes into any document by ``\input``."""
    return HEAD + "".join(_picture(drawing, *band) for band in _bands(drawing)) + TAIL


Band = tuple[float, float, list[Box], list[Words]]


def _bands(drawing: Scene) -> Iterator[Band]:
    """From top to bottom, what stands between two lines across the page that touch nothing."""
    items: list[tuple[float, float, Box | Words]] = [(box.y, box.y + box.height, box) for box in drawing.boxes]
    items += [(one.y - ASCENT * one.size, one.y + DESCENT * one.size, one) for one in drawing.words if one.text]
    items.sort(key=lambda item: item[:2])
    start = 0.0
    while items:
        low, count = items[0][1], 0
        while count < len(items) and items[count][0] <= low:
            low, count = max(low, items[count][1]), count + 1
        inside, items = [item for _, _, item in items[:count]], items[count:]
        stop = items[0][0] if items else low
        yield start, stop, [b for b in inside if isinstance(b, Box)], [w for w in inside if isinstance(w, Words)]
        start = stop


def _picture(drawing: Scene, top: float, bottom: float, boxes: list[Box], words: list[Words]) -> str:
    """Boxes below words; y counts upwards from the lower edge."""
    lines = [rf"\begin{{picture}}({drawing.width:.1f},{bottom - top:.1f})%" + "\n"]
    for box in boxes:
        fill = rf"\color[HTML]{{{box.fill[1:].upper()}}}\rule{{{box.width:.2f}bp}}{{{box.height:.2f}bp}}"
        lines.append(rf"\put({box.x:.2f},{bottom - box.y - box.height:.2f}){{{fill}}}%" + "\n")
    lines += [_words(one, bottom - one.y) for one in words]
    return "".join(lines) + "\\end{picture}\\par\\nointerlineskip\n"


def _words(words: Words, y: float) -> str:
    size = round(words.size)
    look = rf"\sffamily\fontsize{{{size}}}{{{size}}}\selectfont" + (r"\bfseries" if words.bold else "")
    text = rf"{look}\color[HTML]{{{words.colour[1:].upper()}}}{escaped(words.text)}"
    side = {0.0: "lb", 1.0: "rb"}.get(words.anchor, "b")
    where = rf"\put({words.x + words.anchor * words.width:.2f},{y:.2f})"
    return where + rf"{{\makebox(0,0)[{side}]{{\raisebox{{0pt}}[0pt][0pt]{{{text}}}}}}}%" + "\n"
