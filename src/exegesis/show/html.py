"""Results as HTML: a fragment for notebooks and a page that needs nothing else. Imports no torch.

Every character of a text, a label or a name passes through autoescaping, in text and in attributes. A fragment has no
identifiers and no script, and its style names only its own class, so any number of them share a page. Both switches
(numbers under the words, the other palette) are check boxes that the style reads. Dark and light follow the reader's
system, or the notebook's theme.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from exegesis.core.explanation import Attribution
from exegesis.show.bars import FAINT
from exegesis.show.layout import Block, Cell, Panel, Row, Scale, panels
from exegesis.show.notes import header, notes, scales, spoken
from exegesis.show.palette import DARK, LIGHT, PALETTES, Palette, palette_named
from exegesis.show.wording import MINUS, signed, visible

STEPS = 12  # of colour on each side of zero
TABLE = 400  # lines of the table of scores; beyond, the strongest
Paints = list[tuple[str, Any, Any]]


def fragment(
    results: Attribution | Sequence[Attribution], *, palette: str | Palette = "green-red", scale: Scale | None = None
) -> str:
    """Results as one ``<div>`` with its own style, for a notebook or another page."""
    chosen = palette_named(palette)
    other = next(p for p in (*PALETTES.values(), chosen) if p.name != chosen.name)
    root, style = _style(chosen, other)
    signs = [paint_class(k / 6, True) for k in range(-6, 7)]
    return templates().get_template("fragment.html.j2").render(
        root=root,
        style=style,
        other=other.title,
        signs=signs,
        sizes=[paint_class(k / 6, False) for k in range(7)],
        panels=[_panel(panel) for panel in panels(results, scale)],
    )  # fmt: skip


def page(
    results: Attribution | Sequence[Attribution],
    *,
    title: str = "",
    palette: str | Palette = "green-red",
    scale: Scale | None = None,
) -> str:
    """Results as a whole page that loads nothing from elsewhere; ``title`` is the text itself unless given."""
    several = [results] if isinstance(results, Attribution) else list(results)
    texts = list(dict.fromkeys(result.text.raw for result in several))
    named = title or (short(texts[0]) if len(texts) == 1 else f"{len(texts)} explanations")
    return whole_page(named, fragment(several, palette=palette, scale=scale))


def whole_page(title: str, inner: str) -> str:
    """A page around a fragment, which is escaped already."""
    return templates().get_template("page.html.j2").render(
        title=visible(title.strip()) or "Explanation", fragment=Markup(inner), light=LIGHT, dark=DARK
    )  # fmt: skip


@lru_cache(maxsize=1)
def templates() -> Environment:
    return Environment(loader=PackageLoader("exegesis.show"), autoescape=True, undefined=StrictUndefined)


@lru_cache(maxsize=8)
def _style(chosen: Palette, other: Palette) -> tuple[str, Markup]:
    """The root's class, named after the style so that two versions on one page keep apart, and the style."""
    root = f"exegesis-{hashlib.sha256(styled(chosen, other, '').encode()).hexdigest()[:8]}"
    return root, Markup(styled(chosen, other, root))  # made of constants alone


def styled(chosen: Palette, other: Palette, root: str) -> str:
    """The style, every selector under the class ``root``."""
    values = {"palettes": [_paints(chosen), _paints(other)], "light": LIGHT, "dark": DARK}
    return templates().get_template("style.css.j2").render(root=root, **values)


def _paints(palette: Palette) -> Paints:
    """For each class of cell its colours on light and on dark ground: p for, q against, m sizes."""
    paints: Paints = [("z", palette.paint(0.0), palette.paint(0.0, dark=True))]
    for letter, sign, signs in (("p", 1, True), ("q", -1, True), ("m", 1, False)):
        for step in range(1, STEPS + 1):
            share = sign * step / STEPS
            lit, dim = palette.paint(share, signed=signs), palette.paint(share, dark=True, signed=signs)
            paints.append((f"{letter}{step}", lit, dim))
    return paints


def paint_class(share: float, signs: bool) -> str:
    step = round(abs(share) * STEPS)
    return f"{'m' if not signs else 'p' if share > 0 else 'q'}{step}" if step else "z"


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


def short(text: str, longest: int = 120) -> str:
    text = visible(" ".join(text[: 4 * longest].split()))
    return text if len(text) <= longest else text[: longest - 1] + "…"
