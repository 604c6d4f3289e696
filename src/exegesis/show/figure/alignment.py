"""Alignments as words and lines at places: two rows, or two columns where rows are too long.

The words of a row that is written from right to left stand from right to left.
"""

from __future__ import annotations

from collections.abc import Sequence

from exegesis.show.document import Alignment
from exegesis.show.figure import fonts
from exegesis.show.figure.scene import SIZE, Canvas, Line
from exegesis.show.layout import Atom, Layout, leftward
from exegesis.show.palette import blended, hue

BLANK, HIGH, STEP = 11.0, 74.0, 15.0  # the least room between two words of a row; between the rows; between two lines
APART, WORD = 150.0, 0.36  # the most room between two columns; the most for a word there, as a share of the page
THIN, THICK, PALE = 0.4, 3.4, 0.22  # the width of a line at both ends of the scale; how much colour the faintest has
HUE = 0  # the categorical colour of sizes
Place = tuple[float, float]


def drawn(part: Alignment, canvas: Canvas, y: float) -> float:
    """Draw an alignment from ``y`` on and return where it ends."""
    y = canvas.headed(part.title, y, SIZE * 0.92, SIZE * 1.25) + (8 if part.title else 2)
    long = max(map(_length, (part.upper, part.lower)))
    return (_rows(part, canvas, y, long) if long <= canvas.room else _columns(part, canvas, y)) + 10


def _length(words: Sequence[str]) -> float:
    return sum(fonts.width(word, SIZE) for word in words) + BLANK * (len(words) - 1)


def _rows(part: Alignment, canvas: Canvas, y: float, long: float) -> float:
    """One row under the other, each as long as the longer one."""
    bottom = y + SIZE + HIGH
    ends = []
    for words, base, end in ((part.upper, y + SIZE, y + SIZE + 5), (part.lower, bottom + SIZE, bottom - 2)):
        free = (long - _length(words)) / (len(words) + 1)
        x, places = canvas.left + free, dict[int, Place]()
        for number in _order(words):
            wide = canvas.write(x, base, words[number], SIZE, canvas.ground.ink)
            places[number] = (x + wide / 2, end)
            x += wide + BLANK + free
        ends.append([places[number] for number in range(len(words))])
    _lines(part, canvas, *ends)
    return bottom + SIZE + 3


def _order(words: Sequence[str]) -> list[int]:
    """The numbers of the words of a row, from left to right."""
    layout = Layout(tuple(Atom(word, True) for word in words), leftward(" ".join(words)))
    return layout.visual(range(len(words)))


def _columns(part: Alignment, canvas: Canvas, y: float) -> float:
    """One column beside the other, words towards the lines."""
    room = WORD * canvas.room
    wide = [min(room, max(fonts.width(word, SIZE) for word in words)) for words in (part.upper, part.lower)]
    left = canvas.left + wide[0]
    right = left + min(APART, canvas.room - sum(wide))
    ends = []
    for words, x, anchor, end in ((part.upper, left, 1.0, left + 4), (part.lower, right, 0.0, right - 4)):
        places = list[Place]()
        for number, word in enumerate(words):
            at = y + STEP * (number + 1)
            canvas.write(x, at - 3, word, SIZE, canvas.ground.ink, anchor=anchor, room=room)
            places.append((end, at - 3 - 0.36 * SIZE))
        ends.append(places)
    _lines(part, canvas, *ends)
    return y + STEP * max(len(part.upper), len(part.lower))


def _lines(part: Alignment, canvas: Canvas, upper: Sequence[Place], lower: Sequence[Place]) -> None:
    for link in part.links:
        size = abs(link.share)
        deep = canvas.palette.paint(1.0 if link.share > 0 else -1.0, dark=canvas.dark).mark
        deep = deep if part.signed else hue(HUE, canvas.dark)
        colour = blended(canvas.on.paper, deep, PALE + (1 - PALE) * size)
        dash = "dashed" if part.signed and link.share < 0 else ""
        ends = (upper[link.upper], lower[link.lower])
        canvas.on.lines.append(Line(ends, colour, THIN + (THICK - THIN) * size, dash, part.spoken(link)))
