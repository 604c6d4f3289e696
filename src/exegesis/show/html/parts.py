"""Parts of documents as HTML, each written by the macro of its name in ``parts.html.j2``.

Every character of a text, a label or a name passes through autoescaping, in text and in attributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from rich.cells import cell_len

from exegesis.show import document as doc
from exegesis.show.html.style import templates
from exegesis.show.palette import Palette

if TYPE_CHECKING:
    from exegesis.show.figure.scene import Canvas

TABLE = 400  # rows of a folded table with gauges; of a longer one the largest
WORDS = 48  # of half a matrix
COLUMNS = 96  # of a line of text under a tree
DEEPEST = 48  # rows of a line whose scores can be read
Values = dict[str, Any]
Box = tuple[doc.Node | None, int, int, int, int]  # a phrase or a bare atom, its first and last row, its atoms
WIDE, NARROW = 9.0, 3.4  # inches of a chart as wide as the page, and of one that stands beside others ...
SLIM = 2.6  # ... or beside two others, with words under it


def drawn(part: doc.Part, palette: Palette) -> Markup:
    """A part as HTML: the macro of its name writes it, with what is worked out for it, and escapes every text."""
    pictured: dict[type, Callable[[Any, Palette], Values]] = {doc.Chart: _chart, doc.Alignment: _alignment}
    draw = pictured.get(type(part))
    values = draw(part, palette) if draw else VALUES.get(type(part), _nothing)(part)
    macro = getattr(templates().get_template("parts.html.j2").module, type(part).__name__.lower())
    return Markup(macro(part, **values))


def _nothing(part: doc.Part) -> Values:
    """The values of a part that its macro writes as it is."""
    return {}


def _tree(tree: doc.Tree) -> Values:
    """A line of text is a grid whose columns are its atoms, so a box is as wide as its words in any font."""
    widths = [cell_len(atom.text) + 1 for atom in tree.layout.atoms]
    lines = []
    for line in tree.layout.lines(widths, 0, COLUMNS):
        count, stack = tree.stacked(line)
        covered = {i for node, low, _ in stack if low == 0 for i in range(node.cell.start, node.cell.stop)}
        boxes: list[tuple[doc.Node | None, int, int, int, int]] = [
            (None, 0, 0, i, i + 1) for i in line if i not in covered
        ]
        for node, low, high in stack:
            boxes.append((node, low, high, max(node.cell.start, line.start), min(node.cell.stop, line.stop)))
        tall = min(1.5, max(1.2 if count <= DEEPEST else 0.0, 22 / count))
        rows = f"repeat({count - 1}, minmax({tall:.2f}em, auto)) auto" if count > 1 else "auto"
        boxes.sort(key=lambda box: (-box[1], box[3]))  # the words last, in reading order
        lines.append((line, count, rows, count > DEEPEST, boxes))
    return {"lines": lines}


def _matrix(matrix: doc.Matrix) -> Values:
    shortened, rest = matrix.shortened(WORDS)
    return {"shortened": shortened, "rest": rest}


def _table(table: doc.Table) -> Values:
    """The rows that are written; of a long folded table those of the largest gauges."""
    gauges = [[cell for cell in row if isinstance(cell, doc.Gauge)] for row in table.rows]
    places = list(range(len(table.rows)))
    if table.fold and len(places) > TABLE and all(gauges):
        sizes = [max(math.inf if math.isnan(gauge.share) else abs(gauge.share) for gauge in row) for row in gauges]
        places = sorted(sorted(places, key=lambda at: -sizes[at])[:TABLE])
    return {"places": places, "groups": dict(table.groups)}


def _chart(chart: doc.Chart, palette: Palette) -> Values:
    """The title and the note as HTML, the rest as the figure draws it."""
    from exegesis.show.figure import chart as charts  # with the fonts of matplotlib, which pages without charts spare

    bare = replace(chart, title="", note="", tag="")
    width = WIDE if not chart.beside else SLIM if chart.words else NARROW
    said = f"{chart.title}: {_spoken(chart)}"
    return {"picture": _picture(said, palette, width, lambda canvas: charts.drawn(bare, canvas, 0.0))}


def _picture(said: str, palette: Palette, width: float, draw: Callable[[Canvas], float]) -> Markup:
    """What a figure draws, inline, in the colours of light and of dark ground."""
    from exegesis.show.figure import svg
    from exegesis.show.figure.scene import blank

    scenes = []
    for dark in (False, True):
        canvas = blank(said, palette, dark, width)
        canvas.on.height = draw(canvas.column(0.0, canvas.on.width))
        scenes.append(canvas.on)
    return svg.inline(*scenes)


def _spoken(chart: doc.Chart) -> str:
    """The names of a chart's rows for screen readers."""
    what = "curves of " if chart.rows and isinstance(chart.rows[0], doc.Curve) else ""
    return what + ", ".join(row.name for row in chart.rows)


def _alignment(part: doc.Alignment, palette: Palette) -> Values:
    """The lines as the figure draws them, the title as HTML."""
    from exegesis.show.figure import alignment

    bare = replace(part, title="")
    said = f"{part.title or 'alignment'}: {'; '.join(map(part.spoken, reversed(part.links)))}"
    return {"picture": _picture(said, palette, WIDE, lambda canvas: alignment.drawn(bare, canvas, 0.0))}


VALUES: dict[type, Callable[[Any], Values]] = {doc.Tree: _tree, doc.Matrix: _matrix, doc.Table: _table}
