"""Answers to requests, by the public functions: this runs in the process that holds the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import exegesis
from exegesis.api import preferred, read_text
from exegesis.core.errors import ExegesisError, UnsupportedError, UsageError, unknown
from exegesis.core.parameters import hints
from exegesis.core.rewriting import edited
from exegesis.core.text import Span
from exegesis.engine.cost import allowed
from exegesis.engine.methods import METHODS
from exegesis.protocols.insides import Layered
from exegesis.protocols.model import Classifier, Raw, offers
from exegesis.questions.inside.maps import MAPS
from exegesis.questions.phrases.catalogue import SEARCHES
from exegesis.questions.sources.method import METHODS as SOURCES
from exegesis.questions.sources.method import require
from exegesis.results.result import Result
from exegesis.web.asks import Ask

PROBES: tuple[Raw, ...] = ("a fine film", ("a fine film", "a good film"))
Call = Callable[[list[Any]], Any]
Answer = list[dict[str, Any]] | Exception  # the results of a request as plain values, or why there are none


def about(model: Classifier, training: bool = False) -> dict[str, Any]:
    """What a page must know of a model: its labels, its methods, and the views that it can serve."""
    served = exegesis.methods(model)
    methods = [{"name": card.name, "summary": card.summary, "paper": card.paper} for card in served]
    pair, views, places, sites = False, ["words", "phrases", "pairs"], list[tuple[int, list[int]]](), list[str]()
    for probe in PROBES:
        with suppress(ExegesisError):
            exegesis.explain(model, probe)  # what is slow at first is slow before anyone waits
            pair = isinstance(probe, tuple)
            with suppress(ExegesisError):
                maps: Any = exegesis.attention(model, probe)
                places = [(layer, [head for head in maps.heads(layer) if head]) for layer in maps.layers]
                views.append("attention")
            with suppress(ExegesisError):
                exegesis.gates(model, probe)
                views.append("gates")
            if offers(model, Layered):
                sites = _sites(model, probe)
            break
    if any(card.name == "lrp" for card in served):
        views.append("layers")
    views += ["information"] * offers(model, Layered) + ["training"] * training
    return {
        "labels": list(model.labels), "pair": pair, "views": list(dict.fromkeys(views)), "methods": methods,
        "preferred": preferred(model),
        "searches": [card.name for card in SEARCHES], "attention": [card.name for card in MAPS],
        "places": places, "sites": sites, "sources": _sources(model) if training else [],
    }  # fmt: skip


def _sites(model: Any, probe: Raw) -> list[str]:
    """The layers whose information can be asked for, by name; none where a model says that they cannot be read."""
    with suppress(ExegesisError):
        found: Mapping[Any, Any] = model.sites(model.encode([read_text(model, probe)]))
        return [str(place) for place, site in found.items() if site.layered and site.path]
    return []


def _sources(model: Classifier) -> list[str]:
    """The methods that score training texts for a model with no more than their names."""
    exegesis.influence_methods()
    found = []
    for card in SOURCES:
        with suppress(ExegesisError):
            require(model, SOURCES.make(card.name))
            found.append(card.name)
    return found


def answers(model: Classifier, asks: Sequence[Ask], train: str | None = None, most: int | None = None) -> list[Answer]:
    """The answers to requests with the same ``key``, together; if that fails, one by one, so that a text that cannot
    be explained spoils no other."""
    found: dict[int, Answer] = {}
    raws: dict[int, Raw] = {}
    for at, one in enumerate(asks):
        try:
            raws[at] = raw_of(model, one)
        except ExegesisError as error:
            found[at] = error
    try:
        if raws:
            found |= dict(
                zip(raws, _asked(model, asks[next(iter(raws))], list(raws.values()), train, most), strict=True)
            )
    except Exception as error:
        for at, raw in raws.items():
            found[at] = error if len(raws) == 1 else _alone(model, asks[at], raw, train, most)
    return [found[at] for at in range(len(asks))]


def raw_of(model: Classifier, asked: Ask) -> Raw:
    """The text of a request with its changes. Raises TextError for a text that the model cannot read, UsageError for
    a change of a word that is not there."""
    raw: Raw = asked.text if asked.pair is None else (asked.text, asked.pair)
    text = read_text(model, raw)
    if not asked.changes:
        return raw
    changes = {}
    for number, new in asked.changes.items():
        if not number.isascii() or not number.isdigit() or int(number) >= len(text.words):
            raise UsageError(
                f"changes: {number[:20]!r} is not the number of a word of the text (0 to {len(text.words) - 1})"
            )
        changes[Span(int(number), int(number) + 1)] = new.strip()
    return edited(raw, text, changes)


def _alone(model: Classifier, asked: Ask, raw: Raw, train: str | None, most: int | None) -> Answer:
    try:
        return _asked(model, asked, [raw], train, most)[0]
    except Exception as error:
        return error


def _asked(
    model: Classifier, asked: Ask, raws: list[Raw], train: str | None, most: int | None
) -> list[list[dict[str, Any]]]:
    """The results for each text, as plain values."""
    with allowed(most):
        by_method: list[Sequence[Result]] = [call(raws) for call in _calls(model, asked, train)]
    return [[result.to_dict() for result in results] for results in zip(*by_method, strict=True)]


def _calls(model: Classifier, asked: Ask, train: str | None) -> list[Call]:
    """The calls of public functions that answer a request, one for each method."""
    ask: Any = exegesis  # whose functions read names and parameters from whatever they are given
    target, own = asked.target, asked.parameters
    if asked.view == "words":
        return [_words(model, asked, name) for name in (asked.methods or (None,))]
    if len(asked.methods) > 1:
        raise UsageError(f"the view {asked.view} takes one method, not {len(asked.methods)}")
    method = next(iter(asked.methods), None)
    match asked.view:
        case "phrases":
            return [lambda raws: ask.hierarchy(model, raws, asked.search, target, method=method, **own)]
        case "pairs":
            return [lambda raws: ask.interactions(model, raws, method or "removal", target, **own)]
        case "attention":
            return [lambda raws: ask.attention(
                model, raws, method or "attention", target, layer=asked.layer, head=asked.head, **own)]  # fmt: skip
        case "gates":
            return [lambda raws: ask.gates(model, raws, target)]
        case "layers":
            return [lambda raws: ask.relevance(model, raws, target, **own)]
        case "information":
            return [lambda raws: ask.information(model, raws, list(asked.sites) or "all", target, **own)]
    if train is None:
        raise UnsupportedError("no training texts are served here: start the server with --train DATA")
    return [lambda raws: ask.influence(model, train, raws, method or "nearest", target, **own)]


def _words(model: Classifier, asked: Ask, name: str | None) -> Call:
    given: dict[str, Any] = {"level": asked.level, "trust": asked.trust, **_own(name, asked, model)}
    return lambda raws: exegesis.explain(model, raws, name, asked.target, **given)


def _own(name: str | None, asked: Ask, model: Classifier) -> dict[str, Any]:
    """The parameters of a request that a method has. Raises UsageError for one that none of its methods has."""
    has = {one: set(hints(METHODS[one].cls)) for one in asked.methods or (preferred(model),)}
    for key in asked.parameters:
        if not any(key in names for names in has.values()):
            raise unknown("parameter", key, sorted(set().union(*has.values())))
    return {key: value for key, value in asked.parameters.items() if key in has[name or preferred(model)]}
