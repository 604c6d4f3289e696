"""Interactions as HTML: a fragment for notebooks and a page that needs nothing else. Imports no torch.

As in ``html``: everything is escaped, there is no script, switches are check boxes, colours follow the reader's system.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from markupsafe import Markup

from exegesis.core.pairs import Interactions
from exegesis.show.html import TABLE, paint_class, short, styled, templates, whole_page
from exegesis.show.matrix import PLACE, grid, notes, shown, strongest
from exegesis.show.notes import header, scales
from exegesis.show.palette import DARK, LIGHT, PALETTES, Palette, palette_named
from exegesis.show.wording import MINUS

MOST = 48  # words of a text


def fragment(results: Interactions | Sequence[Interactions], *, palette: str | Palette = "green-red") -> str:
    """Interactions as one ``<div>`` with its own style, for a notebook or another page."""
    chosen = palette_named(palette)
    other = next(p for p in (*PALETTES.values(), chosen) if p.name != chosen.name)
    root, style = _style(chosen, other)
    several = [results] if isinstance(results, Interactions) else list(results)
    return templates().get_template("matrix.html.j2").render(
        root=root,
        style=style,
        other=other.title,
        signs=[paint_class(k / 6, True) for k in range(-6, 7)],
        grids=[_grid(result) for result in several],
    )  # fmt: skip


def page(
    results: Interactions | Sequence[Interactions], *, title: str = "", palette: str | Palette = "green-red"
) -> str:
    """Interactions as a whole page that loads nothing from elsewhere; ``title`` is the text itself unless given."""
    several = [results] if isinstance(results, Interactions) else list(results)
    texts = list(dict.fromkeys(result.text.raw for result in several))
    named = title or (short(texts[0]) if len(texts) == 1 else f"interactions in {len(several)} texts")
    return whole_page(named, fragment(several, palette=palette))


@lru_cache(maxsize=8)
def _style(chosen: Palette, other: Palette) -> tuple[str, Markup]:
    """The shared style with what is added for cells, under a class named after both."""
    template = templates().get_template("matrix.css.j2")
    named = styled(chosen, other, "") + template.render(root="", light=LIGHT, dark=DARK)
    root = f"exegesis-{hashlib.sha256(named.encode()).hexdigest()[:8]}"
    more = template.render(root=root, light=LIGHT, dark=DARK)
    return root, Markup(styled(chosen, other, root) + more)  # made of constants alone


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
