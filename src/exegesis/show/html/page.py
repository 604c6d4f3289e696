"""Documents as HTML: a fragment for notebooks, and a page that needs nothing else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from typing import get_args

from markupsafe import Markup

from exegesis.show.document import Alignment, Bar, Box, Chart, Document, Heading, Matrix, Part, Passage, Table, Tree
from exegesis.show.environment import source
from exegesis.show.html.parts import drawn
from exegesis.show.html.style import styled, templates
from exegesis.show.palette import DARK, LIGHT, PALETTES, Palette, palette_named
from exegesis.show.wording import visible

MANY = 10  # sections from which on a page can be searched
KINDS = frozenset(kind.__name__.lower() for kind in get_args(Part))


def page(document: Document, *, palette: str | Palette = "green-red", title: str = "") -> str:
    """A whole page, light and dark, that loads nothing from elsewhere; ``title`` replaces the document's.

    A page of many sections has a field to find some by their words and a choice to sort them, which need a script: its
    hash in the page's policy lets this one run and no other. Other pages have none.
    """
    first = document.sections[0].parts[:1] if document.sections else ()
    headed = bool(first) and isinstance(first[0], Heading) and first[0].level == 1 and not title
    title = visible((title or document.title).strip()) or document.kind
    inner = Markup(fragment(document, palette=palette))  # escaped by its templates
    template = templates().get_template("page.html.j2")
    many, script = len(document.sections) >= MANY, Markup(source("find.js").strip())  # ours, no user's text in it
    allowed = f" script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}';" if many else ""
    return template.render(
        title=title, headed=headed, fragment=inner, light=LIGHT, dark=DARK, many=many, script=script,
        allowed=Markup(allowed), keys=_keys(document), count=len(document.sections),
    )  # fmt: skip


def _keys(document: Document) -> list[str]:
    """The names of the numbers by which all sections can be sorted."""
    named = [[name for name, _ in section.keys] for section in document.sections]
    return [name for name in named[0] if all(name in names for names in named)] if named else []


def fragment(document: Document, *, palette: str | Palette = "green-red") -> str:
    """A document as one ``<div>`` with its own style, for a notebook or another page."""
    kinds = frozenset(type(part).__name__.lower() for section in document.sections for part in section.parts)
    return _fragment(document, palette_named(palette), kinds, own=True)


def inserted(document: Document, palette: str | Palette = "green-red") -> str:
    """A document as one ``<div>`` for a page that has the ``stylesheet`` of the palette.

    What would be style attributes, which the policy of such a page forbids, are ``data-style``: its script sets them.
    """
    return _fragment(document, palette_named(palette), KINDS, own=False).replace(' style="', ' data-style="')


def stylesheet(palette: str | Palette = "green-red") -> str:
    """The style of ``inserted`` documents, for a page's own ``.css`` file."""
    chosen = palette_named(palette)
    return str(styled(chosen, _second(chosen), KINDS)[1])


def _fragment(document: Document, chosen: Palette, kinds: frozenset[str], own: bool) -> str:
    second = _second(chosen)
    root, style = styled(chosen, second, kinds)
    parts = [part for section in document.sections for part in section.parts]
    sections = [
        (section.title, section.keys, Markup("").join(_groups(section.parts, chosen))) for section in document.sections
    ]
    return templates().get_template("fragment.html.j2").render(
        root=root, style=style if own else "", kind=document.kind, sections=sections, other=second.title,
        numbers=_numbers(parts),
    )  # fmt: skip


def _second(chosen: Palette) -> Palette:
    """The palette that the reader can switch to."""
    return next(known for known in (*PALETTES.values(), chosen) if known.name != chosen.name)


def _groups(parts: Sequence[Part], palette: Palette) -> Iterator[Markup]:
    """Parts in order: folded tables and matrices of one name in one fold, charts that stand beside each
    other in one grid."""
    for (kind, name), group in groupby(parts, _together):
        together = list(group)
        inner = Markup("\n").join(drawn(part, palette) for part in together)
        if kind == "grid" and len(together) == 3:  # as in a figure: one row of three, not a hole behind the third
            kind = "grid three"
        if kind == "fold":
            yield Markup("<details><summary>{}</summary>\n{}\n</details>\n").format(name, inner)
        elif kind == "choice":
            yield Markup(
                '<details name="choice"><summary>{}</summary>\n<div class="beside">\n{}\n</div>\n</details>\n'
            ).format(name, inner)
        elif kind:
            yield Markup('<div class="{}">\n{}\n</div>\n').format(kind, inner)
        else:
            yield inner


def _together(part: Part) -> tuple[str, str]:
    """The kind of group that a part stands in, and the group's name."""
    match part:
        case Table():
            return ("fold", part.fold) if part.fold else ("", "")
        case Chart():
            return ("grid" if part.beside else "", "")
        case Matrix():
            return ("choice", part.fold) if part.fold else ("" if part.half else "beside", "")
    return "", ""


def _numbers(parts: Sequence[Part]) -> str:
    """The label of the switch for numbers; empty for a document without words in colour, or with charts whose colours
    would not follow the switch of the palette."""
    if any(isinstance(part, Chart) and part.rows and isinstance(part.rows[0], Bar | Box) for part in parts):
        return ""
    if any(isinstance(part, Alignment) and part.signed for part in parts):
        return ""
    if any(isinstance(part, Passage | Tree) for part in parts):
        return "scores under the words"
    return "numbers in the cells" if any(isinstance(part, Matrix) for part in parts) else ""
