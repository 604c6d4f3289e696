"""Documents as pictures: SVG, PNG, PDF, or a matplotlib Figure. The same document gives the same bytes."""

from __future__ import annotations

from matplotlib.figure import Figure

from exegesis.show.document import Document
from exegesis.show.figure import paint
from exegesis.show.figure import svg as writer
from exegesis.show.figure.canvas import FigureOptions as FigureOptions
from exegesis.show.figure.page import scene

DEFAULT = FigureOptions()


def figure(document: Document, options: FigureOptions = DEFAULT) -> Figure:
    """A matplotlib Figure, at most ``width`` inches wide and as tall as it must be, to save or to draw more on."""
    return paint.drawn(scene(document, options))


def svg(document: Document, options: FigureOptions = DEFAULT) -> bytes:
    """An SVG picture whose text is text."""
    return writer.written(scene(document, options)).encode("utf-8", "backslashreplace")


def png(document: Document, options: FigureOptions = DEFAULT) -> bytes:
    """A PNG picture of 200 dots an inch; ten thousand words take about 10 seconds (an SVG, one)."""
    return paint.as_png(scene(document, options))


def pdf(document: Document, options: FigureOptions = DEFAULT) -> bytes:
    """A PDF page with its fonts, whose text is text; ten thousand words take about 10 seconds."""
    return paint.as_pdf(scene(document, options))
