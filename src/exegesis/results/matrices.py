"""Interactions and relevance as plain values and back, every number checked. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exegesis.results.forms import number, prediction, reading
from exegesis.results.interactions import Interactions
from exegesis.results.relevance import Relevance
from exegesis.results.restoring import array, details_of, finite, mapping, prediction_of, text_of, word

INTERACTIONS, RELEVANCE, VERSION = "exegesis.interactions", "exegesis.relevance", 1


def interactions_to_dict(result: Interactions) -> dict[str, Any]:
    """The plain form. Row i of ``interactions`` holds those of word i with every word."""
    return {
        "format": INTERACTIONS,
        "version": VERSION,
        "text": result.text.raw,
        "prediction": prediction(result.prediction),
        "target": result.target,
        "kind": result.kind,
        "how": result.how,
        "model": result.model,
        "explained": result.explained,
        "seconds": result.seconds,
        "details": dict(result.details),
        "words": list(result.words),
        "interactions": result.values.tolist(),
        "reading": reading(result.text),
    }


def restore_interactions(values: Mapping[str, Any]) -> Interactions:
    """What ``interactions_to_dict`` wrote. Raises KeyError, TypeError or ValueError where it is damaged."""
    text, details = text_of(values), details_of(values)
    errors, square = details.get("standard_error"), (len(text.words),) * 2
    if errors and array(errors, "standard_error").shape != square:
        raise ValueError("standard_error is not one number a pair of words")
    return Interactions(
        text=text,
        values=array(values["interactions"], "interactions"),
        kind=word(values["kind"], "kind"),
        how=word(values["how"], "how"),
        target=word(values["target"], "target"),
        prediction=prediction_of(mapping(values["prediction"], "prediction")),
        explained=finite(values["explained"], "explained"),
        seconds=finite(values["seconds"], "seconds"),
        model=word(values["model"], "model"),
        details=details,
    )


def relevance_to_dict(result: Relevance) -> dict[str, Any]:
    """The plain form. Row t of ``dimensions`` holds the components of piece t; ``scores`` are those of the words."""
    return {
        "format": RELEVANCE,
        "version": VERSION,
        "text": result.text.raw,
        "prediction": prediction(result.prediction),
        "target": result.target,
        "parameters": result.method,
        "model": result.model,
        "explained": result.explained,
        "account": {name: number(part) for name, part in result.account.items()},
        "gap": result.gap,
        "seconds": result.seconds,
        "words": list(result.words),
        "scores": result.scores.tolist(),
        "dimensions": result.dimensions.tolist(),
        "states": {name: state.tolist() for name, state in result.states.items()},
        "reading": reading(result.text),
    }


def restore_relevance(values: Mapping[str, Any]) -> Relevance:
    """What ``relevance_to_dict`` wrote. Raises KeyError, TypeError or ValueError where it is damaged."""
    states = mapping(values["states"], "states")
    return Relevance(
        text=text_of(values),
        dimensions=array(values["dimensions"], "dimensions"),
        states={name: array(state, f"state {name}") for name, state in states.items()},
        target=word(values["target"], "target"),
        method=word(values["parameters"], "parameters"),
        explained=finite(values["explained"], "explained"),
        account={name: finite(part, "account") for name, part in mapping(values["account"], "account").items()},
        prediction=prediction_of(mapping(values["prediction"], "prediction")),
        seconds=finite(values["seconds"], "seconds"),
        model=word(values["model"], "model"),
    )
