"""Parts of documents as HTML: one function for each, whose values a macro of ``parts.html.j2`` writes.

Every character of a text, a label or a name passes through autoescaping, in text and in attributes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup
from rich.cells import cell_len

from exegesis.show import document as doc
from exegesis.show.html.style import paint_class, templates
from exegesis.show.palette import HUES, Palette

TABLE = 400  # rows of a folded table with gauges; of a longer one the largest
WORDS = 48  # of half a matrix
COLUMNS = 96  # of a line of text under a tree
DEEPEST = 48  # rows of a line whose scores can be read
WIDE, NARROW = 9.0, 3.4  # inches of a chart as wide as the page, and of one that stands beside others


def drawn(part: doc.Part, palette: Palette) -> Markup:
    """A part as HTML."""
    match part:
        case doc.Facts():
            return _written("facts", items=part.items)
        case doc.Prose():
            return _written("prose", text=part.text, tone=part.tone)
        case doc.Heading():
            return _written("heading", text=part.text, level=part.level)
        case doc.Passage():
            return _passage(part)
        case doc.Tree():
            return _tree(part)
        case doc.Matrix():
            return _half(part) if part.half else _square(part)
        case doc.Table():
            return _table(part)
        case doc.Chart():
            return _chart(part, palette)
        case doc.Legend():
            return _legend(part)


def _written(macro: str, **values: Any) -> Markup:
    """The HTML that a macro writes of its values, escaped by it."""
    return Markup(getattr(templates().get_template("parts.html.j2").module, macro)(**values))


def hue_class(number: int | None) -> str:
    """The class of a categorical colour."""
    return "hk" if number is None else f"h{number % len(HUES)}"


# words in colour ----------------------------------------------------------------------------------------


def _passage(passage: doc.Passage) -> Markup:
    empty = not passage.layout.atoms
    rows = [] if empty else [_row(passage, block, row) for block in passage.blocks for row in block.rows]
    return _written("passage", caption=passage.caption, rtl=passage.layout.rtl, rows=rows, empty=empty)


def _row(passage: doc.Passage, block: doc.Block, row: doc.Row) -> dict[str, Any]:
    several, tall = len(passage.blocks) > 1, len(block.rows) > 1
    owners = passage.owners(row)
    parts = []
    for part in range(passage.layout.parts):
        inside = [i for i, atom in enumerate(passage.layout.atoms) if atom.part == part]
        tag = f"text {part + 1}" if passage.layout.parts > 1 else ""
        parts.append({"tag": tag, "runs": _runs(passage, block, owners, range(inside[0], inside[-1] + 1))})
    return {
        "heading": block.label if several and tall and row is block.rows[0] else "",
        "strong": several and not tall,
        "name": passage.name(block, row),
        "note": block.note,
        "spoken": passage.spoken(block, row),
        "boxes": not row.fine,
        "parts": parts,
    }


def _runs(
    passage: doc.Passage, block: doc.Block, owners: Sequence[doc.Cell | None], line: range
) -> list[dict[str, Any]]:
    """Cells, and atoms that no cell covers, in reading order."""
    runs, i = [], line.start
    while i < line.stop:
        cell = owners[i]
        stop = min(cell.stop, line.stop) if cell else i + 1
        run: dict[str, Any] = {"space": passage.layout.blank(line, i), "atoms": _joined(passage, i, stop), "paint": ""}
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


def _joined(passage: doc.Passage, start: int, stop: int) -> list[dict[str, Any]]:
    """Atoms with the pieces of a long word joined again, since a browser breaks it itself."""
    joined: list[dict[str, Any]] = []
    for i in range(start, stop):
        atom = passage.layout.atoms[i]
        if atom.glued and joined:
            joined[-1]["text"] += atom.text
        else:
            joined.append({"space": atom.space and i > start, "text": atom.text})
    return joined


def _tree(tree: doc.Tree) -> Markup:
    """A line of text is a grid whose columns are its atoms, so a box is as wide as its words in any font."""
    widths = [cell_len(atom.text) + 1 for atom in tree.layout.atoms]
    lines = [_line(tree, line) for line in tree.layout.lines(widths, 0, COLUMNS)]
    return _written("tree", lines=lines, rtl=tree.layout.rtl)


def _line(tree: doc.Tree, line: range) -> dict[str, Any]:
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


def _box(tree: doc.Tree, line: range, count: int, node: doc.Node, low: int, high: int) -> dict[str, Any]:
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


def _bare(tree: doc.Tree, line: range, count: int, i: int) -> dict[str, Any]:
    """An atom that is not one of the model's words."""
    at, text = i - line.start + 1, tree.layout.atoms[i].text
    none = {"paint": "", "score": "", "tip": "", "spoken": text, "began": False, "goes": False}
    return {**none, "word": True, "text": text, "top": count, "bottom": count + 1, "left": at, "right": at + 1}


# numbers ------------------------------------------------------------------------------------------------


def _half(matrix: doc.Matrix) -> Markup:
    kept, said = matrix.shortened(WORDS)
    count = len(kept.down)
    rows = [
        {
            "word": word,
            "cells": [(_tint(kept, row, at), kept.written(row, at), kept.spoken(row, at)) for at in range(row)],
            "rest": count - row + 6,
        }
        for row, word in enumerate(kept.down)
    ]
    return _written("half", title=matrix.title, rows=rows, said=said)


def _square(matrix: doc.Matrix) -> Markup:
    rows = [
        {
            "name": name,
            "cells": [
                (_tint(matrix, row, at), matrix.written(row, at), round(100 * abs(matrix.share(row, at))))
                for at in range(len(matrix.across))
            ],
        }
        for row, name in enumerate(matrix.down)
    ]
    always = matrix.digits is not None
    return _written("square", title=matrix.title, across=matrix.across, rows=rows, always=always)


def _tint(matrix: doc.Matrix, row: int, column: int) -> str:
    """The class of a cell's colour."""
    if matrix.hue is not None:
        return f"tint {hue_class(matrix.hue)}"
    return paint_class(matrix.share(row, column), matrix.signed)


def _table(table: doc.Table) -> Markup:
    gauges = [[cell for cell in row if isinstance(cell, doc.Gauge)] for row in table.rows]
    kept = list(range(len(table.rows)))
    if table.fold and len(kept) > TABLE and all(gauges):
        sizes = [max(math.inf if math.isnan(gauge.share) else abs(gauge.share) for gauge in row) for row in gauges]
        kept = sorted(sorted(kept, key=lambda at: -sizes[at])[:TABLE])
    groups = dict(table.groups)
    rows = [
        {
            "group": groups.get(at, ""),
            "hue": hue_class(table.hues[at]) if table.hues else "",
            "cells": [_cell(cell, column.words, bool(table.fold)) for cell, column in
                      zip(table.rows[at], table.columns, strict=True)],
        }
        for at in kept
    ]  # fmt: skip
    rest = len(table.rows) - len(kept)
    return _written("table", columns=table.columns, rows=rows, rest=rest, said=table.rest)


def _cell(cell: str | doc.Gauge, words: bool, folded: bool) -> dict[str, Any]:
    if isinstance(cell, str) or folded or math.isnan(cell.share):
        return {"text": cell.text if isinstance(cell, doc.Gauge) else cell, "words": words, "bar": None}
    half = 50 * abs(cell.share)
    left, wide = ((50 - half if cell.share < 0 else 50), half) if cell.signed else (0, 100 * abs(cell.share))
    paint = paint_class(cell.share, cell.signed)
    return {"text": cell.text, "words": words, "bar": {"left": round(left, 1), "wide": round(wide, 1), "paint": paint}}


def _chart(chart: doc.Chart, palette: Palette) -> Markup:
    """The title and the note as HTML, the rest as the figure draws it."""
    from exegesis.show.figure import chart as charts  # with the fonts of matplotlib, which pages without charts spare
    from exegesis.show.figure import svg
    from exegesis.show.figure.canvas import FigureOptions, blank

    bare = replace(chart, title="", note="", tag="")
    width = NARROW if charts.beside(chart) else WIDE
    scenes = []
    for dark in (False, True):
        canvas = blank(FigureOptions(palette, dark, width), f"{chart.title}: {_spoken(chart)}")
        canvas = canvas.column(0.0, canvas.on.width)
        scenes.append(charts.picture(bare, canvas))
    picture = svg.inline(*scenes)
    return _written("chart", title=chart.title, tag=chart.tag, note=chart.note, picture=picture)


def _spoken(chart: doc.Chart) -> str:
    """The names of a chart's rows for screen readers."""
    what = "curves of " if chart.rows and isinstance(chart.rows[0], doc.Curve) else ""
    return what + ", ".join(row.name for row in chart.rows)


# what stands under a picture ----------------------------------------------------------------------------


def _legend(legend: doc.Legend) -> Markup:
    ramps = {
        "signs": [paint_class(k / 6, True) for k in range(-6, 7)],
        "sizes": [paint_class(k / 6, False) for k in range(7)],
    }
    keys = [(key.name, hue_class(key.hue), key.dash) for key in legend.keys]
    named = any(note.name for note in legend.notes)
    return _written("legend", scale=legend.scale, notes=legend.notes, keys=keys, named=named, **ramps)
