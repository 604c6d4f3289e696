"""Rows of a store: one for each text, question and target, keyed by what determines it. A question is a method's
explanation, its evaluation by measures, or its choice of training texts.

The schema (``schema``) is plain parquet, so that pandas, polars and DuckDB read it without this package:

| column | what it holds |
|---|---|
| ``key`` | a hash of ``asked``, ``text_id`` and ``target``: what determines the row |
| ``asked`` | a hash of the model's fingerprint, kind, method, parameters, setting, level, wish, version and schema |
| ``kind`` | ``explanation``, ``evaluation`` or ``influence`` |
| ``text_id`` | a hash of the text (of both texts of a pair) |
| ``text``, ``pair`` | the text, and the second text of a pair |
| ``number``, ``name``, ``gold`` | of the first example with this text: its place, its name in the file, its label |
| ``model``, ``fingerprint`` | the model's name, and a hash of what decides its answers |
| ``device``, ``version`` | where the model ran, the version of this package |
| ``method``, ``parameters`` | the method, and its parameters as code; ``controls`` for the references of measures |
| ``setting`` | what else determines the answer: the measures as code; a hash of the training texts |
| ``level``, ``wish`` | the level and the target asked for |
| ``target``, ``explained`` | the explained number: its name (``logit:positive``) and value |
| ``label``, ``probability``, ``labels``, ``probabilities`` | the prediction |
| ``words``, ``starts``, ``stops``, ``scores`` | the words, their characters in the text, their scores: parallel lists |
| ``spans`` | phrases, clauses, the text: a list of level, text, start, stop, score |
| ``account``, ``gap`` | what no word carries, by name; what no term accounts for |
| ``measures`` | of an evaluation: a list of name, method (or control), value, and whether higher is better |
| ``sources`` | of an influence: a list of number, text, label and score of training texts, those that help first |
| ``details`` | further plain values of the result, as JSON |
| ``error`` | why the text could not be explained; then the numbers are missing |

A pair's characters count from the start of both texts joined by a line break. A measure without a number for a text is
left out of ``measures``. A score of a training text above zero says that it helps (``exegesis.influence``).

Version 1 of the schema had explanations alone, without ``kind``, ``setting``, ``measures`` and ``sources``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from exegesis.core.errors import MissingExtraError
from exegesis.core.plain import to_plain
from exegesis.core.text import Span, Text
from exegesis.data.examples import Example
from exegesis.results.attribution import Attribution
from exegesis.results.hierarchy import Hierarchy
from exegesis.results.influence import Influence

if TYPE_CHECKING:
    import pyarrow as pa

FORM = 2  # the version of the schema
EXPLANATION, EVALUATION, INFLUENCE = KINDS = ("explanation", "evaluation", "influence")
TEXTS = ("key", "asked", "kind", "text_id", "text", "pair", "name", "gold", "model", "fingerprint", "device", "version",
         "method", "parameters", "setting", "level", "wish", "target", "label", "details", "error")  # fmt: skip
NUMBERS = ("explained", "probability", "gap")
_WORDS = ("labels", "words", "account.name", "spans.level", "measures.name", "measures.method", "sources.text",
          "sources.label")  # fmt: skip
REPEATED = [*(name for name in TEXTS if name not in ("key", "text_id", "text")),
            *(f"{name}.list.element{'.' * bool(part)}{part}"
              for name, _, part in (entry.partition(".") for entry in _WORDS))]  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A question as the rows of its answers name it."""

    kind: str
    model: str
    fingerprint: str
    device: str
    version: str
    method: str
    parameters: str
    level: str
    wish: str
    setting: str = ""

    @cached_property
    def id(self) -> str:
        """A hash of all that determines a row beside its text; the model's name and the device do not."""
        named = (self.fingerprint, self.version, self.kind, self.method, self.parameters, self.setting, self.level)
        return digest(*named, self.wish, FORM)

    @cached_property
    def columns(self) -> dict[str, str]:
        """The columns of a row that name the question."""
        return {"asked": self.id, **asdict(self)}


class Number(NamedTuple):
    """What a measure says of the scores of a method, or of a control; ``higher`` if higher is better."""

    name: str
    method: str
    value: float
    higher: bool


@dataclass(frozen=True, eq=False)
class Measured:
    """An explanation, and what measures say of it, or of the controls that stand in for it."""

    result: Attribution
    numbers: tuple[Number, ...]


Answer = Attribution | Hierarchy | Measured | Influence


def digest(*parts: object, size: int = 16) -> str:
    """A hash of plain values, in hex."""
    return hashlib.blake2b(json.dumps(parts).encode("ascii"), digest_size=size).hexdigest()


def text_id(example: Example) -> str:
    """A hash of a text, without its label."""
    return digest(example.text)


def arrow() -> Any:
    """The package pyarrow with its parquet part. Raises MissingExtraError without it."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("pyarrow", "runs", "a store of explanations") from None
    return pyarrow


def schema() -> pa.Schema:
    """The columns of a store."""
    pa = arrow()
    strings, whole, numbers = pa.list_(pa.string()), pa.list_(pa.int32()), pa.list_(pa.float64())
    span = pa.struct([("level", pa.string()), ("text", pa.string()), ("start", pa.int32()), ("stop", pa.int32()),
                      ("score", pa.float64())])  # fmt: skip
    part = pa.struct([("name", pa.string()), ("value", pa.float64())])
    measure = pa.struct([("name", pa.string()), ("method", pa.string()), ("value", pa.float64()),
                         ("higher", pa.bool_())])  # fmt: skip
    source = pa.struct([("number", pa.int64()), ("text", pa.string()), ("label", pa.string()),
                        ("score", pa.float64())])  # fmt: skip
    lists = {"labels": strings, "probabilities": numbers, "words": strings, "starts": whole, "stops": whole,
             "scores": numbers, "spans": pa.list_(span), "account": pa.list_(part),
             "measures": pa.list_(measure), "sources": pa.list_(source)}  # fmt: skip
    kinds = {**dict.fromkeys(TEXTS, pa.string()), **dict.fromkeys(NUMBERS, pa.float64()), "number": pa.int64(), **lists}
    order = ("key", "asked", "kind", "text_id", "text", "pair", "number", "name", "gold", "model", "fingerprint",
             "device", "version", "method", "parameters", "setting", "level", "wish", "target", "explained", "label",
             "probability", "labels", "probabilities", "words", "starts", "stops", "scores", "spans", "account", "gap",
             "measures", "sources", "details", "error")  # fmt: skip
    return pa.schema([(name, kinds[name]) for name in order])


def rows_of(asked: Asked, example: Example, answer: Answer | str) -> Iterator[dict[str, Any]]:
    """The rows of a text's answer, one for each target; of a failure (the reason as a string) a single one."""
    first, second = (example.text, None) if isinstance(example.text, str) else example.text
    own = text_id(example)
    head: dict[str, Any] = {
        "text_id": own, "text": first, "pair": second, "number": example.number,
        "name": example.name, "gold": example.label, **asked.columns,
    }  # fmt: skip
    if isinstance(answer, str):
        yield {**head, "key": digest(asked.id, own, None), "error": answer}
        return
    result = answer.result if isinstance(answer, Measured) else answer
    predicted = result.prediction
    head |= {
        "label": predicted.label, "probability": predicted.probability, "labels": list(predicted.probabilities),
        "probabilities": list(predicted.probabilities.values()), "details": _json(result.details),
    }  # fmt: skip
    if not isinstance(answer, Attribution):
        yield {**head, "key": digest(asked.id, own, result.target), "target": result.target,
               "explained": float(result.explained), **_beside(answer)}  # fmt: skip
        return
    for part in answer.each_target():
        own_words = [i for i, level in enumerate(part.levels) if level == "word"]
        places = [part.text.characters(part.spans[i]) for i in own_words]
        yield {
            **head, "key": digest(asked.id, own, part.target), "target": part.target,
            "explained": float(part.explained), "gap": float(part.gap),
            "account": [{"name": name, "value": float(value)} for name, value in part.account.items()],
            "words": [part.text.raw[start:stop] for start, stop in places],
            "starts": [start for start, _ in places], "stops": [stop for _, stop in places],
            "scores": part.values[0, own_words].tolist(),
            "spans": [_span(part, i) for i, level in enumerate(part.levels) if level != "word"],
        }  # fmt: skip


def _beside(answer: Hierarchy | Measured | Influence) -> dict[str, Any]:
    """The columns of an answer that is no list of words' scores."""
    if isinstance(answer, Hierarchy):
        return _tree(answer)
    if isinstance(answer, Measured):
        return {"measures": [one._asdict() for one in answer.numbers], "details": None}
    details = {"unit": answer.unit, "notes": list(answer.notes), "training_texts": len(answer.scores)}
    sources = [{"number": s.number, "text": s.text, "label": s.label, "score": s.score} for s in answer.sources]
    return {"sources": sources, "details": _json({**answer.details, **details})}


def _tree(result: Hierarchy) -> dict[str, Any]:
    """The columns of a tree: its words, and its phrases from the smallest; their heights, steps and interactions, in
    the order of ``spans``, stand in ``details``."""
    leaves = [part for part in result.parts if not part.children]
    inner = [(part, height) for part, height in zip(result.parts, result.heights, strict=True) if part.children]
    places = [result.text.characters(part.span) for part in leaves]
    details = {
        **result.details, "heights": [height for _, height in inner], "steps": [part.step for part, _ in inner],
        "interactions": [part.interaction for part, _ in inner],
    }  # fmt: skip
    return {
        "gap": float(result.gap),
        "account": [{"name": name, "value": float(value)} for name, value in result.account.items()],
        "words": [result.text.raw[start:stop] for start, stop in places],
        "starts": [start for start, _ in places], "stops": [stop for _, stop in places],
        "scores": [float(part.score) for part in leaves], "details": _json(details),
        "spans": [_entry(result.text, "phrase", part.span, float(part.score)) for part, _ in inner],
    }  # fmt: skip


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of the schema; a lone surrogate, which UTF-8 cannot hold, becomes ``\\udXXX``."""
    names, package = schema(), arrow()
    columns = {name: [row.get(name) for row in rows] for name in names.names}
    try:
        return package.Table.from_pydict(columns, names)
    except UnicodeEncodeError:
        return package.Table.from_pydict({name: _utf8(column) for name, column in columns.items()}, names)


def _span(part: Attribution, i: int) -> dict[str, Any]:
    return _entry(part.text, part.levels[i], part.spans[i], float(part.values[0, i]))


def _entry(text: Text, level: str, span: Span, score: float) -> dict[str, Any]:
    start, stop = text.characters(span)
    return {"level": level, "text": text.surface(span), "start": start, "stop": stop, "score": score}


def _json(details: Mapping[str, Any]) -> str:
    return json.dumps(to_plain(details), sort_keys=True) if details else ""


def _utf8(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_utf8(part) for part in value]
    return {name: _utf8(part) for name, part in value.items()} if isinstance(value, dict) else value
