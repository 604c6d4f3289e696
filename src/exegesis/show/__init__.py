"""Views: pure functions of a result or several, none of which loads torch.

``terminal`` (words in colour, or with signed numbers), ``html`` (a fragment for notebooks, a page), ``figure`` (SVG,
PNG, PDF, or a matplotlib Figure), ``latex``, ``table`` (CSV, text, a comparison). All draw the same ``layout``: results
on one text stand under each other, the levels of a result are rows. This module loads none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import cast

from exegesis.core.explanation import View, register_view

# a file's ending -> the module and the function that draws it; ".repr_html" is what a notebook shows
VIEWS = {
    ".html": ("html", "page"),
    ".svg": ("figure", "svg"),
    ".png": ("figure", "png"),
    ".pdf": ("figure", "pdf"),
    ".tex": ("latex", "latex"),
    ".txt": ("table", "txt"),
    ".csv": ("table", "csv"),
    ".repr_html": ("html", "fragment"),
}


def view(ending: str) -> View:
    """The function that draws results for a file's ending; its module is imported now. Raises KeyError for another."""
    module, name = VIEWS[ending]
    return cast(View, getattr(import_module(f"exegesis.show.{module}"), name))


def register() -> None:
    """Make ``Attribution.save`` and notebooks know every view, each imported when it is first used."""
    for ending in VIEWS:
        load: Callable[[], View] = partial(view, ending)
        register_view(ending, load)
