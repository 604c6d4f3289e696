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
from exegesis.core.explanation import Attribution, Number
from exegesis.core.files import read_text
from exegesis.core.restoring import restore

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


def from_dict(values: Any) -> Attribution:
    """The result that ``to_dict`` wrote. Raises FileError where it is damaged, of another kind or newer."""
    if not isinstance(values, Mapping) or values.get("format") != FORMAT:
        raise FileError("this is not a saved explanation (no format 'exegesis.attribution'); give what save() wrote")
    version = values.get("version")
    if type(version) is int and version > VERSION:
        raise FileError(f"this explanation was saved in version {version}, newer than {VERSION}: upgrade exegesis")
    try:
        if type(version) is not int or version < 1:
            raise ValueError(f"its version is {version!r}")
        return restore(values)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise FileError(f"damaged explanation ({reason}); save it again") from error


def _number(value: Number) -> Any:
    if np.ndim(value):
        return [_number(v) for v in np.asarray(value).tolist()]
    return float(value) if math.isfinite(float(value)) else None


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
            _parse(line, f"{path}, line {number}") for number, line in enumerate(content.split("\n"), 1) if line.strip()
        ]
    values = _json(content, str(path))
    if isinstance(values, list):
        return [_located(value, f"{path}, item {number}") for number, value in enumerate(values, 1)]
    return _located(values, str(path))


def _json(content: str, where: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{where}: not JSON ({error}); save it again") from error


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
