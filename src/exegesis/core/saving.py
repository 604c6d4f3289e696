"""Results as plain values and back: JSON, JSONL, pandas. Imports no torch.

The form is versioned: ``format`` is ``exegesis.attribution`` and ``version`` the number below. Reading refuses
a newer version by name. Floats are written so that they read back to the last bit.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exegesis.core.errors import FileError, MissingExtraError
from exegesis.core.explanation import Attribution, Number, Prediction
from exegesis.core.files import read_text
from exegesis.core.text import Span, Text

if TYPE_CHECKING:
    import pandas as pd

FORMAT, VERSION = "exegesis.attribution", 1


def to_dict(result: Attribution) -> dict[str, Any]:
    """The plain form. ``words``, ``offsets`` and ``scores`` run side by side; other levels stand in ``spans``."""
    words = result.at("word") if "word" in result.levels else None
    several = result.scores.ndim > 1
    values: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "text": result.text.raw,
        "prediction": {
            "label": result.prediction.label,
            "probability": _number(result.prediction.probability),
            "probabilities": {k: _number(v) for k, v in result.prediction.probabilities.items()},
        },
        "target": list(result.targets) if several else result.target,
        "method": result.name,
        "parameters": result.method,
        "model": result.model,
        "words": list(result.words),
        "offsets": [list(pair) for pair in result.offsets],
        "scores": None if words is None else words.scores.tolist(),
        "explained": _number(result.explained),
        "residual": _number(result.residual),
        "account": {name: _number(part) for name, part in result.account.items()},
        "gap": _number(result.gap),
        "complete": result.complete,
        "seconds": result.seconds,
        "details": dict(result.details),
        "spans": [
            {
                "level": level,
                "text": result.text.surface(span),
                "offset": list(result.text.characters(span)),
                "pieces": list(span),
                "score": result.scores[..., i].tolist(),
            }
            for i, (span, level) in enumerate(zip(result.spans, result.levels, strict=True))
        ],
        "reading": {
            "pieces": list(result.text.pieces),
            "ids": list(result.text.ids),
            "offsets": [list(pair) for pair in result.text.offsets],
            "words": [list(span) for span in result.text.words],
            "segments": [list(span) for span in result.text.segments],
            "special": list(result.text.special),
        },
    }
    return values


def from_dict(values: Mapping[str, Any]) -> Attribution:
    """The result that ``to_dict`` wrote. Raises FileError where it is damaged, of another kind or newer."""
    if not isinstance(values, Mapping) or values.get("format") != FORMAT:
        raise FileError("this is not a saved explanation (no format 'exegesis.attribution')")
    if not isinstance(values.get("version"), int) or values["version"] > VERSION:
        raise FileError(
            f"this explanation was saved in version {values.get('version')!r}, newer than {VERSION}: upgrade exegesis"
        )
    try:
        return _from_dict(values)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FileError(f"damaged explanation: {type(error).__name__}: {error}") from error


def _from_dict(values: Mapping[str, Any]) -> Attribution:
    reading = values["reading"]
    text = Text(
        raw=values["text"],
        pieces=tuple(reading["pieces"]),
        ids=tuple(reading["ids"]),
        offsets=tuple((int(a), int(b)) for a, b in reading["offsets"]),
        words=tuple(Span(int(a), int(b)) for a, b in reading["words"]),
        segments=tuple(Span(int(a), int(b)) for a, b in reading["segments"]),
        special=tuple(bool(flag) for flag in reading["special"]),
    )
    target = values["target"]
    several = isinstance(target, list)
    scores = np.array([span["score"] for span in values["spans"]], dtype=np.float64)
    prediction = values["prediction"]
    return Attribution(
        text=text,
        spans=tuple(Span(int(a), int(b)) for a, b in (span["pieces"] for span in values["spans"])),
        scores=scores.T if several else scores,
        targets=tuple(target) if several else (target,),
        method=values["parameters"],
        name=values["method"],
        prediction=Prediction(
            prediction["label"],
            _back(prediction["probability"]),  # type: ignore[arg-type]
            {k: _back(v) for k, v in prediction["probabilities"].items()},  # type: ignore[misc]
        ),
        explained=_back(values["explained"]),
        levels=tuple(span["level"] for span in values["spans"]),
        account={name: _back(part) for name, part in values["account"].items()},
        complete=bool(values["complete"]),
        seconds=float(values["seconds"]),
        model=values["model"],
        details=values["details"],
    )


def _number(value: Number) -> Any:
    if np.ndim(value):
        return [_number(v) for v in np.asarray(value).tolist()]
    return float(value) if math.isfinite(float(value)) else None


def _back(value: Any) -> Number:
    if isinstance(value, list):
        return np.array([_back(v) for v in value], dtype=np.float64)
    return float("nan") if value is None else float(value)


def to_json(results: Sequence[Attribution]) -> str:
    """One result as an object, several as a list; ASCII, indented."""
    values = [to_dict(result) for result in results]
    return json.dumps(values[0] if len(values) == 1 else values, indent=1, allow_nan=False) + "\n"


def to_jsonl(results: Sequence[Attribution]) -> str:
    """One result a line."""
    return "".join(json.dumps(to_dict(result), allow_nan=False) + "\n" for result in results)


def read(path: str | os.PathLike[str]) -> Attribution | list[Attribution]:
    """Read what ``save`` wrote: one result from a ``.json`` of one, else a list.

    Loads no torch. Raises FileError, naming the line of a ``.jsonl``, where the file is missing or damaged.
    """
    content = read_text(path)
    if Path(path).suffix.lower() == ".jsonl":
        return [
            _parse(line, f"{path}, line {number}")
            for number, line in enumerate(content.splitlines(), 1)
            if line.strip()
        ]
    values = _json(content, str(path))
    if isinstance(values, list):
        return [_located(value, f"{path}, item {number}") for number, value in enumerate(values, 1)]
    return _located(values, str(path))


def _json(content: str, where: str) -> Any:
    try:
        return json.loads(content)
    except (json.JSONDecodeError, RecursionError) as error:
        raise FileError(f"{where}: not JSON ({error})") from error


def _parse(content: str, where: str) -> Attribution:
    return _located(_json(content, where), where)


def _located(values: Any, where: str) -> Attribution:
    try:
        return from_dict(values)
    except FileError as error:
        raise FileError(f"{where}: {error}") from error


def to_pandas(results: Sequence[Attribution]) -> pd.DataFrame:
    """One row a result, span and target. Raises MissingExtraError without pandas."""
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("pandas", "pandas", "a data frame of results") from error
    rows = [
        {
            "example": number,
            "method": part.name,
            "target": part.target,
            "level": row.level,
            "text": row.text,
            "start": part.text.characters(row.span)[0],
            "stop": part.text.characters(row.span)[1],
            "score": row.score,
        }
        for number, result in enumerate(results)
        for part in result.each_target()
        for level in part.level_names
        for row in part.rows(level)
    ]
    return pd.DataFrame(rows)
