"""An evaluation as plain values and back. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from exegesis.core.evaluation import Evaluation, Measurand, Measured
from exegesis.core.explanation import Attribution

FORMAT, VERSION = "exegesis.evaluate", 1


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
    methods = [{**one, "seconds": _number(one["seconds"])} for one in values["methods"]]
    shape = (len(values["measures"]), len(methods), len(values["texts"]))
    found = Evaluation(
        model=str(values["model"]),
        texts=tuple(map(str, values["texts"])),
        labels=tuple(map(str, values["labels"])),
        measures=tuple(Measured(**{**one, "favours": tuple(one.get("favours", ()))}) for one in values["measures"]),
        methods=tuple(Measurand(**one) for one in methods),
        values=_array(values["values"]).reshape(shape),
        curves={str(name): _array(curve) for name, curve in values["curves"].items()},
        grid=tuple(map(float, values["grid"])),
        agreement=_array(values["agreement"]),
        overlap=_array(values["overlap"]),
        k=int(values["k"]),
        disputes=_array(values["disputes"]),
        contested=tuple(tuple(Attribution.from_dict(one) for one in each) for each in values["contested"]),
        counts={str(name): int(count) for name, count in values["counts"].items()},
        seconds=float(values["seconds"]),
        notes=tuple(map(str, values["notes"])),
        remark=str(values["remark"]),
        seed=int(values["seed"]),
        samples=int(values["samples"]),
    )
    own = sum(not one.control for one in found.methods)
    if found.agreement.shape != (own, own) or found.disputes.shape != (shape[2],) or not own:
        raise ValueError("its methods do not fit its agreement")
    if any(curve.shape != (shape[1], len(found.grid)) for curve in found.curves.values()):
        raise ValueError("a curve does not fit its methods")
    return found


def _plain(value: Any) -> Any:
    """Numbers as they are, NaN as None."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _array(values: Any) -> np.ndarray:
    found: np.ndarray = np.array(values, dtype=np.float64)  # None becomes NaN
    return found
