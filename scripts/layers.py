"""The layers of the package as a picture, from the import contract in pyproject.toml and the folders that exist."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

from exegesis.show.figure import fonts, svg
from exegesis.show.figure.scene import MARGIN, SIZE, SMALL, Box, Scene
from exegesis.show.palette import blended, ground

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "exegesis"
WIDTH, GAP, PAD, LINE = 470.0, 7.0, 8.0, 10.5
SIDE = 22.0  # room on the left for the arrow
BAR = 3.0
NOTE = (
    "Imports run downwards only, and within a folder along its arrows. Neighbours on one line never import each other."
)


def contracts() -> list[dict[str, Any]]:
    """The import contracts, as tables."""
    found: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    return found


def layers_of(container: str) -> list[list[str]]:
    """The layers of a package from above, each with its siblings; none for a package without a contract."""
    for contract in contracts():
        if contract["type"] == "layers" and contract["containers"] == [container]:
            return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]
    return []


def plain() -> set[str]:
    """The folders that may not load torch."""
    contract = next(each for each in contracts() if "torch" in each.get("forbidden_modules", ()))
    return {name.removeprefix("exegesis.") for name in contract["source_modules"]}


def purpose(name: str) -> str:
    """The first paragraph of a folder's (or module's) own docstring. Raises FileNotFoundError if there is none."""
    place = PACKAGE / name
    source = (place / "__init__.py" if place.is_dir() else place.with_suffix(".py")).read_text("utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0].replace("\n", " ").rstrip(".")


def rooms(name: str, room: float) -> list[str]:
    """The layers within a folder that has a contract of its own: in one line if they fit, else a line for each."""
    layers = [", ".join(layer) for layer in layers_of(f"exegesis.{name}")]
    arrows = [layers[0], *(f"→ {layer}" for layer in layers[1:])] if layers else []
    whole = " ".join(arrows)
    if fonts.width(whole, SMALL) <= room:
        return [whole] if whole else []
    return [line for layer in arrows for line in fonts.lines(layer, room, SMALL)]


def folders() -> set[str]:
    """The folders of the package that hold code."""
    return {place.name for place in PACKAGE.iterdir() if (place / "__init__.py").is_file()}


def picture(dark: bool = False) -> str:
    """The picture as SVG. Raises ValueError if a folder has no layer."""
    layers, free = layers_of("exegesis"), plain()
    missing = folders() - {name for layer in layers for name in layer}
    if missing:
        raise ValueError(f"no layer of the import contract holds {', '.join(sorted(missing))}")
    around = ground(dark)
    drawing = Scene(WIDTH, title="The layers of Exegesis, from above", paper=around.paper)
    y = MARGIN
    for depth, layer in enumerate(layers):
        room = (WIDTH - 2 * MARGIN - SIDE - GAP * (len(layer) - 1)) / len(layer)
        cards = [_Card(name, room, name in free) for name in layer]
        height = max(card.height for card in cards)
        for number, card in enumerate(cards):
            x = MARGIN + SIDE + number * (room + GAP)
            card.draw(drawing, x, y, height, depth / (len(layers) - 1), dark)
        y += height + GAP
    _arrow(drawing, MARGIN + 6, MARGIN, y - GAP, around.muted)
    for line in fonts.lines(NOTE, WIDTH - 2 * MARGIN - SIDE, SMALL):
        y += LINE
        drawing.write(MARGIN + SIDE, y, line, SMALL, around.muted)
    drawing.height = y + MARGIN
    return svg.written(drawing).decode()


class _Card:
    """A folder: its name, its purpose, its rooms."""

    def __init__(self, name: str, width: float, free: bool) -> None:
        self.name, self.width, self.free = name, width, free
        inner = width - 2 * PAD - BAR
        self.lines = fonts.lines(purpose(name), inner, SMALL)
        self.rooms = rooms(name, inner)

    @property
    def height(self) -> float:
        return 2 * PAD + 10 + LINE * (len(self.lines) + len(self.rooms)) + (4 if self.rooms else 0)

    def draw(self, drawing: Scene, x: float, y: float, height: float, depth: float, dark: bool) -> None:
        """Draw the card; ``depth`` runs from 0 for the uppermost layer to 1."""
        around = ground(dark)
        tints = ("#1d2a36", "#20352e") if dark else ("#eaf1fa", "#e6f6ee")
        marks = ("#5b8fd6", "#37a57a") if dark else ("#3d78c7", "#1d9a6c")
        drawing.boxes.append(Box(x, y, self.width, height, blended(*tints, depth), radius=3))
        drawing.boxes.append(Box(x, y, BAR, height, blended(*marks, depth), radius=1.5))
        left, y = x + PAD + BAR, y + PAD + 8
        drawing.write(left, y, self.name, SIZE, around.ink, bold=True)
        if self.free:
            drawing.write(x + self.width - PAD, y, "never loads torch", SMALL, around.muted, anchor=1.0)
        y += 1
        for line in self.lines:
            y += LINE
            drawing.write(left, y, line, SMALL, around.muted)
        y += 4
        for line in self.rooms:
            y += LINE
            drawing.write(left, y, line, SMALL, around.ink)


def _arrow(drawing: Scene, x: float, top: float, bottom: float, colour: str) -> None:
    drawing.boxes.append(Box(x - 0.5, top, 1.0, bottom - top - 4, colour))
    head = "▼"
    drawing.write(x - fonts.width(head, SMALL) / 2, bottom, head, SMALL, colour)
