"""A scene as SVG: text stays text, and each word is stretched to its box whatever font the reader has. No torch."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from exegesis.show.before.figure.scene import Box, Scene, Words

FAMILY = "'DejaVu Sans', Verdana, 'Segoe UI', 'Helvetica Neue', Arial, 'Noto Sans', 'Noto Sans CJK SC', sans-serif"


def as_svg(drawing: Scene) -> bytes:
    """A scene as an SVG document, as a file holds it."""
    return written(drawing).encode("utf-8", "backslashreplace")


def written(drawing: Scene) -> str:
    """A whole SVG document; a title on each box shows its score under the pointer."""
    width, height = _short(drawing.width), _short(drawing.height)
    size = f'width="{width}pt" height="{height}pt" viewBox="0 0 {width} {height}"'
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n'
        f"<title>{escape(drawing.title)}</title>\n"
        f'<rect width="{width}" height="{height}" fill="{drawing.paper}"/>\n'
    )
    boxes = "".join(map(_box, drawing.boxes))
    words = "".join(map(_words, drawing.words))
    return f'{head}<g>\n{boxes}</g>\n<g font-family={quoteattr(FAMILY)} pointer-events="none">\n{words}</g>\n</svg>\n'


def _box(box: Box) -> str:
    place = f'x="{_short(box.x)}" y="{_short(box.y)}" width="{_short(box.width)}" height="{_short(box.height)}"'
    radius = f' rx="{_short(box.radius)}"' if box.radius else ""
    if not box.title:
        return f'<rect {place}{radius} fill="{box.fill}"/>\n'
    return f'<rect {place}{radius} fill="{box.fill}"><title>{escape(box.title)}</title></rect>\n'


def _words(words: Words) -> str:
    if not words.text:
        return ""
    weight = ' font-weight="bold"' if words.bold else ""
    # anchored in the middle, so that the direction of the text moves nothing
    place = f'x="{_short(words.x + words.width / 2)}" y="{_short(words.y)}" text-anchor="middle"'
    stretch = f' textLength="{_short(words.width)}" lengthAdjust="spacingAndGlyphs"' if len(words.text) > 1 else ""
    look = f'font-size="{_short(words.size)}"{weight} fill="{words.colour}"'
    return f"<text {place} {look}{stretch}>{escape(words.text)}</text>\n"


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
