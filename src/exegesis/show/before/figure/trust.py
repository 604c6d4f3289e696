"""The drawings of an evaluation as inline SVG: dots with intervals, and curves. Imports no torch.

Colours are classes (``m0`` to ``m7`` of methods, ``k`` of controls), so that the page's style decides them for light
and dark ground. Better is always to the right, whichever way a measure runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from markupsafe import Markup, escape

from exegesis.results.advice import RANDOM
from exegesis.results.evaluation import Evaluation, Mean, Measured
from exegesis.show.wording import MINUS, visible

WIDTH, LABEL, VALUE, ROW, TOP = 352, 138, 52, 23, 6
LEFT, RIGHT = LABEL + 10, WIDTH - VALUE - 6
HUES = 8
WIDE, HIGH = 500, 288
X0, X1, Y0, Y1 = 40, WIDE - 12, HIGH - 34, 12


def paint(place: int) -> str:
    """The class of the method in a place of the ranking."""
    return f"m{place % HUES}"


def dots(result: Evaluation, measure: Measured, order: Sequence[str]) -> Markup:
    """One measure: a dot and its interval for each method and control; a band where random scores lie."""
    means = {name: result.mean(measure.name, name) for name in order}
    own = [name for name in order if not _control(result, name)]
    others = [name for name in order if name not in own and means[name].texts]
    place = _scale(list(means.values()), measure.higher)
    height = 2 * TOP + ROW * (len(own) + len(others)) + (8 if others else 0)
    parts = [_band(means.get(RANDOM), place, height)]
    y = TOP + ROW / 2
    for number, name in enumerate([*own, *others]):
        if number == len(own):
            parts.append(
                f'<line class="rule" x1="0" x2="{WIDTH}" y1="{y - ROW / 2 + 4:.1f}" y2="{y - ROW / 2 + 4:.1f}"/>'
            )
            y += 8
        above = name == RANDOM or RANDOM not in order or _above(result, name, measure)
        parts.append(_dot(name, means[name], place, y, paint(number) if number < len(own) else "k", above))
        y += ROW
    label = f"{measure.name}: " + ", ".join(f"{name} {_number(means[name].value)}" for name in [*own, *others])
    return _svg(WIDTH, height, label, parts)


def curves(result: Evaluation, measure: Measured, order: Sequence[str]) -> Markup:
    """The mean curve of each method, with those of the controls dashed."""
    lines = result.curves[measure.name]
    low, high, count = _quarters(lines[np.isfinite(lines)])
    parts = []
    for tick in np.linspace(low, high, count):
        y = _y(float(tick), low, high)
        parts.append(f'<line class="rule" x1="{X0}" x2="{X1}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{X0 - 7}" y="{y + 3.5:.1f}" text-anchor="end">{tick:.2f}</text>')
    for share in (0, 25, 50, 75, 100):
        x = X0 + (X1 - X0) * share / 100
        parts.append(f'<text class="tick" x="{x:.1f}" y="{Y0 + 16}" text-anchor="middle">{share}</text>')
    what = (
        "words in, highest score first, %" if measure.name.startswith("insertion") else "words gone, highest first, %"
    )
    parts.append(f'<text class="tick" x="{(X0 + X1) / 2}" y="{HIGH - 3}" text-anchor="middle">{what}</text>')
    for place, name in reversed(list(enumerate(order))):
        line = lines[result.names.index(name)]
        kind = f"line k {_plain(name)}" if _control(result, name) else f"line {paint(place)}"
        if np.isfinite(line).all():
            parts.append(_path(result.grid, line, low, high, kind, name))
    return _svg(WIDE, HIGH, f"{measure.name}: mean probability by share of words", parts)


def _quarters(values: Float[np.ndarray, " n"]) -> tuple[float, float, int]:
    """The range of the axis and how many ticks it has: whole quarters of probabilities, else what the values need."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    step = 0.25 if high - low <= 1 else 10 ** math.ceil(math.log10((high - low) / 4))
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    return first * step, last * step, last - first + 1


def _scale(means: Sequence[Mean], higher: bool) -> tuple[float, float]:
    """The values at the left and the right edge."""
    known = [v for mean in means for v in (mean.value, mean.low, mean.high) if math.isfinite(v)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    space = 0.04 * (high - low) or 0.5
    return (low - space, high + space) if higher else (high + space, low - space)


def _x(value: float, place: tuple[float, float]) -> float:
    return LEFT + (RIGHT - LEFT) * (value - place[0]) / (place[1] - place[0])


def _y(value: float, low: float, high: float) -> float:
    return Y0 - (Y0 - Y1) * (value - low) / (high - low)


def _band(mean: Mean | None, place: tuple[float, float], height: float) -> str:
    if mean is None or not math.isfinite(mean.low):
        return ""
    first, last = sorted((_x(mean.low, place), _x(mean.high, place)))
    return f'<rect class="band" x="{first:.1f}" width="{max(last - first, 1):.1f}" y="0" height="{height}" rx="2"/>'


def _dot(name: str, mean: Mean, place: tuple[float, float], y: float, kind: str, above: bool) -> str:
    label = f'<text class="label {kind}" x="{LABEL}" y="{y + 4:.1f}" text-anchor="end">{escape(_clipped(name))}</text>'
    if not mean.texts:
        return label + f'<text class="value" x="{WIDTH}" y="{y + 4:.1f}" text-anchor="end">none</text>'
    x = _x(mean.value, place)
    whisker = ""
    if math.isfinite(mean.low):
        ends = _x(mean.low, place), _x(mean.high, place)
        whisker = f'<line class="whisker {kind}" x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
    said = f"{visible(name)}: {_number(mean.value)}"
    if math.isfinite(mean.low):
        said += f", interval {_number(mean.low)} to {_number(mean.high)}, {mean.texts} texts"
    dot = f'<circle class="dot {kind}{"" if above else " hollow"}" cx="{x:.1f}" cy="{y:.1f}" r="4.6"/>'
    value = f'<text class="value" x="{WIDTH}" y="{y + 4:.1f}" text-anchor="end">{_number(mean.value)}</text>'
    return f"<g><title>{escape(said)}</title>{label}{whisker}{dot}{value}</g>"


def _path(
    grid: Sequence[float], line: Float[np.ndarray, " points"], low: float, high: float, kind: str, name: str
) -> str:
    points = " ".join(
        f"{X0 + (X1 - X0) * share:.1f},{_y(float(value), low, high):.1f}"
        for share, value in zip(grid, line, strict=True)
    )
    return f'<polyline class="{kind}" points="{points}"><title>{escape(visible(name))}</title></polyline>'


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> Markup:
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    head = f'<svg {size} role="img" aria-label="{escape(visible(label))}">'
    return Markup(head + "".join(parts) + "</svg>")  # every text in it was escaped


def _above(result: Evaluation, name: str, measure: Measured) -> bool:
    return result.compare(name, RANDOM, measure.name)[0].better == name


def _control(result: Evaluation, name: str) -> bool:
    return result.methods[result.names.index(name)].control


def _plain(name: str) -> str:
    """A control's name as a class."""
    return "".join(c for c in name.partition(" ")[0] if c.isalnum() or c == "-")


def _clipped(name: str) -> str:
    text = visible(name)
    return text if len(text) <= 22 else text[:21] + "…"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "none"
    text = f"{abs(value):.3f}" if abs(value) < 10 else f"{abs(value):.1f}"
    return MINUS + text if value < 0 and float(text) else text
