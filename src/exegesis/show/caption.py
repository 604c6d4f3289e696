"""What stands over and under the rows of a figure: facts, the colour scale, what adds up. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping

from exegesis.show import fonts
from exegesis.show.canvas import MARGIN, SIZE, SMALL, Box, Scene, clipped, folded
from exegesis.show.layout import Panel
from exegesis.show.notes import header, notes, scales
from exegesis.show.palette import Palette, ground
from exegesis.show.wording import MINUS

STEPS, STEP = 12, 3.4  # of the colour scale on each side of zero, and how wide each is
HELP = "bar above: for, below: against"


class Caption:
    """The texts around one panel on a scene; each method draws from ``y`` on and gives where it ends."""

    def __init__(self, drawing: Scene, panel: Panel, palette: Palette, dark: bool) -> None:
        self.on, self.panel, self.palette, self.dark = drawing, panel, palette, dark
        self.ink, self.muted = ground(dark).ink, ground(dark).muted
        self.room = drawing.width - 2 * MARGIN

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
            for part in folded(text, self.room - left):
                self.on.write(MARGIN + left, y + 7, part, SMALL, self.muted)
                y += 11.5
        return y
