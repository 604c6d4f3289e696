"""Scenes as SVG: text stays text, and each word is stretched to its box whatever font the reader has."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Template
from markupsafe import Markup

from exegesis.show.environment import environment
from exegesis.show.figure.scene import DASHES, Scene

FAMILY = "'DejaVu Sans', Verdana, 'Segoe UI', 'Helvetica Neue', Arial, 'Noto Sans', 'Noto Sans CJK SC', sans-serif"


def written(drawing: Scene) -> bytes:
    """A whole SVG document; the title of a box shows its score at the pointer."""
    page = Markup(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" viewBox="0 0 {width} {height}" '
        'role="img">\n<title>{title}</title>\n'
        '<rect width="{width}" height="{height}" fill="{paper}"/>\n{content}</svg>\n'
    )
    size = {"width": _short(drawing.width), "height": _short(drawing.height)}
    whole = page.format(title=drawing.title, paper=drawing.paper, content=_content(drawing, drawing), **size)
    return whole.encode(errors="backslashreplace")


def inline(drawing: Scene, dark: Scene) -> Markup:
    """A scene within an HTML page, as wide as its place there; its colours follow the page from light to dark.

    ``dark`` is the same scene in the colours for dark ground.
    """
    size = _short(drawing.width), _short(drawing.height)
    page = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return page.format(*size, drawing.title, _content(drawing, dark))


def _content(drawing: Scene, dark: Scene) -> Markup:
    pairs = {
        name: zip(getattr(drawing, name), getattr(dark, name), strict=True) for name in ("boxes", "lines", "words")
    }
    return Markup(f"{_template().render(**pairs)}\n")  # escaped by the template


@lru_cache(maxsize=1)
def _template() -> Template:
    return environment({"short": _short, "dashes": DASHES, "family": FAMILY}).get_template("scene.svg.j2")


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
