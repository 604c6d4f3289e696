"""Results that were saved in version 1, in the form of version 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

ATTRIBUTION, HIERARCHY, INTERACTIONS = "exegesis.attribution", "exegesis.hierarchy", "exegesis.interactions"
RELEVANCE, EVALUATION = "exegesis.relevance", "exegesis.evaluate"


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of version 1 in the form of version 2. Raises LookupError, TypeError or ValueError if they are damaged."""
    form = values["format"]
    if form == EVALUATION:
        contested = [[upgraded(result) for result in row] for row in values["contested"]]
        return {**values, "contested": [[result["result"] for result in row] for row in contested]}
    if form not in _PARTS:
        return dict(values)
    several, prediction, target = isinstance(values["target"], list), values["prediction"], values["target"]

    def rows(number: Any) -> Any:
        return number if several else [number]

    name, inside, interactions = _NAMES.get(form), form == RELEVANCE, form == INTERACTIONS
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


_NAMES = {ATTRIBUTION: "method", HIERARCHY: "search"}  # the field in which version 1 names the method
_Fields = Callable[[Mapping[str, Any], bool], dict[str, Any]]
_PARTS: dict[str, _Fields] = {  # the fields beside the header, from values of version 1
    ATTRIBUTION: _spans,
    HIERARCHY: _parts,
    INTERACTIONS: lambda v, _: {"values": v["interactions"], "kind": v["kind"], "how": v["how"]},
    RELEVANCE: lambda v, _: {"dimensions": v["dimensions"], "states": v["states"]},
}
