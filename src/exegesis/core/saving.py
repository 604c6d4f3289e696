"""Results as plain values and back: JSON, JSONL, pandas. Imports no torch.

The form is versioned: ``format`` is ``exegesis.attribution`` or ``exegesis.hierarchy``, ``version`` its number below.
Reading refuses a newer version by name. Floats are written so that they read back to the last bit.
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
from exegesis.core.evaluated import FORMAT as EVALUATION
from exegesis.core.evaluated import VERSION as EVALUATED
from exegesis.core.evaluated import restore_evaluation
from exegesis.core.evaluation import Evaluation
from exegesis.core.explanation import Attribution, Number, Result
from exegesis.core.files import read_text
from exegesis.core.hierarchy import Hierarchy
from exegesis.core.restoring import restore, restore_hierarchy
from exegesis.core.studies import FORMAT as STUDY
from exegesis.core.studies import VERSION as STUDIED
from exegesis.core.studies import Study, restore_study
from exegesis.core.text import Text

if TYPE_CHECKING:
    import pandas as pd

FORMAT, HIERARCHY = "exegesis.attribution", "exegesis.hierarchy"
Saved = Attribution | Hierarchy | Evaluation | Study
VERSIONS = {FORMAT: 1, HIERARCHY: 1, EVALUATION: EVALUATED, STUDY: STUDIED}


def to_dict(result: Attribution) -> dict[str, Any]:
    """The plain form. ``words``, ``offsets`` and ``scores`` run side by side; other levels stand in ``spans``."""
    words = result.at("word") if "word" in result.levels else None
    several = result.scores.ndim > 1
    values: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSIONS[FORMAT],
        "text": result.text.raw,
        "prediction": _prediction(result),
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
        "reading": _reading(result.text),
    }
    return values


def hierarchy_to_dict(result: Hierarchy) -> dict[str, Any]:
    """The plain form of a hierarchy. ``parts`` stand as in the result: children before what they make up."""
    return {
        "format": HIERARCHY,
        "version": VERSIONS[HIERARCHY],
        "text": result.text.raw,
        "prediction": _prediction(result),
        "target": result.target,
        "search": result.name,
        "scorer": result.scorer,
        "parameters": result.method,
        "model": result.model,
        "explained": _number(result.explained),
        "account": {name: _number(part) for name, part in result.account.items()},
        "complete": result.complete,
        "seconds": result.seconds,
        "details": dict(result.details),
        "parts": [
            {
                "text": result.text.surface(part.span),
                "offset": list(result.text.characters(part.span)),
                "pieces": list(part.span),
                "score": part.score,
                "interaction": part.interaction,
                "children": list(part.children),
                "step": part.step,
            }
            for part in result.parts
        ],
        "reading": _reading(result.text),
    }


def _prediction(result: Attribution | Hierarchy) -> dict[str, Any]:
    return {
        "label": result.prediction.label,
        "probability": _number(result.prediction.probability),
        "probabilities": {k: _number(v) for k, v in result.prediction.probabilities.items()},
    }


def _reading(text: Text) -> dict[str, Any]:
    """How the model read the text."""
    return {
        "pieces": list(text.pieces),
        "ids": list(text.ids),
        "offsets": [list(pair) for pair in text.offsets],
        "words": [list(span) for span in text.words],
        "segments": [list(span) for span in text.segments],
        "special": list(text.special),
    }


def from_dict(values: Any) -> Saved:
    """The result that ``to_dict`` wrote. Raises FileError where it is damaged, of another kind or newer."""
    kind = values.get("format") if isinstance(values, Mapping) else None
    if kind not in VERSIONS:
        known = ", ".join(map(repr, VERSIONS))
        raise FileError(f"this is not a saved explanation (no format of {known}); give what save() wrote")
    version, newest = values.get("version"), VERSIONS[kind]
    if type(version) is int and version > newest:
        raise FileError(f"this explanation was saved in version {version}, newer than {newest}: upgrade exegesis")
    try:
        if type(version) is not int or version < 1:
            raise ValueError(f"its version is {version!r}")
        if kind == STUDY:
            return restore_study(values)
        if kind == EVALUATION:
            return restore_evaluation(values)
        return restore(values) if kind == FORMAT else restore_hierarchy(values)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise FileError(f"damaged explanation ({reason}); save it again") from error


def _number(value: Number) -> Any:
    if np.ndim(value):
        return [_number(v) for v in np.asarray(value).tolist()]
    return float(value) if math.isfinite(float(value)) else None


def to_json(results: Sequence[Result]) -> str:
    """One result as an object, several as a list; ASCII, indented."""
    values = [result.to_dict() for result in results]
    return json.dumps(values[0] if len(values) == 1 else values, indent=1, allow_nan=False) + "\n"


def to_jsonl(results: Sequence[Result]) -> str:
    """One result a line."""
    return "".join(json.dumps(result.to_dict(), allow_nan=False) + "\n" for result in results)


def read(path: str | os.PathLike[str]) -> Saved | list[Saved]:
    """Read what ``save`` wrote: one Attribution, Hierarchy or Evaluation from a ``.json`` of one, else a list of them.

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


def _parse(content: str, where: str) -> Saved:
    return _located(_json(content, where), where)


def _located(values: Any, where: str) -> Saved:
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
