"""A result from its plain form, every part checked: what it gives, all views can draw. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from exegesis.core.errors import unknown
from exegesis.core.text import Span, Text
from exegesis.results.attribution import Attribution, Number, Prediction
from exegesis.results.hierarchy import SEARCHES, Hierarchy, Part


def restore(values: Mapping[str, Any]) -> Attribution:
    """The result that ``saving.to_dict`` wrote. Raises KeyError, TypeError or ValueError where it is damaged."""
    text = text_of(values)
    target = values["target"]
    several = isinstance(target, list)
    targets = tuple(word(name, "target") for name in (target if several else [target]))
    shape = (len(targets),) if several else ()
    spans = [mapping(span, "spans") for span in items(values["spans"], "spans")]
    scores = [_numbers(span["score"], shape, "score") for span in spans]
    if not np.isfinite(scores).all():
        raise ValueError("a score is no finite number")
    return Attribution(
        text=text,
        spans=tuple(_span(span["pieces"], len(text), "pieces") for span in spans),
        scores=np.array(scores, dtype=np.float64).reshape(-1, *shape).T,
        targets=targets,
        method=word(values["parameters"], "parameters"),
        name=word(values["method"], "method"),
        prediction=prediction_of(mapping(values["prediction"], "prediction")),
        explained=_plain(_numbers(values["explained"], shape, "explained")),
        levels=tuple(word(span["level"], "level") for span in spans),
        account={
            word(name, "account"): _plain(_numbers(part, shape, "account"))
            for name, part in mapping(values["account"], "account").items()
        },
        complete=_flag(values["complete"], "complete"),
        seconds=finite(values["seconds"], "seconds"),
        model=word(values["model"], "model"),
        details=details_of(values),
    )


def restore_hierarchy(values: Mapping[str, Any]) -> Hierarchy:
    """The hierarchy that ``saving.hierarchy_to_dict`` wrote. Raises as ``restore`` does, also where it is no tree."""
    text, search = text_of(values), word(values["search"], "search")
    if search not in SEARCHES:
        raise unknown("search", search, SEARCHES)
    return Hierarchy(
        text=text,
        parts=tuple(_part(mapping(part, "parts"), text) for part in items(values["parts"], "parts")),
        target=word(values["target"], "target"),
        method=word(values["parameters"], "parameters"),
        name=search,
        scorer=word(values["scorer"], "scorer"),
        prediction=prediction_of(mapping(values["prediction"], "prediction")),
        explained=finite(values["explained"], "explained"),
        account={name: finite(part, "account") for name, part in mapping(values["account"], "account").items()},
        complete=_flag(values["complete"], "complete"),
        seconds=finite(values["seconds"], "seconds"),
        model=word(values["model"], "model"),
        details=details_of(values),
    )


def _part(values: Mapping[str, Any], text: Text) -> Part:
    interaction, children = values["interaction"], items(values["children"], "children")
    if not all(type(number) is int for number in [*children, values["step"]]) or values["step"] < 0:
        raise TypeError("children or step are no whole numbers from 0")
    span = _span(values["pieces"], len(text), "pieces")
    if values["text"] != text.surface(span) or values["offset"] != list(text.characters(span)):
        raise ValueError(f"the part {_short(values['text'])} is not what its pieces cover")
    return Part(
        span,
        finite(values["score"], "score"),
        None if interaction is None else finite(interaction, "interaction"),
        tuple(children),
        values["step"],
    )


def text_of(values: Mapping[str, Any]) -> Text:
    raw, reading = word(values["text"], "text"), mapping(values["reading"], "reading")
    pieces = tuple(word(piece, "pieces") for piece in items(reading["pieces"], "pieces"))
    count = len(pieces)
    parts = {name: items(reading[name], name) for name in ("ids", "offsets", "special", "words", "segments")}
    if any(len(parts[name]) != count for name in ("ids", "offsets", "special")):
        raise ValueError("ids, offsets and special are not as many as the pieces")
    if not all(type(number) is int for number in parts["ids"]):
        raise TypeError("ids are no whole numbers")
    return Text(
        raw=raw,
        pieces=pieces,
        ids=tuple(parts["ids"]),
        offsets=tuple((a, b) for a, b in (_span(pair, len(raw), "offsets", empty=True) for pair in parts["offsets"])),
        words=tuple(_span(pair, count, "words") for pair in parts["words"]),
        segments=tuple(_span(pair, count, "segments", empty=True) for pair in parts["segments"]),
        special=tuple(_flag(flag, "special") for flag in parts["special"]),
    )


def prediction_of(values: Mapping[str, Any]) -> Prediction:
    each = mapping(values["probabilities"], "probabilities")
    return Prediction(
        word(values["label"], "label"),
        float(_numbers(values["probability"], (), "probability")),
        {label: float(_numbers(value, (), "probabilities")) for label, value in each.items()},
    )


def details_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a method says besides its scores. Raises TypeError or ValueError for what no view can read."""
    found = dict(mapping(values["details"], "details"))
    waiting: list[Any] = [found]
    while waiting:
        one = waiting.pop()
        waiting += one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ()
        if type(one) in (int, float) and not math.isfinite(one):  # an OverflowError for whole numbers beyond floats
            raise ValueError(f"details: {one} is no finite number")
    for at in items(found.get("unknown", []), "unknown"):
        if type(at) is not int or at < 0:
            raise TypeError(f"unknown: {_short(at)} is no number of a word")
    items(found.get("reduced", []), "reduced")
    if found.get("standard_error") is not None:
        array(found["standard_error"], "standard_error")
    return found


def array(value: Any, name: str) -> np.ndarray:
    """Lists of lists of finite numbers, all lists of a level as long."""
    waiting = [items(value, name)]
    while waiting:
        for one in waiting.pop():
            if isinstance(one, list):
                waiting.append(one)
            elif type(one) not in (int, float) or not math.isfinite(one):
                raise TypeError(f"{name}: {one!r:.40} is no finite number")
    try:
        found: np.ndarray = np.array(value, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{name}: its rows are not as long as each other") from error
    return found


def word(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}: {_short(value)} is no text")
    return value


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name}: {_short(value)} is neither true nor false")
    return value


def items(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{name}: {_short(value)} is no list")
    return value


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: {_short(value)} is no object")
    return value


def _span(value: Any, limit: int, name: str, *, empty: bool = False) -> Span:
    if not (isinstance(value, list) and len(value) == 2 and all(type(edge) is int for edge in value)):
        raise TypeError(f"{name}: {_short(value)} is no pair of whole numbers")
    start, stop = value
    if not (0 <= start <= stop <= limit) or (start == stop and not empty):
        raise ValueError(f"{name}: {_short(value)} lies outside what it counts")
    return Span(start, stop)


def _numbers(value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """A number, or as many as there are targets; null stands for NaN."""
    given = items(value, name) if shape else [value]
    if shape and len(given) != shape[0]:
        raise ValueError(f"{name}: {len(given)} numbers for {shape[0]} targets")
    for one in given:
        if not (one is None or type(one) in (int, float)):
            raise TypeError(f"{name}: {_short(one)} is no number")
    return np.array([math.nan if one is None else float(one) for one in given]).reshape(shape)


def finite(value: Any, name: str) -> float:
    """A number that is one: null, which stands for NaN, is refused."""
    found = float(_numbers(value, (), name))
    if not math.isfinite(found):
        raise ValueError(f"{name}: {_short(value)} is no finite number")
    return found


def _plain(value: np.ndarray) -> Number:
    return value if value.ndim else float(value)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:39] + "…"
