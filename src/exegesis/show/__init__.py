"""Views: pure functions of a result or several, none of which loads torch.

``terminal`` (words in colour, or with signed numbers), ``html`` (a fragment for notebooks, a page), ``figure`` (SVG,
PNG, PDF, or a matplotlib Figure), ``latex``, ``table`` (CSV, text, a comparison). All draw the same ``layout``: results
on one text stand under each other, the levels of a result are rows. The modules whose names begin with ``nested`` draw
hierarchies, those with ``matrix`` interactions, ``inside`` relevance, those with ``trust`` evaluations. This module
loads none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import cast

from exegesis.core.evaluation import Evaluation
from exegesis.core.explanation import Attribution
from exegesis.core.hierarchy import Hierarchy
from exegesis.core.pairs import Interactions
from exegesis.core.relevance import Relevance
from exegesis.core.result import View, register_view

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

# the same of hierarchies
NESTED = {
    ".html": ("nested_html", "page"),
    ".svg": ("nested_scene", "svg"),
    ".png": ("nested_scene", "png"),
    ".pdf": ("nested_scene", "pdf"),
    ".tex": ("nested_scene", "latex"),
    ".txt": ("nested_table", "txt"),
    ".csv": ("nested_table", "csv"),
    ".repr_html": ("nested_html", "fragment"),
}

# the same of interactions
PAIRS = {
    ".html": ("matrix_html", "page"),
    ".svg": ("matrix_scene", "svg"),
    ".png": ("matrix_scene", "png"),
    ".pdf": ("matrix_scene", "pdf"),
    ".tex": ("matrix_scene", "latex"),
    ".txt": ("matrix_table", "txt"),
    ".csv": ("matrix_table", "csv"),
    ".repr_html": ("matrix_html", "fragment"),
}

# the same of relevance inside a network
INSIDE = {
    ".html": ("inside", "page"),
    ".svg": ("inside", "svg"),
    ".png": ("inside", "png"),
    ".pdf": ("inside", "pdf"),
    ".tex": ("inside", "tex"),
    ".txt": ("inside", "txt"),
    ".csv": ("inside", "csv"),
    ".repr_html": ("inside", "fragment"),
}

# the same of evaluations
TRUST = {
    ".html": ("trust_page", "page"),
    ".txt": ("trust_table", "txt"),
    ".repr_html": ("trust_page", "fragment"),
}
KINDS = {
    Attribution.views: VIEWS,
    Hierarchy.views: NESTED,
    Interactions.views: PAIRS,
    Relevance.views: INSIDE,
    Evaluation.views: TRUST,
}
TERMINAL = {
    Attribution.views: "terminal",
    Hierarchy.views: "nested_terminal",
    Interactions.views: "matrix_terminal",
    Relevance.views: "inside",
}


def view(ending: str, kind: str = Attribution.views) -> View:
    """The function that draws results of a kind for a file's ending; its module is imported now. Raises KeyError for
    another."""
    module, name = KINDS[kind][ending]
    return cast(View, getattr(import_module(f"exegesis.show.{module}"), name))


def terminal_view(kind: str) -> Callable[..., str]:
    """What draws results of a kind in a terminal."""
    return cast(Callable[..., str], import_module(f"exegesis.show.{TERMINAL[kind]}").render)


# the same of studies
STUDIES = {
    ".html": ("study_page", "page"),
    ".svg": ("study_page", "svg"),
    ".png": ("study_page", "png"),
    ".pdf": ("study_page", "pdf"),
    ".txt": ("sheet_lines", "txt"),
    ".repr_html": ("study_page", "fragment"),
}


def register() -> None:
    """Make ``save`` and notebooks know every view, each imported when it is first used."""
    for kind, views in KINDS.items():
        for ending in views:
            load: Callable[[], View] = partial(view, ending, kind)
            register_view(kind, ending, load)
    for ending, (module, name) in STUDIES.items():
        register_view("study", ending, partial(_named, module, name))


def _named(module: str, name: str) -> View:
    return cast(View, getattr(import_module(f"exegesis.show.{module}"), name))
