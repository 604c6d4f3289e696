"""An evaluation as plain values and back. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from exegesis.core.values import from_plain
from exegesis.results.attribution import Attribution
from exegesis.results.evaluation import Evaluation, Measurand, Measured
from exegesis.results.restoring import finite, items, mapping, word

FORMAT, VERSION = "exegesis.evaluate", 1
MOST = 1_000_000  # bootstrap samples, all of which are drawn again where a result is shown


def to_dict(result: Evaluation) -> dict[str, Any]:
    """The plain form; NaN is null. Means and intervals stand beside the numbers of each text, for other readers."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "model": result.model,
        "advice": result.advice(),
        "texts": list(result.texts),
        "labels": list(result.labels),
        "measures": [one._asdict() for one in result.measures],
        "methods": [{**one._asdict(), "seconds": _plain(one.seconds)} for one in result.methods],
        "means": {
            one.name: {name: _plain(list(result.mean(one.name, name))) for name in result.names}
            for one in result.measures
        },
        "values": _plain(result.values.tolist()),
        "curves": {name: _plain(curve.tolist()) for name, curve in result.curves.items()},
        "grid": list(result.grid),
        "agreement": _plain(result.agreement.tolist()),
        "overlap": _plain(result.overlap.tolist()),
        "k": result.k,
        "disputes": _plain(result.disputes.tolist()),
        "contested": [[one.to_dict() for one in each] for each in result.contested],
        "counts": dict(result.counts),
        "seconds": result.seconds,
        "notes": list(result.notes),
        "remark": result.remark,
        "seed": result.seed,
        "samples": result.samples,
    }


def restore_evaluation(values: Mapping[str, Any]) -> Evaluation:
    """What ``to_dict`` wrote. Raises KeyError, TypeError or ValueError where it is damaged."""
    methods: tuple[Measurand, ...] = from_plain(tuple[Measurand, ...], values["methods"])
    measures = tuple(
        from_plain(Measured, {**mapping(one, "measures"), "favours": one.get("favours", [])})
        for one in items(values["measures"], "measures")
    )
    shape = (len(measures), len(methods), len(items(values["texts"], "texts")))
    found = Evaluation(
        model=word(values["model"], "model"),
        texts=_words(values, "texts"),
        labels=_words(values, "labels"),
        measures=measures,
        methods=methods,
        values=_array(values["values"]).reshape(shape),
        curves={name: _array(curve) for name, curve in mapping(values["curves"], "curves").items()},
        grid=tuple(finite(one, "grid") for one in items(values["grid"], "grid")),
        agreement=_array(values["agreement"]),
        overlap=_array(values["overlap"]),
        k=_whole(values["k"], "k"),
        disputes=_array(values["disputes"]),
        contested=tuple(
            tuple(Attribution.from_dict(one) for one in items(each, "contested"))
            for each in items(values["contested"], "contested")
        ),
        counts={name: _whole(count, "counts") for name, count in mapping(values["counts"], "counts").items()},
        seconds=finite(values["seconds"], "seconds"),
        notes=_words(values, "notes"),
        remark=word(values["remark"], "remark"),
        seed=_whole(values["seed"], "seed"),
        samples=_whole(values["samples"], "samples"),
    )
    if not 1 <= found.samples <= MOST:
        raise ValueError(f"samples: {found.samples} is not from 1 to {MOST}")
    own = sum(not one.control for one in found.methods)
    square = found.agreement.shape == found.overlap.shape == (own, own)
    if not square or found.disputes.shape != (shape[2],) or not own:
        raise ValueError("its methods do not fit its agreement")
    if any(curve.shape != (shape[1], len(found.grid)) for curve in found.curves.values()):
        raise ValueError("a curve does not fit its methods")
    return found


def _plain(value: Any) -> Any:
    """Numbers as they are, NaN as None."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _words(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(word(one, name) for one in items(values[name], name))


def _whole(value: Any, name: str) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"{name}: {value!r:.40} is no whole number from 0")
    return value


def _array(values: Any) -> np.ndarray:
    found: np.ndarray = np.array(values, dtype=np.float64)  # None becomes NaN
    if np.isinf(found).any():
        raise ValueError("a number is infinite")
    return found
