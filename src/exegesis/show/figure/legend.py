"""Facts, headings and prose around pictures; legends under them."""

from __future__ import annotations

from exegesis.show.document import Facts, Heading, Key, Legend, Note, Prose, Scale
from exegesis.show.figure import fonts
from exegesis.show.figure.scene import SIZE, SMALL, Canvas, Line
from exegesis.show.palette import hue

STEPS, STEP = 12, 3.4  # of the colour scale on each side of zero, and the width of each
HELP = "bar above: for, below: against"
SIZES = {1: 12.5, 2: SIZE, 3: SIZE * 0.92}  # of headings


def facts(part: Facts, canvas: Canvas, y: float) -> float:
    """Facts beside each other, in as few lines as hold them."""
    x = canvas.left
    for text, strong in part.texts:
        size, colour = (SIZE, canvas.ground.ink) if strong else (SMALL, canvas.ground.muted)
        if x > canvas.left and x + fonts.width(text, size, strong) > canvas.right:
            x, y = canvas.left, y + 12
        x += canvas.write(x, y + 9, text, size, colour, bold=strong, room=canvas.room) + 11
    return y + (19 if x > canvas.left else 0)


def prose(part: Prose, canvas: Canvas, y: float) -> float:
    """A paragraph; a leading one is bold."""
    if part.tone == "lead":
        return canvas.headed(part.text, y, SIZE, 14, up=5) + 5
    return canvas.under([part.text], y, colour="" if part.tone == "muted" else canvas.ground.ink) + 5


def heading(part: Heading, canvas: Canvas, y: float) -> float:
    """A heading in the size of its level."""
    size = SIZES[part.level]
    return canvas.headed(part.text, y + (3 if part.level == 1 else 8), size, size * 1.3, up=0.3 * size) + 4


def legend(part: Legend, canvas: Canvas, y: float) -> float:
    """Keys of colours, the colour scale, sentences; those of the picture's marks after them."""
    y = _keys(part.keys, canvas, y)
    if part.scale is not None:
        y = _scale(part.scale, canvas, y)
    names = min(max((fonts.width(note.name, SMALL, True) for note in part.notes), default=0.0), 0.34 * canvas.room)
    for note in (*part.notes, *(Note("", remark) for remark in canvas.remarks)):
        if note.name:
            canvas.write(canvas.left, y + 7, note.name, SMALL, bold=True, room=names)
        y = canvas.under([note.text], y, names + 10 if names else 0.0)
    canvas.remarks.clear()
    return y


def _keys(keys: tuple[Key, ...], canvas: Canvas, y: float) -> float:
    """The names of categorical colours, each after a stroke of it."""
    x = canvas.left
    for key in keys:
        wide = 22 + fonts.width(key.name, SMALL)
        if x > canvas.left and x + wide > canvas.right:
            x, y = canvas.left, y + 12
        colour = hue(key.hue, canvas.dark)
        canvas.on.lines.append(Line(((x, y + 4), (x + 15, y + 4)), colour, 1.1 if key.hue is None else 2.0, key.dash))
        x += 19 + canvas.write(x + 19, y + 7, key.name, SMALL, room=canvas.room - 19) + 14
    return y + 17 if keys else y


def _scale(scale: Scale, canvas: Canvas, y: float) -> float:
    x = canvas.left
    for before, after, signs in scale.ramps:
        x, y = _ramp(canvas, x, y, before, after, signs)
    note = " · ".join(filter(None, (scale.note, HELP if scale.signs else "")))
    if x + fonts.width(note, SMALL) > canvas.right:
        x, y = canvas.left, y + 12
    canvas.write(x, y + 7, note, SMALL, room=canvas.room)
    return y + 17


def _ramp(canvas: Canvas, x: float, y: float, before: str, after: str, signs: bool) -> tuple[float, float]:
    steps = range(-STEPS if signs else 0, STEPS + 1)
    texts = fonts.width(before, SMALL) + fonts.width(after, SMALL) + 8
    step = max(0.0, min(STEP, (canvas.room - texts) / len(steps)))
    if x > canvas.left and x + texts + step * len(steps) > canvas.right:
        x, y = canvas.left, y + 12
    x += canvas.write(x, y + 7, before, SMALL) + 4
    for k in steps:
        paint = canvas.palette.paint(k / STEPS, dark=canvas.dark, signed=signs)
        canvas.box(x, y - 0.5, step, 9.5, paint.ground)
        x += step
    return x + 4 + canvas.write(x + 4, y + 7, after, SMALL) + 14, y
