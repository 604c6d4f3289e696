"""Matrices as boxes and words at places: heat maps of pairs of words, squares of methods by methods."""

from __future__ import annotations

import math

from exegesis.show.document import Matrix
from exegesis.show.figure import fonts
from exegesis.show.figure.scene import MARKED, SIZE, SMALL, TINY, Box, Canvas
from exegesis.show.palette import Paint, blended, ground, hue

LEAST, MOST, GAP = 9.0, 17.0, 0.8  # the side of a cell, between two cells
WIDE = 30.0  # the width of a cell that holds a number
LINE = 0.4  # thickness of the outline of a weak cell
LABEL, HEAD = 80.0, 110.0  # room for a word at the end of the diagonal; for a name above a column
TINT = 0.5  # strength of a categorical colour at the end of its scale, on which text can still be read
TURN = 48.0  # degrees of the names above the columns


def drawn(matrix: Matrix, canvas: Canvas, y: float) -> float:
    """Draw a matrix from ``y`` on and return where it ends.

    Half a matrix has its words down the diagonal, a cell for every two of them; a text of more words than fit is cut
    down to those of the strongest pairs. Another matrix has its names before its rows and above its columns.
    """
    if matrix.title:
        canvas.write(canvas.left, y + SIZE * 1.25, matrix.title, SIZE * 0.92, canvas.ground.ink, bold=True)
        y += SIZE * 1.25 + 8
    return (_half if matrix.half else _whole)(matrix, canvas, y) + 8


def _half(matrix: Matrix, canvas: Canvas, y: float) -> float:
    room = canvas.room - LABEL
    numbers = canvas.numbers or matrix.digits is not None
    wide = _written(matrix) if numbers else LEAST
    shortened, rest = matrix.shortened(int(room // max(wide, LEAST)))
    if rest:
        canvas.remarks.append(rest)
    side = max(wide, min(MOST, room / max(len(shortened.down), 1)))
    tall = min(side, MOST)
    for row, word in enumerate(shortened.down):
        for column in range(row):
            box = Box(canvas.left + column * side, y, side - GAP, tall - GAP, "", shortened.spoken(row, column), 1.0)
            _cell(shortened, canvas, row, column, box, numbers)
        x = canvas.left + row * side + 2
        room = max(LABEL, canvas.right - x)
        canvas.write(x, y + tall / 2 + 0.36 * SMALL, word, SMALL, canvas.ground.ink, room=room)
        y += tall
    return y


def _whole(matrix: Matrix, canvas: Canvas, y: float) -> float:
    numbers = canvas.numbers or matrix.digits is not None
    names = min(max((fonts.width(name, SMALL) for name in matrix.down), default=0.0) + 8, 0.42 * canvas.room)
    heads = [fonts.fitted(name, HEAD, SMALL) for name in matrix.across]
    turn = math.radians(TURN)
    high = max((fonts.width(name, SMALL) for name in heads), default=0.0) * math.sin(turn) + 6
    wide = max(_written(matrix), WIDE) if numbers else MOST
    lean = max((fonts.width(name, SMALL) for name in heads), default=0.0) * math.cos(turn)
    side = min(wide, (canvas.room - names - lean) / max(len(heads), 1))
    left, y = canvas.left + names, y + high
    for column, name in enumerate(heads):
        canvas.write(left + (column + 0.5) * side + 2, y - 4, name, SMALL, angle=TURN)
    for row, name in enumerate(matrix.down):
        middle = y + MOST / 2 + 0.36 * SMALL
        canvas.write(left - 6, middle, name, SMALL, canvas.ground.ink, anchor=1.0, room=names - 8)
        for column in range(len(heads)):
            box = Box(left + column * side, y, side - GAP, MOST - GAP, "", matrix.spoken(row, column), 1.0)
            _cell(matrix, canvas, row, column, box, numbers)
        y += MOST
    return y


def _cell(matrix: Matrix, canvas: Canvas, row: int, column: int, box: Box, numbers: bool) -> None:
    share, text = matrix.share(row, column), matrix.written(row, column)
    paint = _paint(matrix, canvas, share)
    if abs(share) < MARKED:  # nearly the page's colour, so it has an outline
        canvas.on.boxes.append(box._replace(fill=canvas.ground.line))
        box = box._replace(
            x=box.x + LINE, y=box.y + LINE, width=max(0.0, box.width - 2 * LINE), height=box.height - 2 * LINE
        )
    canvas.cell(box._replace(fill=paint.ground), share, paint, signed=matrix.signed, bar=1.2)
    if numbers and fonts.width(text, TINY) <= box.width:
        middle = box.x + box.width / 2
        canvas.write(middle, box.y + box.height / 2 + 0.36 * TINY, text, TINY, paint.ink, anchor=0.5)


def _paint(matrix: Matrix, canvas: Canvas, share: float) -> Paint:
    """The palette's colours, or tints of a categorical colour."""
    if matrix.hue is None:
        return canvas.palette.paint(share, dark=canvas.dark, signed=matrix.signed)
    around = ground(canvas.dark)
    tint = blended(around.paper, hue(matrix.hue, canvas.dark), TINT * abs(share))
    return Paint(tint, around.ink, tint)


def _written(matrix: Matrix) -> float:
    """The side of a cell that holds the longest number."""
    count = len(matrix.across)
    cells = [(row, column) for row in range(len(matrix.down)) for column in range(row if matrix.half else count)]
    return max((fonts.width(matrix.written(*cell), TINY) for cell in cells), default=0.0) + 3
