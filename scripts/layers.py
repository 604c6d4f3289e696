"""The layers of the package as a picture, from the import contract in pyproject.toml and the folders that exist."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from exegesis.show.before.figure import fonts, svg
from exegesis.show.before.figure.scene import MARGIN, SIZE, SMALL, Box, Scene, folded
from exegesis.show.palette import DARK, LIGHT

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "exegesis"
WIDTH, GAP, PAD, LINE = 470.0, 7.0, 8.0, 10.5
SIDE = 22.0  # room on the left for the arrow
BAR = 3.0


def contract() -> tuple[list[list[str]], set[str]]:
    """The layers from above, each with its siblings, and the folders that may not load torch."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(each for each in contracts if each["type"] == "layers")["layers"]
    plain = next(each for each in contracts if "torch" in each.get("forbidden_modules", ()))["source_modules"]
    return [[name.strip() for name in layer.split("|")] for layer in layers], {
        name.removeprefix("exegesis.") for name in plain
    }


def purpose(name: str) -> str:
    """The first paragraph of a folder's (or module's) own docstring. Raises FileNotFoundError where there is none."""
    place = PACKAGE / name
    source = (place / "__init__.py" if place.is_dir() else place.with_suffix(".py")).read_text("utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0].replace("\n", " ").rstrip(".")


def folders() -> set[str]:
    """The folders of the package that hold code."""
    return {place.name for place in PACKAGE.iterdir() if (place / "__init__.py").is_file()}


def picture(dark: bool = False) -> str:
    """The picture as SVG. Raises ValueError where a folder has no layer."""
    layers, plain = contract()
    missing = folders() - {name for layer in layers for name in layer}
    if missing:
        raise ValueError(f"no layer of the import contract holds {', '.join(sorted(missing))}")
    ground = DARK if dark else LIGHT
    drawing = Scene(WIDTH, title="The layers of Exegesis, from above", paper=ground.paper)
    y = MARGIN
    for depth, layer in enumerate(layers):
        room = (WIDTH - 2 * MARGIN - SIDE - GAP * (len(layer) - 1)) / len(layer)
        texts = [folded(purpose(name), room - 2 * PAD - BAR) for name in layer]
        height = 2 * PAD + 11 + LINE * max(map(len, texts)) - 1
        for number, (name, lines) in enumerate(zip(layer, texts, strict=True)):
            x = MARGIN + SIDE + number * (room + GAP)
            _card(drawing, (x, y, room, height), name, lines, depth / (len(layers) - 1), name in plain, dark)
        y += height + GAP
    _arrow(drawing, MARGIN + 6, MARGIN, y - GAP, ground.muted)
    note = "Imports run downwards only. Neighbours on one line never import each other."
    drawing.write(MARGIN + SIDE, y + SMALL, note, SMALL, ground.muted)
    drawing.height = y + SMALL + MARGIN
    return svg.written(drawing)


def _card(
    drawing: Scene,
    place: tuple[float, float, float, float],
    name: str,
    lines: list[str],
    depth: float,
    plain: bool,
    dark: bool,
) -> None:
    ground = DARK if dark else LIGHT
    x, y, width, height = place
    tints = ("#1d2a36", "#20352e") if dark else ("#eaf1fa", "#e6f6ee")
    marks = ("#5b8fd6", "#37a57a") if dark else ("#3d78c7", "#1d9a6c")
    drawing.boxes.append(Box(x, y, width, height, _mix(*tints, depth), radius=3))
    drawing.boxes.append(Box(x, y, BAR, height, _mix(*marks, depth), radius=1.5))
    drawing.write(x + PAD + BAR, y + PAD + 8, name, SIZE, ground.ink, bold=True)
    if plain:
        free = "never loads torch"
        drawing.write(x + width - PAD, y + PAD + 8, free, SMALL, ground.muted, anchor=1.0)
    for number, line in enumerate(lines):
        drawing.write(x + PAD + BAR, y + PAD + 19.5 + LINE * number, line, SMALL, ground.muted)


def _arrow(drawing: Scene, x: float, top: float, bottom: float, colour: str) -> None:
    drawing.boxes.append(Box(x - 0.5, top, 1.0, bottom - top - 4, colour))
    head = "▼"
    drawing.write(x - fonts.width(head, SMALL) / 2, bottom, head, SMALL, colour)


def _mix(first: str, second: str, share: float) -> str:
    pairs = [(int(first[i : i + 2], 16), int(second[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in pairs)
