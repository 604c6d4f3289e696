"""Results as documents, and documents in every medium.

A kind of result says what it looks like once, in ``documents``; a medium draws every part of every document, in
``terminal``, ``html``, ``figure``, ``latex``. Both tables stand here; nothing is imported before it draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from importlib import import_module
from inspect import signature
from types import ModuleType
from typing import TYPE_CHECKING, Any

from exegesis.core.errors import FileError, UsageError
from exegesis.core.shown import Catalogue, Shown, register_views
from exegesis.results.attribution import Attribution
from exegesis.results.behaviour.report import Report
from exegesis.results.behaviour.study import Study
from exegesis.results.evaluation import Evaluation
from exegesis.results.generation import Generation
from exegesis.results.hierarchy import Hierarchy
from exegesis.results.influence import Influence
from exegesis.results.interactions import Interactions
from exegesis.results.internals.adversary import Adversary
from exegesis.results.internals.attention import AttentionMaps
from exegesis.results.internals.attributes import Attributes
from exegesis.results.internals.decision import ConceptDecision
from exegesis.results.internals.gates import Gates
from exegesis.results.internals.information import Information
from exegesis.results.internals.relevance import Relevance
from exegesis.results.rationale import Rationale
from exegesis.results.result import Result, each
from exegesis.statistics.agreement import Comparison

if TYPE_CHECKING:
    from exegesis.show.document import Document

# a kind of result -> the module of its document
DOCUMENTS: dict[type[Result], str] = {
    Attribution: "attribution",
    Hierarchy: "hierarchy",
    Influence: "influence",
    Interactions: "interactions",
    Relevance: "networks.relevance",
    AttentionMaps: "networks.attention",
    Gates: "networks.gates",
    Information: "networks.information",
    Generation: "generation",
    Rationale: "rationale",
    Attributes: "networks.attributes",
    ConceptDecision: "networks.decision",
    Adversary: "networks.adversary",
    Evaluation: "evaluation",
    Study: "corpora.study",
}
OTHERS: dict[type, str] = {
    Comparison: "comparison",
    Catalogue: "catalogue",
    Report: "report",
}  # what shows itself but is no result


def _medium(draws: str, writes: str = "") -> Callable[..., Any]:
    """The function that draws documents in a medium, and writes the drawing if that is another function's."""
    draw: Callable[..., Any] = _imported(draws)
    if not writes:
        return draw
    write = _imported(writes)
    return wraps(draw)(lambda document, **options: write(draw(document, **options)))


def _imported(name: str) -> Any:
    module, _, function = name.rpartition(".")
    return getattr(import_module(f"exegesis.show.{module}"), function)


# a file's ending, or another place where documents are shown -> what draws them there
MEDIA = {
    ".html": partial(_medium, "html.page.page"),
    "notebook": partial(_medium, "html.page.fragment"),
    ".svg": partial(_medium, "figure.page.scene", "figure.svg.written"),
    ".png": partial(_medium, "figure.page.scene", "figure.paint.png"),
    ".pdf": partial(_medium, "figure.page.scene", "figure.paint.pdf"),
    "figure": partial(_medium, "figure.page.scene", "figure.paint.figure"),
    ".tex": partial(_medium, "latex.latex"),
    ".txt": partial(_medium, "terminal.page.text"),
    "terminal": partial(_medium, "terminal.page.terminal"),
    ".csv": partial(_medium, "tables.csv"),
}


def document_of(results: Shown | Sequence[Any], **options: Any) -> Document:
    """Results of one kind as a document; ``options`` are those of the kind."""
    listed = each(results)
    document: Document = _called(_module(listed).document, listed, options)
    return document


def written(results: Shown | Sequence[Any], medium: str, **options: Any) -> Any:
    """Results of one kind in a medium: a file's ending or a name of ``MEDIA``.

    ``options`` are those of the kind of result and those of the medium. Raises FileError for an unknown ending,
    UsageError for results of several kinds and for an unknown option.
    """
    if medium not in MEDIA:
        endings = ", ".join([".json", ".jsonl", *sorted(ending for ending in MEDIA if ending[0] == ".")])
        raise FileError(f"no way to save as {medium or 'a file without an ending'!r}; known endings: {endings}")
    listed, draw = each(results), MEDIA[medium]()
    module = _module(listed)
    source = module.records if medium == ".csv" else module.document
    unknown = set(options) - _options(source) - _options(draw)
    if unknown:
        raise UsageError(f"a {medium} file has no option {min(unknown)!r}; leave it out")
    return _called(draw, _called(source, listed, options), options)


def render(results: Shown | Sequence[Any], **options: Any) -> str:
    """Results as lines for a terminal; ``options`` are those of the terminal and of the kind of result."""
    return str(written(results, "terminal", **options))


class Lines(str):
    """Lines that a prompt and a notebook's cell show as they are."""

    __slots__ = ()
    __repr__ = str.__str__


def comparison(compared: Comparison, **options: Any) -> Lines:
    """The agreement of two explanations, and the ``limit`` words on which they differ most, as lines for a terminal;
    ``options`` are ``names`` of the two, ``limit``, and those of ``terminal.page.terminal``."""
    return Lines(render(compared, **options))


def register() -> None:
    """Make ``save`` and notebooks draw results."""
    register_views(written)


def _module(results: Sequence[Any]) -> ModuleType:
    """The module of the document of such results."""
    known = DOCUMENTS | OTHERS
    kinds = {next(kind for kind in known if isinstance(result, kind)) for result in results} or {Attribution}
    if len(kinds) > 1:
        raise UsageError(
            "explanations of words, hierarchies and other results are drawn in files of their own; save each kind apart"
        )
    return import_module(f"exegesis.show.documents.{known[kinds.pop()]}")


def _options(function: Callable[..., Any]) -> set[str]:
    """The names of a function's options: its parameters by keyword."""
    parameters = signature(function).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def _called(function: Callable[..., Any], value: Any, options: Mapping[str, Any]) -> Any:
    """The result of a function on a value with those of the options that it has."""
    return function(value, **{name: options[name] for name in _options(function) & set(options)})
