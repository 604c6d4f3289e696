"""Model cards in the form of the Hugging Face hub, made of a report."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exegesis.core.disk.files import as_path, write_whole
from exegesis.core.errors import UsageError
from exegesis.core.escapes import code
from exegesis.models.trained.folder import is_model_folder
from exegesis.results.behaviour.report import Chapter, Rate, Report, Slice
from exegesis.results.evaluation import Evaluation, Mean
from exegesis.show import document_of
from exegesis.show.markdown import blocks, plain, table
from exegesis.show.wording import decimal

TASK = ("text-classification", "Text Classification")
_SLUG = re.compile(r"[^\w.-]+")


def card(
    report: Report,
    path: str | os.PathLike[str] | None = None,
    *,
    license: str | None = None,
    language: Sequence[str] = (),
    about: str = "",
) -> str:
    """A model card of a report: Markdown behind metadata in YAML, as the Hugging Face hub reads it.

    The metadata name the task, the ``license`` (``apache-2.0``) and ``language`` (``en``, or several) if they are
    given, and the accuracy of the report with the data it was measured on (``model-index``), which
    ``huggingface_hub.ModelCard`` and ``EvalResult`` read. ``about`` is the author's own Markdown, placed first: what
    the model is for, which no report knows. The text holds the report's chapters: what they say, their tables, and the
    commands that repeat them; pictures and words in colour stay in the report itself.

    Returns the card; with a ``path`` it is also written there, completely or not at all. Raises FileError if it cannot
    be written, UsageError for a path in a folder of ``exegesis train``, whose README holds the checksums of its files.
    """
    if not isinstance(report, Report):
        raise UsageError(f"a card is made of a report (exegesis.study.report), not {type(report).__name__}")
    languages = [language] if isinstance(language, str) else list(language)
    lines = ["---", *_yaml(_metadata(report, license, languages)), "---", ""]
    content = "\n".join(lines) + "\n" + "\n\n".join(_text(report, about)) + "\n"
    if path is not None:
        check_card(path)
        write_whole(path, content.encode("utf-8", "backslashreplace"))
    return content


def check_card(path: str | os.PathLike[str]) -> None:
    """Raise UsageError for a path where no card can stand."""
    place = as_path(path, "a card is the name of a file")
    if place.suffix.lower() != ".md":
        raise UsageError(f"a card is a .md file, such as README.md, not {place.name}")
    if is_model_folder(place.parent):
        raise UsageError(
            f"{place.parent} is a model of exegesis train, whose README holds checksums: name another place"
        )


def _metadata(report: Report, license: str | None, languages: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {} if not languages else {"language": list(languages)}
    if license:
        found["license"] = license
    name = Path(report.facts.get("model", "model")).name
    found |= {"pipeline_tag": TASK[0], "tags": ["exegesis", "explainability"]}
    whole = next((one for chapter in report.chapters for one in chapter.slices if one.group == "all"), None)
    if whole is not None and math.isfinite(whole.right.value):
        data = Path(report.facts.get("data", "")).name or "texts"
        measured = {"type": "accuracy", "value": round(whole.right.value, 6), "name": "Accuracy"}
        result = {
            "task": {"type": TASK[0], "name": TASK[1]},
            "dataset": {"type": _SLUG.sub("-", data).strip("-.") or "texts", "name": data},
            "metrics": [measured],
        }  # fmt: skip
        found |= {"metrics": ["accuracy"], "model-index": [{"name": name, "results": [result]}]}
    return found


def _yaml(value: Any, depth: int = 0) -> Iterator[str]:
    """Plain values as lines of YAML in blocks; texts and numbers as in JSON, which YAML reads."""
    pad = "  " * depth
    pairs = value.items() if isinstance(value, Mapping) else ((None, one) for one in value)
    for name, one in pairs:
        head = f"{pad}{name}:" if name is not None else f"{pad}-"
        if isinstance(one, Mapping | list):
            yield head
            yield from _yaml(one, depth + 1)
        else:
            yield f"{head} {json.dumps(one)}".replace("<", "\\u003c")  # also for what shows the lines as they stand


def _text(report: Report, about: str) -> Iterator[str]:
    yield f"# {plain(Path(report.facts.get('model', 'A model')).name)}"
    if about.strip():
        yield about.strip()
    facts = "\n".join(f"- {plain(name)}: {plain(text)}" for name, text in report.facts.items())
    yield f"## Model and data\n\n{facts}"
    for chapter in report.chapters:
        yield from _chapter(chapter)
    if report.command:
        yield f"## How this was made\n\nThe whole report, with its pictures: {code(report.command)}"


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield f"## {plain(chapter.title)}"
    yield f"*{plain(chapter.question)}*"
    yield from (plain(sentence) for sentence in chapter.sentences)
    if chapter.slices:
        names = ("texts", "number", "with label", "accuracy", "95 % interval")
        yield table(names, [_row(one) for one in chapter.slices])
    for result in chapter.results:
        yield from blocks(document_of(result))
        if isinstance(result, Evaluation):
            yield _measured(result)
    if chapter.command:
        yield "\n".join(f"- To repeat this: {code(command)}" for command in chapter.command.split("; "))


def _measured(result: Evaluation) -> str:
    """A table of the means of all measures, with their intervals, by method and control."""
    rows = []
    for measure in result.measures:
        means = (result.mean(measure.name, name) for name in result.names)
        rows.append(
            [f"{plain(measure.name)} ({'higher' if measure.higher else 'lower'} is better)", *map(_mean, means)]
        )
    return table(["measure", *map(plain, result.names)], rows)


def _mean(mean: Mean) -> str:
    if math.isnan(mean.value):
        return " "
    between = "" if math.isnan(mean.low) else f" ({decimal(mean.low, 3)} to {decimal(mean.high, 3)})"
    return decimal(mean.value, 3) + between


def _row(one: Slice) -> list[str]:
    value, low, high = (f"{100 * number:.1f} %" if math.isfinite(number) else " " for number in Rate(*one.right))
    return [plain(one.group), f"{one.texts:,}", f"{one.labelled:,}", value, f"{low} to {high}" if low.strip() else " "]
