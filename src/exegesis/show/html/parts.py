"""Parts of documents as HTML, each written by the macro of its name in ``parts.html.j2``.

Every character of a text, a label or a name passes through autoescaping, in text and in attributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from markupsafe import Markup
from rich.cells import cell_len

from exegesis.show import document as doc
from exegesis.show.html.style import hue_class, paint_class, templates
from exegesis.show.palette import Palette

TABLE = 400  # rows of a folded table with gauges; of a longer one the largest
WORDS = 48  # of half a matrix
COLUMNS = 96  # of a line of text under a tree
DEEPEST = 48  # rows of a line whose scores can be read
Values = dict[str, Any]
WIDE, NARROW = 9.0, 3.4  # inches of a chart as wide as the page, and of one that stands beside others


def drawn(part: doc.Part, palette: Palette) -> Markup:
    """A part as HTML: the macro of its name writes it, with what is worked out for it, and escapes every text."""
    values = _chart(part, palette) if isinstance(part, doc.Chart) else VALUES.get(type(part), _nothing)(part)
    macro = getattr(templates().get_template("parts.html.j2").module, type(part).__name__.lower())
    return Markup(macro(part, **values))


def _nothing(part: doc.Part) -> Values:
    """The values of a part that its macro writes as it is."""
    return {}


# words in colour ----------------------------------------------------------------------------------------


def _passage(passage: doc.Passage) -> Values:
    return {"texts": partial(_texts, passage)}


def _texts(passage: doc.Passage, block: doc.Block, row: doc.Row) -> list[Values]:
    """A row, for each text of a pair."""
    owners, atoms, texts = passage.owners(row), passage.layout.atoms, []
    for part in range(passage.layout.parts):
        inside = [i for i, atom in enumerate(atoms) if atom.part == part]
        tag = f"text {part + 1}" if passage.layout.parts > 1 else ""
        texts.append({"tag": tag, "runs": _runs(passage, block, owners, range(inside[0], inside[-1] + 1))})
    return texts


def _runs(passage: doc.Passage, block: doc.Block, owners: Sequence[doc.Cell | None], line: range) -> list[Values]:
    """Cells, and atoms that no cell covers, in reading order."""
    runs, i = [], line.start
    while i < line.stop:
        cell = owners[i]
        stop = min(cell.stop, line.stop) if cell else i + 1
        run: Values = {"space": passage.layout.blank(line, i), "atoms": _joined(passage, i, stop), "paint": ""}
        if cell is not None:
            score = block.written(cell.score)
            told = abs(cell.share) >= doc.FAINT or math.isnan(cell.score)  # under its box; others at the pointer
            marks = " told" * told + " k" * cell.marked
            paint = f"{paint_class(cell.share, block.signed)}{marks}"
            run |= {
                "paint": paint,
                "score": score,
                "spoken": f"{passage.layout.surface(cell.start, cell.stop)}: {score}",
            }
        runs.append(run)
        i = stop
    return runs


def _joined(passage: doc.Passage, start: int, stop: int) -> list[Values]:
    """Atoms with the pieces of a long word joined again, since a browser breaks it itself."""
    joined: list[Values] = []
    for i in range(start, stop):
        atom = passage.layout.atoms[i]
        if atom.glued and joined:
            joined[-1]["text"] += atom.text
        else:
            joined.append({"space": atom.space and i > start, "text": atom.text})
    return joined


def _tree(tree: doc.Tree) -> Values:
    """A line of text is a grid whose columns are its atoms, so a box is as wide as its words in any font."""
    widths = [cell_len(atom.text) + 1 for atom in tree.layout.atoms]
    return {"lines": [_line(tree, line) for line in tree.layout.lines(widths, 0, COLUMNS)]}


def _line(tree: doc.Tree, line: range) -> Values:
    count, nodes = tree.stacked(line)
    boxes = [_box(tree, line, count, *entry) for entry in nodes]
    covered = {i for node, low, _ in nodes if low == 0 for i in range(node.cell.start, node.cell.stop)}
    boxes += [_bare(tree, line, count, i) for i in line if i not in covered]
    tall = min(1.5, max(1.2 if count <= DEEPEST else 0.0, 22 / count))
    return {
        "tag": f"text {tree.layout.atoms[line.start].part + 1}" if tree.layout.parts > 1 else "",
        "columns": len(line),
        "rows": f"repeat({count - 1}, minmax({tall:.2f}em, auto)) auto" if count > 1 else "auto",
        "deep": count > DEEPEST,
        "boxes": sorted(boxes, key=lambda box: (box["bottom"], box["left"])),  # the words last, in reading order
    }


def _box(tree: doc.Tree, line: range, count: int, node: doc.Node, low: int, high: int) -> Values:
    """A phrase's place in the grid of its line (rows and columns count from 1, the whole text's row first)."""
    start, stop = max(node.cell.start, line.start), min(node.cell.stop, line.stop)
    began = node.cell.start < line.start
    score, joint = tree.written(node.cell.score), tree.joint(node)
    return {
        "paint": paint_class(node.cell.share, tree.signed),
        "word": node.low == 0,
        "text": tree.layout.surface(start, stop) if node.low == 0 else f"… {score}" if began else score,
        "score": "" if began else score,
        "tip": f"{score} · interaction {joint}" if joint else score,
        "spoken": tree.spoken(node),
        "began": began,
        "goes": node.cell.stop > line.stop,
        "top": count - high,
        "bottom": count - low + 1,
        "left": start - line.start + 1,
        "right": stop - line.start + 1,
    }


def _bare(tree: doc.Tree, line: range, count: int, i: int) -> Values:
    """An atom that is not one of the model's words."""
    at, text = i - line.start + 1, tree.layout.atoms[i].text
    none = {"paint": "", "score": "", "tip": "", "spoken": text, "began": False, "goes": False}
    return {**none, "word": True, "text": text, "top": count, "bottom": count + 1, "left": at, "right": at + 1}


# numbers ------------------------------------------------------------------------------------------------


def _matrix(matrix: doc.Matrix) -> Values:
    shortened, rest = matrix.shortened(WORDS)
    return {"shortened": shortened, "rest": rest}


def _table(table: doc.Table) -> Values:
    gauges = [[cell for cell in row if isinstance(cell, doc.Gauge)] for row in table.rows]
    places = list(range(len(table.rows)))
    if table.fold and len(places) > TABLE and all(gauges):
        sizes = [max(math.inf if math.isnan(gauge.share) else abs(gauge.share) for gauge in row) for row in gauges]
        places = sorted(sorted(places, key=lambda at: -sizes[at])[:TABLE])
    groups = dict(table.groups)
    rows = [
        {
            "group": groups.get(at, ""),
            "hue": hue_class(table.hues[at]) if table.hues else "",
            "cells": [_cell(*pair, bool(table.fold)) for pair in zip(table.rows[at], table.columns, strict=True)],
        }
        for at in places
    ]
    return {"rows": rows, "rest": len(table.rows) - len(places)}


def _cell(cell: str | doc.Gauge, column: doc.Column, folded: bool) -> Values:
    if isinstance(cell, str) or folded or math.isnan(cell.share):
        return {"text": cell.text if isinstance(cell, doc.Gauge) else cell, "words": column.words, "bar": None}
    half = 50 * abs(cell.share)
    left, wide = ((50 - half if cell.share < 0 else 50), half) if cell.signed else (0, 100 * abs(cell.share))
    paint = paint_class(cell.share, cell.signed)
    bar = {"left": round(left, 1), "wide": round(wide, 1), "paint": paint}
    return {"text": cell.text, "words": column.words, "bar": bar}


def _chart(chart: doc.Chart, palette: Palette) -> Values:
    """The title and the note as HTML, the rest as the figure draws it."""
    from exegesis.show.figure import chart as charts  # with the fonts of matplotlib, which pages without charts spare
    from exegesis.show.figure import svg
    from exegesis.show.figure.scene import blank

    bare = replace(chart, title="", note="", tag="")
    width = NARROW if chart.beside else WIDE
    scenes = []
    for dark in (False, True):
        canvas = blank(f"{chart.title}: {_spoken(chart)}", palette, dark, width)
        canvas.on.height = charts.drawn(bare, canvas.column(0.0, canvas.on.width), 0.0)
        scenes.append(canvas.on)
    return {"picture": svg.inline(*scenes)}


def _spoken(chart: doc.Chart) -> str:
    """The names of a chart's rows for screen readers."""
    what = "curves of " if chart.rows and isinstance(chart.rows[0], doc.Curve) else ""
    return what + ", ".join(row.name for row in chart.rows)


VALUES: dict[type, Callable[[Any], Values]] = {
    doc.Passage: _passage,
    doc.Tree: _tree,
    doc.Matrix: _matrix,
    doc.Table: _table,
}
