"""Studies as pictures (their charts) and as an HTML page that needs nothing else. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from exegesis.core.errors import UsageError
from exegesis.results.result import each
from exegesis.results.study import Study
from exegesis.show.before.figure import svg as writer
from exegesis.show.before.figure.chart import stacked
from exegesis.show.before.figure.scene import Scene
from exegesis.show.before.html.page import paint_class, paints, templates
from exegesis.show.documents.study import sheet
from exegesis.show.palette import DARK, LIGHT, Palette, palette_named
from exegesis.show.sheet import Bars, Boxes, Grid, Heading, Marked, Part, Prose
from exegesis.show.wording import MINUS, signed, visible


def scene(studies: Study | Sequence[Study], **options: Any) -> Scene:
    """All charts under each other; of several studies each under the name of its model and method.

    ``palette``, ``dark``, ``width`` in inches. Raises UsageError where a study has no chart.
    """
    every, found = each(studies), list[Boxes | Bars]()
    for study in every:
        known = sheet(study)
        named = " · ".join(value for name, value in known.facts if name in ("model", "method"))
        for part in known.parts:
            if isinstance(part, Boxes | Bars):
                title = f"{named}: {part.title}" if len(every) > 1 and named else part.title
                found.append(replace(part, title=title))
    if not found:
        raise UsageError("this study has no picture; save it as .html, .txt or .json")
    return stacked(found, **options)


def page(studies: Sequence[Study], *, title: str = "", palette: str | Palette = "green-red") -> str:
    """Studies as one page, light and dark, without script."""
    inner = Markup("").join(_fragment(study, palette) for study in studies)
    heads = [sheet(study).title for study in studies]
    named = title or (heads[0] if len(heads) == 1 else "What the model has learned")
    return templates().get_template("study_page.html.j2").render(
        title=visible(named), fragment=inner, light=LIGHT, dark=DARK
    )  # fmt: skip


def fragment(studies: Sequence[Study], *, palette: str | Palette = "green-red") -> str:
    """The same without the page around it, for notebooks."""
    return Markup("").join(_fragment(study, palette) for study in studies)


def _fragment(study: Study, palette: str | Palette) -> Markup:
    known, chosen = sheet(study), palette_named(palette)
    parts = [_part(part, chosen) for part in known.parts]
    template = templates().get_template("study.html.j2")
    return Markup(template.render(
        title=known.title, facts=known.facts, parts=parts, paints=paints(chosen)[1:], light=LIGHT, dark=DARK
    ))  # fmt: skip # autoescaped already


def _part(part: Part, palette: Palette) -> dict[str, Any]:
    if isinstance(part, Prose):
        return {"kind": "prose", "text": part.text, "muted": part.muted}
    if isinstance(part, Heading):
        return {"kind": "heading", "text": part.text}
    if isinstance(part, Grid):
        return {"kind": "grid", "columns": part.columns, "rows": part.rows, "left": part.left}
    if isinstance(part, Boxes | Bars):
        return {"kind": "picture", "light": _inline(part, palette, False), "dark": _inline(part, palette, True)}
    return {"kind": "marked", "texts": [_text(caption, shown, part) for caption, shown in part.texts]}


def _inline(chart: Boxes | Bars, palette: Palette, dark: bool) -> Markup:
    """A picture inside a page: as wide as the page, its declaration left out."""
    text = writer.written(stacked([chart], palette=palette, dark=dark, width=9.0)).partition("\n")[2]
    return Markup(re.sub(r'width="[^"]*" height="[^"]*" viewBox', "viewBox", text, count=1))  # escaped by its writer


def _text(caption: str, shown: Any, marked: Marked) -> dict[str, Any]:
    words = []
    for word in shown.words:
        share = 0.0 if word.score != word.score else word.score / marked.limit
        paint = paint_class(max(-1.0, min(1.0, share)), marked.signed).replace("z", "")  # none has the page's ground
        score = signed(word.score, marked.limit, minus=MINUS, sign=marked.signed)
        words.append({"text": visible(word.text), "paint": paint, "score": score, "marked": word.marked})
    return {"caption": caption, "words": words}
