"""Words as HTML: a fragment for notebooks and a page that needs nothing else. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from exegesis.results.attribution import Attribution
from exegesis.results.result import each
from exegesis.show.before.html.page import TABLE, framed, heading, paint_class, short, whole_page
from exegesis.show.documents.attribution import Block, Cell, Panel, Row, Scale, panels
from exegesis.show.documents.header import header, notes, scales, spoken
from exegesis.show.palette import Palette
from exegesis.show.terminal.bars import FAINT
from exegesis.show.wording import MINUS, signed


def fragment(
    results: Attribution | Sequence[Attribution], *, palette: str | Palette = "green-red", scale: Scale | None = None
) -> str:
    """Results as one ``<div>`` with its own style, for a notebook or another page."""
    return framed("fragment.html.j2", palette, panels=[_panel(panel) for panel in panels(results, scale)])


def page(results: Attribution | Sequence[Attribution], *, title: str = "", **options: Any) -> str:
    """Results as a whole page that loads nothing from elsewhere; ``title`` is the text itself unless given, other
    options are those of ``fragment``."""
    return whole_page(heading(each(results), title, "{texts} explanations"), fragment(results, **options))


# values for the templates -------------------------------------------------------------------------------


def _panel(panel: Panel) -> dict[str, Any]:
    known = notes(panel, MINUS)
    rows = [_row(panel, block, row) for block in panel.blocks for row in block.rows] if panel.atoms else []
    return {
        "title": short(" ".join(atom.text for atom in panel.atoms[:40])),
        "facts": [(name, text) for name, text in header(panel, MINUS).items()],
        "rows": rows,
        "rtl": panel.rtl,
        "scale": scales(panel, MINUS),
        "sentences": [text for name, text in known if not name],
        "equations": [(name, text) for name, text in known if name],
        "tables": [_table(panel, block, row) for block in panel.blocks for row in block.rows],
    }


def _row(panel: Panel, block: Block, row: Row) -> dict[str, Any]:
    several, tall = len(panel.blocks) > 1, len(block.rows) > 1
    first = row is block.rows[0]
    return {
        "heading": block.label if several and tall and first else "",
        "strong": several and not tall,
        "name": block.label if several and not tall else row.level,
        "note": block.note,
        "spoken": spoken(panel, block, row.level),
        "boxes": not panel.fine(row),
        "parts": [_part(panel, block, row, part) for part in range(panel.parts)],
    }


def _part(panel: Panel, block: Block, row: Row, part: int) -> dict[str, Any]:
    inside = [i for i, atom in enumerate(panel.atoms) if atom.part == part]
    line = range(inside[0], inside[-1] + 1) if inside else range(0)
    tag = f"text {part + 1}" if panel.parts > 1 else ""
    return {"tag": tag, "runs": _runs(panel, block, row, line)}


def _runs(panel: Panel, block: Block, row: Row, line: range) -> list[dict[str, Any]]:
    """Cells, and atoms that no cell covers, in reading order."""
    owners = panel.owners(row)
    runs, i = [], line.start
    while i < line.stop:
        cell = owners[i]
        stop = min(cell.stop, line.stop) if cell else i + 1
        run: dict[str, Any] = {
            "space": panel.atoms[i].space and i > line.start,
            "atoms": _merged(panel, i, stop),
            "paint": "",
        }
        if cell is not None:
            run |= _cell(panel, block, cell)
        runs.append(run)
        i = stop
    return runs


def _cell(panel: Panel, block: Block, cell: Cell) -> dict[str, Any]:
    score, text = _score(block, cell.score), panel.surface(cell)
    return {
        "paint": paint_class(cell.share, block.signed),
        "score": score,
        "spoken": f"{text}: {score}",
        "told": abs(cell.share) >= FAINT or math.isnan(cell.score),  # under its box; others at the pointer
    }


def _merged(panel: Panel, start: int, stop: int) -> list[dict[str, Any]]:
    """Atoms as drawn here: the pieces of a long word joined again, since a browser breaks it itself."""
    merged: list[dict[str, Any]] = []
    for i in range(start, stop):
        atom = panel.atoms[i]
        if atom.glued and merged:
            merged[-1]["text"] += atom.text
        else:
            merged.append({"space": atom.space and i > start, "text": atom.text})
    return merged


def _table(panel: Panel, block: Block, row: Row) -> dict[str, Any]:
    lines = [(panel.surface(cell), cell.score) for cell in row.cells] + list(row.outside)
    kept = range(len(lines))
    if len(lines) > TABLE:
        size = [math.inf if math.isnan(score) else abs(score) for _, score in lines]
        kept = sorted(sorted(kept, key=lambda i: -size[i])[:TABLE])  # type: ignore[assignment]
    return {
        "name": spoken(panel, block, row.level),
        "lines": [(lines[i][0], _score(block, lines[i][1])) for i in kept],
        "rest": max(0, len(lines) - TABLE),
    }


def _score(block: Block, score: float) -> str:
    return signed(score, block.limit, minus=MINUS, sign=block.signed)
