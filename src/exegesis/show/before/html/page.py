"""What HTML views share: the style of a fragment, and the page around it. Imports no torch.

Every character of a text, a label or a name passes through autoescaping, in text and in attributes. A fragment has no
identifiers and no script, and its style names only its own class, so any number of them share a page. Both switches
(numbers, the other palette) are check boxes that the style reads. Dark and light follow the reader's system, or the
notebook's theme.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from exegesis.core.text import Text
from exegesis.show.palette import DARK, LIGHT, PALETTES, Palette, palette_named
from exegesis.show.wording import visible

STEPS = 12  # of colour on each side of zero
TABLE = 400  # lines of a table of scores; beyond, the strongest
Paints = list[tuple[str, Any, Any]]


class OfText(Protocol):
    """A result of one text."""

    @property
    def text(self) -> Text: ...


@lru_cache(maxsize=1)
def templates() -> Environment:
    return Environment(loader=PackageLoader("exegesis.show.before"), autoescape=True, undefined=StrictUndefined)


def framed(name: str, palette: str | Palette, more: str = "", **values: Any) -> str:
    """A template with its style, and what is drawn beside it: the colour scale, the switch to the other palette.

    ``more`` is a template of style that is added to what all share.
    """
    chosen = palette_named(palette)
    other = next(p for p in (*PALETTES.values(), chosen) if p.name != chosen.name)
    root, style = _style(chosen, other, more)
    signs, sizes = [paint_class(k / 6, True) for k in range(-6, 7)], [paint_class(k / 6, False) for k in range(7)]
    template = templates().get_template(name)
    return template.render(root=root, style=style, other=other.title, signs=signs, sizes=sizes, **values)


def whole_page(title: str, inner: str, otherwise: str = "Explanation") -> str:
    """A page around a fragment, which is escaped already."""
    return templates().get_template("page.html.j2").render(
        title=visible(title.strip()) or otherwise, fragment=Markup(inner), light=LIGHT, dark=DARK
    )  # fmt: skip


def heading(results: Sequence[OfText], title: str, several: str) -> str:
    """A page's title: the text itself unless given, or how many ``{texts}`` or ``{results}`` there are."""
    texts = list(dict.fromkeys(result.text.raw for result in results))
    return title or (short(texts[0]) if len(texts) == 1 else several.format(texts=len(texts), results=len(results)))


def short(text: str, longest: int = 120) -> str:
    text = visible(" ".join(text[: 4 * longest].split()))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def paints(palette: Palette) -> Paints:
    """For each class of cell its colours on light and on dark ground: z for none, p for, q against, m sizes."""
    found: Paints = [("z", palette.paint(0.0), palette.paint(0.0, dark=True))]
    for letter, sign, signs in (("p", 1, True), ("q", -1, True), ("m", 1, False)):
        for step in range(1, STEPS + 1):
            share = sign * step / STEPS
            lit, dim = palette.paint(share, signed=signs), palette.paint(share, dark=True, signed=signs)
            found.append((f"{letter}{step}", lit, dim))
    return found


def paint_class(share: float, signs: bool) -> str:
    step = round(abs(share) * STEPS)
    return f"{'m' if not signs else 'p' if share > 0 else 'q'}{step}" if step else "z"


@lru_cache(maxsize=8)
def _style(chosen: Palette, other: Palette, more: str) -> tuple[str, Markup]:
    """The root's class, named after the style so that two versions on one page keep apart, and the style."""

    def written(root: str) -> str:
        values = {"root": root, "light": LIGHT, "dark": DARK}
        style = templates().get_template("style.css.j2").render(palettes=[paints(chosen), paints(other)], **values)
        return style + (templates().get_template(more).render(**values) if more else "")

    root = f"exegesis-{hashlib.sha256(written('').encode()).hexdigest()[:8]}"
    return root, Markup(written(root))  # made of constants alone
