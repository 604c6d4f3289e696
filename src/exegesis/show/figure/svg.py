"""Scenes as SVG: text stays text, and each word is stretched to its box whatever font the reader has."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from markupsafe import Markup

from exegesis.show.figure.scene import DASHES, Box, Line, Scene, Words

FAMILY = "'DejaVu Sans', Verdana, 'Segoe UI', 'Helvetica Neue', Arial, 'Noto Sans', 'Noto Sans CJK SC', sans-serif"


def written(drawing: Scene) -> bytes:
    """A whole SVG document; the title of a box shows its score at the pointer."""
    width, height = _short(drawing.width), _short(drawing.height)
    size = f'width="{width}pt" height="{height}pt" viewBox="0 0 {width} {height}"'
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n'
        f"<title>{escape(drawing.title)}</title>\n"
        f'<rect width="{width}" height="{height}" fill="{drawing.paper}"/>\n'
    )
    return f"{head}{_content(drawing, drawing)}</svg>\n".encode("utf-8", "backslashreplace")


def inline(drawing: Scene, dark: Scene) -> Markup:
    """A scene within an HTML page, as wide as its place there; its colours follow the page from light to dark.

    ``dark`` is the same scene in the colours for dark ground.
    """
    size = f'viewBox="0 0 {_short(drawing.width)} {_short(drawing.height)}"'
    label = quoteattr(drawing.title)
    return Markup(f'<svg {size} role="img" aria-label={label}>{_content(drawing, dark)}</svg>')  # escaped below


def _content(drawing: Scene, dark: Scene) -> str:
    boxes = "".join(_box(*pair) for pair in zip(drawing.boxes, dark.boxes, strict=True))
    lines = "".join(_line(*pair) for pair in zip(drawing.lines, dark.lines, strict=True))
    words = "".join(_words(*pair) for pair in zip(drawing.words, dark.words, strict=True))
    family = f'<g font-family={quoteattr(FAMILY)} pointer-events="none">'
    return f"<g>\n{boxes}{lines}</g>\n{family}\n{words}</g>\n"


def _box(box: Box, dark: Box) -> str:
    place = f'x="{_short(box.x)}" y="{_short(box.y)}" width="{_short(box.width)}" height="{_short(box.height)}"'
    radius = f' rx="{_short(box.radius)}"' if box.radius else ""
    return _element("rect", f"{place}{radius} {_colour('fill', box.fill, dark.fill)}", box.title)


def _line(line: Line, dark: Line) -> str:
    points = " ".join(f"{_short(x)},{_short(y)}" for x, y in line.points)
    dash = " ".join(map(_short, DASHES[line.dash]))
    look = f'stroke-width="{_short(line.width)}"' + (f' stroke-dasharray="{dash}"' if dash else "")
    stroke = _colour("stroke", line.colour, dark.colour)
    return _element("polyline", f'points="{points}" fill="none" {look} stroke-linejoin="round" {stroke}', line.title)


def _element(tag: str, attributes: str, title: str) -> str:
    if not title:
        return f"<{tag} {attributes}/>\n"
    return f"<{tag} {attributes}><title>{escape(title)}</title></{tag}>\n"


def _words(words: Words, dark: Words) -> str:
    weight = ' font-weight="bold"' if words.bold else ""
    # anchored in the middle, so that the direction of the text moves nothing
    place = f'x="{_short(words.x + words.width / 2)}" y="{_short(words.y)}" text-anchor="middle"'
    if words.angle:
        place += f' transform="rotate({_short(-words.angle)} {_short(words.x)} {_short(words.y)})"'
    stretch = f' textLength="{_short(words.width)}" lengthAdjust="spacingAndGlyphs"' if len(words.text) > 1 else ""
    look = f'font-size="{_short(words.size)}"{weight} {_colour("fill", words.colour, dark.colour)}'
    return f"<text {place} {look}{stretch}>{escape(words.text)}</text>\n"


def _colour(name: str, light: str, dark: str) -> str:
    """The attribute of a colour, and a style of both colours that a browser prefers if it knows ``light-dark``."""
    style = f' style="{name}:light-dark({light},{dark})"' if dark != light else ""
    return f'{name}="{light}"{style}'


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
