"""Results as pictures: their scene, and what the scene becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exegesis.results.result import Result
from exegesis.show import document_of, written
from exegesis.show.figure.page import scene as laid_out
from exegesis.show.figure.scene import Scene

Results = Result | Sequence[Result]


def scene(results: Results, **options: Any) -> Scene:
    """Boxes, lines and words at places."""
    return laid_out(document_of(results), **options)


def svg(results: Results, **options: Any) -> bytes:
    return written(results, ".svg", **options)


def png(results: Results, **options: Any) -> bytes:
    return written(results, ".png", **options)


def pdf(results: Results, **options: Any) -> bytes:
    return written(results, ".pdf", **options)


def figure(results: Results, **options: Any) -> Any:
    """A matplotlib Figure."""
    return written(results, "figure", **options)
