"""Saved results: the envelope around their fields, and files of JSON and JSON lines.

``format`` names the kind of result, ``version`` the version of the form. An explanation of one text has its fields
under ``result``; its top level has words, offsets and numbers for other programs, which ``read`` ignores. Other results
have their fields on the top level. Version 1 can still be read; a newer version is refused by name. Floats are exact.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from exegesis.core.errors import FileError, unknown
from exegesis.core.files import read_text
from exegesis.core.values import from_plain, published
from exegesis.results.attribution import Attribution
from exegesis.results.evaluation import Evaluation
from exegesis.results.faults import Failures, Repair, Substitution, Summary
from exegesis.results.hierarchy import Hierarchy
from exegesis.results.interactions import Interactions
from exegesis.results.recommendation import Recommendation
from exegesis.results.relevance import Relevance
from exegesis.results.result import VERSION, Saved, register_reader
from exegesis.results.study import Study, WordClasses, WordUses

STUDIES = {kind.kind: kind for kind in (WordClasses, WordUses, Failures, Summary, Substitution, Repair)}
FORMS: dict[str, type[Saved]] = {
    kind.form: kind for kind in (Attribution, Hierarchy, Interactions, Relevance, Evaluation, Study, Recommendation)
}


def from_dict(values: Any) -> Saved:
    """The result in values that ``to_dict`` wrote.

    Raises FileError if they are damaged, of an unknown kind or of a newer version.
    """
    form = values.get("format") if isinstance(values, Mapping) else None
    if not isinstance(form, str) or form not in FORMS:
        forms = ", ".join(map(repr, FORMS))
        raise FileError(f"this is not a saved explanation (no format of {forms}); give what save() wrote")
    version = values.get("version")
    if type(version) is int and version > VERSION:
        raise FileError(f"this explanation was saved in version {version}, newer than {VERSION}: upgrade exegesis")
    kind = FORMS[form]
    try:
        if type(version) is not int or version < 1:
            raise ValueError(f"its version is {version!r:.40}")
        values = upgraded(values) if version == 1 else values
        if kind is Study:
            if values["study"] not in STUDIES:
                raise unknown("study", values["study"], STUDIES)
            kind = STUDIES[values["study"]]
        beside = ("format", "version", *kind.aside)
        fields = values["result"] if kind.apart else {name: part for name, part in values.items() if name not in beside}
        result: Saved = from_plain(kind, fields)
        return result
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise FileError(kind.damage.format(reason)) from error


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of version 1 in the form of version 2. Raises LookupError, TypeError or ValueError if they are damaged."""
    form = values["format"]
    if form == Evaluation.form:
        contested = [[upgraded(result) for result in row] for row in values["contested"]]
        return {**values, "contested": [[result["result"] for result in row] for row in contested]}
    if form not in _PARTS:
        return dict(values)
    several, prediction, target = isinstance(values["target"], list), values["prediction"], values["target"]

    def rows(number: Any) -> Any:
        return number if several else [number]

    name, inside, interactions = _NAMES.get(form), form == Relevance.form, form == Interactions.form
    pairwise = "Pairwise(kind={kind!r}, how={how!r})"  # version 1 does not name the method
    result = {
        "subject": {
            "text": {"raw": values["text"], **values["reading"]},
            "model": values["model"],
            "prediction": {**prediction, "labels": len(prediction["probabilities"])},
            "targets": rows(target),
            "explained": rows(values["explained"]),
        },
        "origin": {
            "name": values[name] if name else form.removeprefix("exegesis."),
            "parameters": pairwise.format(**values) if interactions else values["parameters"],
            "seconds": values["seconds"],
            "details": {} if inside else values["details"],
        },
        **_PARTS[form](values, several),
    }
    if not interactions:
        parts = {name: rows(part) for name, part in dict(values["account"]).items()}
        result["remainder"] = {"parts": parts, "complete": False if inside else values["complete"]}
    return {**values, "result": result}


def _spans(values: Mapping[str, Any], several: bool) -> dict[str, Any]:
    spans = values["spans"]
    scores = [span["score"] for span in spans]
    turned = [list(row) for row in zip(*scores, strict=True)] or [[] for _ in values["target"]] if several else [scores]
    return {"spans": [span["pieces"] for span in spans], "values": turned, "levels": [span["level"] for span in spans]}


def _parts(values: Mapping[str, Any], several: bool) -> dict[str, Any]:
    names = ("score", "interaction", "children", "step")
    parts = [{"span": part["pieces"], **{name: part[name] for name in names}} for part in values["parts"]]
    return {"parts": parts, "scorer": values["scorer"]}


_NAMES = {Attribution.form: "method", Hierarchy.form: "search"}  # the field in which version 1 names the method
_Fields = Callable[[Mapping[str, Any], bool], dict[str, Any]]
_PARTS: dict[str, _Fields] = {  # the fields beside the header, from values of version 1
    Attribution.form: _spans,
    Hierarchy.form: _parts,
    Interactions.form: lambda v, _: {"values": v["interactions"], "kind": v["kind"], "how": v["how"]},
    Relevance.form: lambda v, _: {"dimensions": v["dimensions"], "states": v["states"]},
}


register_reader(from_dict)


@published
def read(path: str | os.PathLike[str]) -> Saved | list[Saved]:
    """Read a file that ``save`` wrote: the result of a ``.json`` with a single one, else a list of results.

    Does not load torch. Raises FileError if the file is missing, damaged or empty; in a ``.jsonl`` it names the line.
    """
    content = read_text(path)
    if Path(path).suffix.lower() == ".jsonl":
        lines = [(number, line) for number, line in enumerate(content.split("\n"), 1) if line.strip()]
        if not lines:
            raise FileError(f"{path}: holds no result; save it again")
        return [_parse(line, f"{path}, line {number}") for number, line in lines]
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
