"""Texts with written explanations: tables and JSON lines with a column for each, and the files of e-SNLI and CoS-E."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exegesis.core.containers import shown
from exegesis.core.disk.files import read_text
from exegesis.core.errors import FileError, UsageError
from exegesis.data.tables import read_table

COPIES = 50  # an explanation that stands so often says nothing of its text


@dataclass(frozen=True)
class Written:
    """A text, or a pair, with its label, the labels that it may have, and what people wrote to explain the label."""

    text: str | tuple[str, str]
    label: str
    choices: tuple[str, ...]
    explanations: tuple[str, ...]


def read_written(
    source: str | Path, split: str = "train", *, text: str = "text", pair: str | None = None, label: str = "label",
    explanation: str = "explanation",
) -> list[Written]:  # fmt: skip
    """Texts with their explanations, in order.

    ``source`` is a folder of e-SNLI (``s1.dev``, ``s2.dev``, ``labels.dev``, ``preproc1_expl_1.dev`` ...: by lines),
    a folder of CoS-E (``dev_rand_split.jsonl`` beside ``cose_dev_v1.0.jsonl``), or a table or JSON lines with the
    columns named. Of e-SNLI each text has up to three explanations. Explanations that stand for ``COPIES`` texts or
    more, as hundreds of CoS-E's do, and blank ones are left out with their texts.

    Raises FileError for files that are missing or do not fit, UsageError if nothing is left.
    """
    path = Path(source)
    if (path / f"labels.{split}").is_file():
        found = _esnli(path, split)
    elif path.is_dir():
        found = _cose(path, split)
    else:
        found = _table(path, text, pair, label, explanation)
    counts = Counter(explanation for one in found for explanation in set(one.explanations))
    left = []
    for one in found:
        own = tuple(said for said in one.explanations if said.strip() and counts[said] < COPIES)
        if own:
            left.append(Written(one.text, one.label, one.choices, own))
    if not left:
        raise UsageError(f"{path}: no text has an explanation of its own; give texts with explanations")
    return left


def _lines(path: Path) -> list[str]:
    return read_text(path).splitlines()


def _esnli(folder: Path, split: str) -> list[Written]:
    parts = [_lines(folder / f"{name}.{split}") for name in ("s1", "s2", "labels")]
    told = [_lines(path) for path in sorted(folder.glob(f"preproc1_expl_*.{split}"))]
    if not told or len({len(part) for part in [*parts, *told]}) != 1:
        raise FileError(f"{folder}: the files of {split} do not have one line for each text; copy them again")
    labels = tuple(sorted(set(parts[2])))
    return [
        Written((first, second), label, labels, tuple(said))
        for first, second, label, *said in zip(*parts, *told, strict=True)
    ]


def _cose(folder: Path, split: str) -> list[Written]:
    questions, told = folder / f"{split}_rand_split.jsonl", sorted(folder.glob(f"cose_{split}_*_processed.jsonl"))
    told = told or sorted(folder.glob(f"cose_{split}_*.jsonl"))
    if not questions.is_file() or not told:
        raise FileError(
            f"{folder}: holds neither e-SNLI nor CoS-E of the part {split!r}; of a table of your own name the file"
        )
    try:
        said = {_text(row["id"]): _text(row["explanation"]["open-ended"]) for row in map(json.loads, _lines(told[0]))}
        found = []
        for row in map(json.loads, _lines(questions)):
            choices = {_text(one["label"]): _text(one["text"]) for one in row["question"]["choices"]}
            if row["id"] in said:
                label, texts = choices[row["answerKey"]], tuple(choices.values())
                found.append(Written(_text(row["question"]["stem"]), label, texts, (said[row["id"]],)))
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise FileError(f"{folder}: damaged ({' '.join(str(error).split())}); copy it again") from None
    return found


def _text(value: object) -> str:
    """A value of CoS-E that must be a text. Raises TypeError for any other."""
    if not isinstance(value, str):
        raise TypeError(f"{shown(value)} in the place of a text")
    return value


def _table(path: Path, text: str, pair: str | None, label: str, explanation: str) -> list[Written]:
    table = read_table(path, names=[name for name in (text, pair, label, explanation) if name])
    columns = list(table.columns or ())
    places = [columns.index(name) if name in columns else -1 for name in (text, pair or text, label, explanation)]
    if min(places) < 0:
        wanted = ", ".join(name for name in (text, pair, label, explanation) if name)
        raise UsageError(f"{path}: needs the columns {wanted}; it has {', '.join(columns) or 'none'}")
    first, second, gold, told = places
    labels = tuple(sorted({str(row[gold]) for row in table.rows}))
    return [
        Written(
            str(row[first]) if pair is None else (str(row[first]), str(row[second])), str(row[gold]), labels,
            (str(row[told] or ""),),
        )
        for row in table.rows
    ]  # fmt: skip


def labels_of(rows: Sequence[Written]) -> tuple[str, ...]:
    """The labels that all texts may have; empty where each has choices of its own."""
    every = {one.choices for one in rows}
    return next(iter(every)) if len(every) == 1 else ()
