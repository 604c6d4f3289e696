"""Results of any kind as figures: their scene as SVG, PNG, PDF, LaTeX, or a matplotlib Figure. Imports no torch.

Options are those of the scene of their kind (``show.SCENES``): ``palette``, ``dark``, ``width`` in inches; of all but
studies ``numbers``; of words and relevance ``scale``. The same results give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from matplotlib.figure import Figure

from exegesis.results.result import Result
from exegesis.show import SCENES, part
from exegesis.show.before.figure import paint as painting
from exegesis.show.before.figure import svg as writer
from exegesis.show.before.figure.scene import Scene
from exegesis.show.before.figure.tex_scene import as_tex

Results = Result | Sequence[Result]


def figure(results: Results, **options: Any) -> Figure:
    """A matplotlib Figure, at most ``width`` inches wide and as tall as it must be, to save or to draw more on."""
    return painting.drawn(_scene(results, options))


def svg(results: Results, **options: Any) -> bytes:
    """As an SVG document whose text is text."""
    return writer.as_svg(_scene(results, options))


def png(results: Results, **options: Any) -> bytes:
    """As a PNG picture of 200 dots an inch. Ten thousand words take about 7 seconds."""
    return painting.as_png(_scene(results, options))


def pdf(results: Results, **options: Any) -> bytes:
    """As a PDF page with its fonts.

    matplotlib writes each word by itself, about 1.5 ms a word: ten thousand words take about 15 seconds (an SVG, one).
    """
    return painting.as_pdf(_scene(results, options))


def tex(results: Results, **options: Any) -> str:
    """As a LaTeX picture."""
    return as_tex(_scene(results, options))


def _scene(results: Results, options: dict[str, Any]) -> Scene:
    return cast(Scene, part(SCENES, results)(results, **options))
