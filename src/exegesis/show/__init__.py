"""Views: pure functions of a result or several, none of which loads torch.

What a kind of result looks like is said once for each medium: its *blocks* of lines for a terminal (``BLOCKS``), its
*scene* of boxes and words for figures (``SCENES``), its HTML, its table. Each medium is written once for all kinds:
``terminal`` prints blocks, ``figure`` writes scenes as SVG, PNG, PDF, LaTeX or a matplotlib Figure, ``frame`` puts
HTML into pages. Results of words are drawn from one ``layout``: those on one text stand under each other, the levels of
a result are rows. Modules whose names begin with ``nested`` draw hierarchies, those with ``matrix`` interactions,
``inside`` relevance, those with ``trust`` evaluations, ``study`` and ``sheet`` studies. This module loads none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, cast

from exegesis.results.attribution import Attribution
from exegesis.results.evaluation import Evaluation
from exegesis.results.hierarchy import Hierarchy
from exegesis.results.interactions import Interactions
from exegesis.results.relevance import Relevance
from exegesis.results.result import Result, View, kind_of, register_view
from exegesis.results.study import Study

Place = tuple[str, str]  # a module of this folder, and a function in it
WORDS, TREES, PAIRS = Attribution.views, Hierarchy.views, Interactions.views
INSIDE, TRUST, STUDIES = Relevance.views, Evaluation.views, Study.views

# a kind of result -> what a terminal shows of it, text by text
BLOCKS = {
    WORDS: ("terminal.passage", "blocks"),
    TREES: ("terminal.tree", "blocks"),
    PAIRS: ("terminal.matrix", "blocks"),
    INSIDE: ("documents.relevance", "blocks"),
    STUDIES: ("terminal.sheet", "blocks"),
}

# a kind of result -> boxes and words at places
SCENES = {
    WORDS: ("before.figure.passage", "scene"),
    TREES: ("before.figure.tree", "scene"),
    PAIRS: ("before.figure.matrix", "scene"),
    INSIDE: ("documents.relevance", "scene"),
    STUDIES: ("before.html.study", "scene"),
}


def _html(module: str) -> dict[str, Place]:
    return {".html": (module, "page"), ".repr_html": (module, "fragment")}  # the latter is what a notebook shows


# a kind of result -> a file's ending -> what writes it
_PICTURES = {
    ".svg": ("before.figure.files", "svg"),
    ".png": ("before.figure.files", "png"),
    ".pdf": ("before.figure.files", "pdf"),
}
_TEX = {".tex": ("before.figure.files", "tex")}
_TEXT = {".txt": ("terminal.page", "txt")}
VIEWS: dict[str, dict[str, Place]] = {
    WORDS: {**_html("before.html.parts"), **_PICTURES, **_TEXT, ".tex": ("latex", "latex"), ".csv": ("tables", "csv")},
    TREES: {
        **_html("before.html.nested"),
        **_PICTURES,
        **_TEXT,
        ".tex": ("before.figure.files", "tex"),
        ".csv": ("nested_table", "csv"),
    },
    PAIRS: {
        **_html("before.html.matrix"),
        **_PICTURES,
        **_TEXT,
        ".tex": ("before.figure.files", "tex"),
        ".csv": ("matrix_table", "csv"),
    },
    INSIDE: {
        **_html("documents.relevance"),
        **_PICTURES,
        **_TEXT,
        ".tex": ("documents.relevance", "tex"),
        ".csv": ("documents.relevance", "csv"),
    },
    TRUST: {**_html("before.html.trust"), ".txt": ("terminal.table", "txt")},
    STUDIES: {**_html("before.html.study"), **_PICTURES, ".txt": ("terminal.sheet", "txt")},
}


def view(ending: str, kind: str = WORDS) -> View:
    """The function that draws results of a kind for a file's ending; its module is imported now. Raises KeyError for
    another."""
    return cast(View, _function(VIEWS[kind][ending]))


def part(parts: Mapping[str, Place], results: Result | Sequence[Result]) -> Callable[..., Any]:
    """What gives the blocks or the scene of such results."""
    return _function(parts[kind_of(results)])


def register() -> None:
    """Make ``save`` and notebooks know every view, each imported when it is first used."""
    for kind, views in VIEWS.items():
        for ending in views:
            register_view(kind, ending, partial(view, ending, kind))


def _function(place: Place) -> Callable[..., Any]:
    module, name = place
    return cast(Callable[..., Any], getattr(import_module(f"exegesis.show.{module}"), name))
