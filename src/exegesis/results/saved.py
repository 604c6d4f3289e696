"""Results as plain values and back: JSON, JSONL, pandas. Imports no torch.

The form is versioned: ``format`` names it (``exegesis.attribution`` and the others below), ``version`` is its number.
Reading refuses a newer version by name. Floats are written so that they read back to the last bit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.core.errors import FileError, MissingExtraError
from exegesis.core.files import read_text
from exegesis.results.attribution import Attribution
from exegesis.results.evaluated import FORMAT as EVALUATION
from exegesis.results.evaluated import VERSION as EVALUATED
from exegesis.results.evaluated import restore_evaluation
from exegesis.results.evaluation import Evaluation
from exegesis.results.forms import number, prediction, reading
from exegesis.results.hierarchy import Hierarchy
from exegesis.results.interactions import Interactions
from exegesis.results.matrices import INTERACTIONS, RELEVANCE, restore_interactions, restore_relevance
from exegesis.results.recommendation import FORMAT as RECOMMENDATION
from exegesis.results.recommendation import VERSION as RECOMMENDED
from exegesis.results.recommendation import Recommendation, restore_recommendation
from exegesis.results.relevance import Relevance
from exegesis.results.restoring import restore, restore_hierarchy
from exegesis.results.result import Result
from exegesis.results.study import FORMAT as STUDY
from exegesis.results.study import VERSION as STUDIED
from exegesis.results.study import Study, restore_study

if TYPE_CHECKING:
    import pandas as pd

FORMAT, HIERARCHY = "exegesis.attribution", "exegesis.hierarchy"
Saved = Attribution | Hierarchy | Interactions | Relevance | Evaluation | Study | Recommendation
FORMS: dict[str, tuple[int, Callable[[Mapping[str, Any]], Saved]]] = {
    FORMAT: (1, restore),
    HIERARCHY: (1, restore_hierarchy),
    INTERACTIONS: (1, restore_interactions),
    RELEVANCE: (1, restore_relevance),
    EVALUATION: (EVALUATED, restore_evaluation),
    STUDY: (STUDIED, restore_study),
    RECOMMENDATION: (RECOMMENDED, restore_recommendation),
}


def to_dict(result: Attribution) -> dict[str, Any]:
    """The plain form. ``words``, ``offsets`` and ``scores`` run side by side; other levels stand in ``spans``."""
    words = result.at("word") if "word" in result.levels else None
    several = result.scores.ndim > 1
    values: dict[str, Any] = {
        "format": FORMAT,
        "version": FORMS[FORMAT][0],
        "text": result.text.raw,
        "prediction": prediction(result.prediction),
        "target": list(result.targets) if several else result.target,
        "method": result.name,
        "parameters": result.method,
        "model": result.model,
        "words": list(result.words),
        "offsets": [list(pair) for pair in result.offsets],
        "scores": None if words is None else words.scores.tolist(),
        "explained": number(result.explained),
        "residual": number(result.residual),
        "account": {name: number(part) for name, part in result.account.items()},
        "gap": number(result.gap),
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
        "reading": reading(result.text),
    }
    return values


def hierarchy_to_dict(result: Hierarchy) -> dict[str, Any]:
    """The plain form of a hierarchy. ``parts`` stand as in the result: children before what they make up."""
    return {
        "format": HIERARCHY,
        "version": FORMS[HIERARCHY][0],
        "text": result.text.raw,
        "prediction": prediction(result.prediction),
        "target": result.target,
        "search": result.name,
        "scorer": result.scorer,
        "parameters": result.method,
        "model": result.model,
        "explained": number(result.explained),
        "account": {name: number(part) for name, part in result.account.items()},
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
        "reading": reading(result.text),
    }


def from_dict(values: Any) -> Saved:
    """The result that ``to_dict`` wrote. Raises FileError where it is damaged, of another kind or newer."""
    kind = values.get("format") if isinstance(values, Mapping) else None
    if not isinstance(kind, str) or kind not in FORMS:
        known = ", ".join(map(repr, FORMS))
        raise FileError(f"this is not a saved explanation (no format of {known}); give what save() wrote")
    version, (newest, restored) = values.get("version"), FORMS[kind]
    if type(version) is int and version > newest:
        raise FileError(f"this explanation was saved in version {version}, newer than {newest}: upgrade exegesis")
    try:
        if type(version) is not int or version < 1:
            raise ValueError(f"its version is {version!r}")
        return restored(values)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise FileError(f"damaged explanation ({reason}); save it again") from error


def to_json(results: Sequence[Result]) -> str:
    """One result as an object, several as a list; ASCII, indented."""
    values = [result.to_dict() for result in results]
    return json.dumps(values[0] if len(values) == 1 else values, indent=1, allow_nan=False) + "\n"


def to_jsonl(results: Sequence[Result]) -> str:
    """One result a line."""
    return "".join(json.dumps(result.to_dict(), allow_nan=False) + "\n" for result in results)


def read(path: str | os.PathLike[str]) -> Saved | list[Saved]:
    """Read what ``save`` wrote: one result of any kind from a ``.json`` of one, else a list of them.

    Loads no torch. Raises FileError, naming the line of a ``.jsonl``, where the file is missing, damaged or holds no
    result.
    """
    content = read_text(path)
    if Path(path).suffix.lower() == ".jsonl":
        found = [
            _parse(line, f"{path}, line {number}") for number, line in enumerate(content.split("\n"), 1) if line.strip()
        ]
        if not found:
            raise FileError(f"{path}: holds no result; save it again")
        return found
    values = _json(content, str(path))
    if values == []:
        raise FileError(f"{path}: holds no result; save it again")
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
