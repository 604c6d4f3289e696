"""The facts that stand over the results of one text: prediction, target, method, model, time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from exegesis.core.text import Text
from exegesis.results.header import TextResult
from exegesis.show import wording
from exegesis.show.document import Document, Fact, Facts, Part, Scale, Section

TITLE, LABEL = 120, 24  # characters of a title, of a label beside a scale
NUMBERED, TEXT = 10, "text "  # texts from which on they are numbered; the word before a number
One = TypeVar("One", bound=TextResult)


def facts(results: Sequence[TextResult], methods: Sequence[str]) -> Facts:
    """The facts that all results of a text share, each with the name of its method."""
    rows = [_facts(result, method) for result, method in zip(results, methods, strict=True)]
    shared = {name: wording.common([row[name] for row in rows]) for name in rows[0]}
    return Facts(tuple(Fact(name, text, name == "prediction") for name, text in shared.items() if text))


def _facts(result: TextResult, method: str) -> dict[str, str]:
    target = wording.target_phrase(result.target)
    several = result.prediction.labels > 1 and not math.isfinite(result.prediction.probability)  # plain numbers
    row, gold = result.example, result.example.get("gold")
    told = "" if gold is None else f" (gold: {wording.visible(str(gold))})"
    name = f" ({wording.visible(str(row['id']))})" if "id" in row else ""
    return {
        "": f"{TEXT}{row['number']}{name}" if "number" in row else "",
        "prediction": "" if several else wording.prediction_phrase(*result.prediction[:2]) + told,
        "target": f"{target} {wording.number(result.explained)}" if math.isfinite(result.explained) else target,
        "method": wording.visible(method),
        "model": wording.model_name(result.model),
    }


def section(results: Sequence[TextResult], parts: Sequence[Part]) -> Section:
    """The section of the results on one text, with the numbers by which a page sorts it."""
    first = results[0]
    keys = {"number explained": first.explained, "probability": first.prediction.probability}
    gold = first.example.get("gold")
    if gold is not None:
        keys["wrong first"] = float(gold != first.prediction.label)
    finite = tuple((name, float(value)) for name, value in keys.items() if math.isfinite(value))
    return Section(title_of(first.text), tuple(parts), keys=finite)


def labelled(scale: Scale | None, results: Sequence[TextResult]) -> Scale | None:
    """A scale that names the label which scores speak for, if all results explain a number of it alone."""
    targets = {target for result in results for target in result.targets}
    kind, _, label = targets.pop().partition(":") if len(targets) == 1 else ("", "", "")
    if scale is None or kind in ("", "margin", "output"):
        return scale
    return scale._replace(label=wording.clipped(wording.visible(label), LABEL))


def together(results: Iterable[One]) -> list[list[One]]:
    """Results of one text together, in the order in which texts first come; two equal texts of a file stay apart."""
    groups: dict[tuple[str, object], list[One]] = {}
    for result in results:
        groups.setdefault((result.text.raw, result.example.get("number")), []).append(result)
    return list(groups.values())


def assembled(kind: str, noun: str, sections: Sequence[Section]) -> Document:
    """A document of texts, titled by its text, or by how many texts there are; many texts are numbered."""
    titles = list(dict.fromkeys(section.title for section in sections))
    title = titles[0] if len(titles) == 1 else f"{len(sections)} {noun}"
    if len(sections) >= NUMBERED:
        sections = [_numbered(section, number) for number, section in enumerate(sections, 1)]
    return Document(title, kind, tuple(sections))


def _numbered(section: Section, number: int) -> Section:
    header, *rest = section.parts
    if not isinstance(header, Facts) or (header.items and header.items[0].text.startswith(TEXT)):
        return section
    return replace(section, parts=(Facts((Fact("", f"{TEXT}{number}"), *header.items)), *rest))


def title_of(text: Text, start: int = 0) -> str:
    """The beginning of a text, or its characters from ``start``, as a title; a stroke between the texts of a pair."""
    if len(text.segments) == 2 and not start:
        both = (" ".join(text.surface(segment).split()) for segment in text.segments)
        return wording.clipped(wording.visible(" / ".join(both)), TITLE)
    return wording.clipped(wording.visible(" ".join(text.raw[start : start + 4 * TITLE].split())), TITLE)
