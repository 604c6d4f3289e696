"""What figures of every kind share: what stands over and under the rows of a text, and texts under each other.

Imports no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from exegesis.show.before.figure import fonts
from exegesis.show.before.figure.scene import MARGIN, SIZE, SMALL, TINY, Box, Scene, clipped, folded
from exegesis.show.before.figure.visual import order
from exegesis.show.documents.attribution import Cell, Panel
from exegesis.show.documents.header import header, notes, scales
from exegesis.show.palette import Paint, Palette, ground, palette_named
from exegesis.show.wording import MINUS

PAD, BLANK, TIGHT = 2.6, 2.2, 0.7  # inside a word's box; between words; between words that no blank divides
MARKED = 0.1  # share of the scale from which a bar marks the sign
STEPS, STEP = 12, 3.4  # of the colour scale on each side of zero, and how wide each is
HELP = "bar above: for, below: against"


class Page(ABC):
    """One text on a scene; ``draw`` and its parts draw from ``y`` on and give where they end."""

    def __init__(self, on: Scene, panel: Panel, palette: str | Palette, numbers: bool, dark: bool) -> None:
        self.on, self.panel, self.palette, self.numbers, self.dark = on, panel, palette_named(palette), numbers, dark
        self.ink, self.muted, self.rule = ground(dark).ink, ground(dark).muted, ground(dark).line
        self.room = on.width - 2 * MARGIN
        self.mirrored = panel.rtl  # its words begin at the right edge

    @abstractmethod
    def draw(self, y: float) -> float:
        """All of it."""

    def header(self, y: float, facts: Mapping[str, str] | None = None) -> float:
        x = MARGIN
        for name, text in (facts or header(self.panel, MINUS)).items():
            bold = name == "prediction"
            size = SIZE if bold else SMALL
            shown = clipped(text, self.room, size, bold)
            if x > MARGIN and x + fonts.width(shown, size, bold) > MARGIN + self.room:
                x, y = MARGIN, y + 12
            x += self.on.write(x, y + 9, shown, size, self.ink if bold else self.muted, bold=bold) + 11
        return y + (19 if x > MARGIN else 0)

    def legend(self, y: float) -> float:
        scale = scales(self.panel, MINUS)
        if scale is None:
            return y
        x = MARGIN
        if scale.signs:
            x, y = self._ramp(x, y, f"against {scale.low}", f"{scale.high} for", True)
        if scale.sizes:
            x, y = self._ramp(x, y, "size 0", scale.high.lstrip("+"), False)
        note = " · ".join(filter(None, (scale.note, HELP if scale.signs else "")))
        if x + fonts.width(note, SMALL) > MARGIN + self.room:
            x, y = MARGIN, y + 12
        self.on.write(x, y + 7, clipped(note, self.room, SMALL), SMALL, self.muted)
        return y + 17

    def _ramp(self, x: float, y: float, before: str, after: str, signs: bool) -> tuple[float, float]:
        steps = range(-STEPS if signs else 0, STEPS + 1)
        texts = fonts.width(before, SMALL) + fonts.width(after, SMALL) + 8
        step = max(0.0, min(STEP, (self.room - texts) / len(steps)))
        needed = texts + step * len(steps)
        if x > MARGIN and x + needed > MARGIN + self.room:
            x, y = MARGIN, y + 12
        x += self.on.write(x, y + 7, before, SMALL, self.muted) + 4
        for k in steps:
            paint = self.palette.paint(k / STEPS, dark=self.dark, signed=signs)
            self.on.boxes.append(Box(x, y - 0.5, step, 9.5, paint.ground))
            x += step
        return x + 4 + self.on.write(x + 4, y + 7, after, SMALL, self.muted) + 14, y

    def notes(self, y: float) -> float:
        every = notes(self.panel, MINUS)
        room = min(max((fonts.width(name, SMALL, True) for name, _ in every), default=0.0), 0.34 * self.room)
        left = room + 10 if room else 0.0
        for name, text in every:
            if name:
                self.on.write(MARGIN, y + 7, clipped(name, room, SMALL, True), SMALL, self.muted, bold=True)
            y = self.under([text], y, left)
        return y

    def under(self, texts: Sequence[str], y: float, left: float = 0.0) -> float:
        """Texts under each other, broken into lines."""
        for text in texts:
            for part in folded(text, self.room - left):
                self.on.write(MARGIN + left, y + 7, part, SMALL, self.muted)
                y += 11.5
        return y

    def number(self, line: range, x: float, y: float) -> None:
        """Which part of a pair a line belongs to, in a small box."""
        self.on.boxes.append(Box(x, y + 3.5, 10, 10, self.rule, radius=2))
        text = str(self.panel.atoms[line.start].part + 1)
        self.on.write(x + 5, y + 10.9, text, TINY, self.ink, anchor=0.5)

    def cell(self, box: Box, share: float, paint: Paint, *, signed: bool = True, bar: float = 1.4) -> None:
        """A box in its colour, with a bar above for what speaks for and below for what speaks against."""
        self.on.boxes.append(box)
        if signed and abs(share) >= MARKED and box.height > 3:
            at = box.y if share > 0 else box.y + box.height - bar
            self.on.boxes.append(Box(box.x, at, box.width, bar, paint.mark))


def blank(width: float, dark: bool) -> Scene:
    """A scene of so many inches, at least two, to draw pages on."""
    return Scene(72 * max(2.0, width), paper=ground(dark).paper)


def stacked(drawing: Scene, title: str, pages: Sequence[Page]) -> Scene:
    """Pages drawn under each other with a rule between two; the scene is as high as they are, and no wider."""
    drawing.title = title
    y = MARGIN
    for i, page in enumerate(pages):
        if i:
            drawing.boxes.append(Box(MARGIN, y + 8, drawing.width - 2 * MARGIN, 0.6, page.rule))
            y += 22
        y = page.draw(y)
    drawing.height = y + MARGIN - 4
    if not any(page.mirrored for page in pages):
        _narrow(drawing)
    return drawing


def _narrow(drawing: Scene) -> None:
    """Take off the empty right side of short texts; what is drawn across the page shrinks with it."""
    rights = [word.x + word.width for word in drawing.words] or [drawing.width]
    rights += [box.x + box.width for box in drawing.boxes if box.title]
    drawing.width = min(drawing.width, max(rights) + MARGIN)
    room = drawing.width - MARGIN
    drawing.boxes = [box._replace(width=min(box.width, room - box.x)) for box in drawing.boxes]


def beginning(panel: Panel) -> str:
    """The first words of a text, which name a figure."""
    return panel.surface(Cell(0, min(30, len(panel.atoms)), 0.0, 0.0))


def widths(panel: Panel) -> list[float]:
    """The room that each atom's text needs in its box."""
    atoms = panel.atoms
    return [
        fonts.width(atom.text, SIZE) + PAD * (2 - atom.glued - (i + 1 < len(atoms) and atoms[i + 1].glued))
        for i, atom in enumerate(atoms)
    ]


def placed(panel: Panel, line: range, widths: Sequence[float], left: float, room: float) -> list[tuple[int, float]]:
    """Atoms of a line as they stand from left to right, with where each begins."""
    x, places, last = 0.0, [], None
    for i in order(panel, line):
        if last is not None:
            blank = panel.atoms[max(i, last)].space or abs(i - last) > 1
            x += BLANK if blank else 0.0 if panel.atoms[max(i, last)].glued else TIGHT
        places.append((i, x))
        x, last = x + widths[i], i
    start = left + (room - x if panel.rtl else 0.0)
    return [(i, start + at) for i, at in places]
