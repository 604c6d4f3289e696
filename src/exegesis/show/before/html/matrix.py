"""Interactions as HTML: a fragment for notebooks and a page that needs nothing else. Imports no torch.

As in ``html``: everything is escaped, there is no script, switches are check boxes, colours follow the reader's system.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exegesis.results.interactions import Interactions
from exegesis.results.result import each
from exegesis.show.before.html.page import TABLE, framed, heading, paint_class, short, whole_page
from exegesis.show.documents.header import header, scales
from exegesis.show.documents.interactions import PLACE, grid, notes, shown, strongest
from exegesis.show.palette import Palette
from exegesis.show.wording import MINUS

MOST = 48  # words of a text


def fragment(results: Interactions | Sequence[Interactions], *, palette: str | Palette = "green-red") -> str:
    """Interactions as one ``<div>`` with its own style, for a notebook or another page."""
    return framed("matrix.html.j2", palette, "matrix.css.j2", grids=[_grid(result) for result in each(results)])


def page(results: Interactions | Sequence[Interactions], *, title: str = "", **options: Any) -> str:
    """Interactions as a whole page that loads nothing from elsewhere; ``title`` and options as of ``html.page``."""
    return whole_page(heading(each(results), title, "interactions in {results} texts"), fragment(results, **options))


def _grid(result: Interactions) -> dict[str, Any]:
    drawn = grid(result, MOST)
    count = len(drawn.kept)
    pairs = strongest(result, TABLE + 1)
    return {
        "title": short(" ".join(shown(word) for word in result.words[:40])),
        "facts": list(header(drawn.panel, MINUS).items()),
        "rows": [
            {
                "word": word,
                "cells": [
                    (paint_class(drawn.share(row, at), True), drawn.cell(row, at, MINUS), drawn.spoken(at, row, MINUS))
                    for at in range(row)
                ],
                "rest": count - row + 6,
            }
            for row, word in enumerate(drawn.words)
        ],
        "columns": count + 6,
        "scale": scales(drawn.panel, MINUS),
        "sentences": notes(drawn, MINUS, more=[PLACE]),
        "table": [(shown(p.first), shown(p.second), drawn.score(p.strength, MINUS)) for p in pairs[:TABLE]],
        "rest": len(pairs) > TABLE,
    }
