"""Explanations to evaluate: those of a method over all texts, and those of other tools read from JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from exegesis.core.disk.files import read_text
from exegesis.core.errors import FileError, UsageError
from exegesis.core.text import Text
from exegesis.core.values import same
from exegesis.results.attribution import Attribution
from exegesis.results.header import Account, Origin, Prediction, Subject


@dataclass(frozen=True, eq=False)
class Explanations:
    """The explanations of the texts by one method, in order; None for texts that it does not explain.

    ``labelled`` holds further explanations of one label, whatever is predicted, by that label.
    """

    name: str
    results: Sequence[Attribution | None]
    parameters: str = ""
    labelled: Mapping[str, Sequence[Attribution | None]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Mean seconds per text; NaN if the time was not measured."""
        times = [result.seconds for result in self.results if result is not None and result.seconds > 0]
        return float(np.mean(times)) if times else math.nan


def read_explanations(path: str | Path, texts: Sequence[Text], label: str | None = None) -> list[Explanations]:
    """Read explanations of these texts from JSON lines: as written by ``save``, or plain; by one method or several.

    A plain line is an object with ``text`` (the whole text, as in the data; the parts of a pair joined by a newline),
    ``scores`` (one number per unit), and either ``words`` (strings that occur in the text in this order) or ``offsets``
    (their half-open ranges of characters [start, stop]). Optional: ``method`` (by default the file's name), ``target``
    (``logit:LABEL``, ``probability:LABEL`` or a label; by default ``label``), ``explained`` (the explained number),
    ``probabilities`` (an object of labels), ``account``, ``seconds``. Values that are present are checked against the
    model.

    Units finer than the model's words are summed into words. Raises FileError, with the line, for a damaged file,
    UsageError for a text that is not among the texts, or for units that cross or leave out a word.
    """
    rows: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        rows.setdefault(text.raw, []).append(i)
    by_method: dict[str, list[Attribution | None]] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        values = _object(line, where)
        result = _result(values, texts, rows, where, label, Path(path).stem)
        if result.text.raw not in rows:
            raise UsageError(f"{where}: explains a text that is not among those evaluated: {result.text.raw[:40]!r}")
        try:
            place(by_method.setdefault(result.name, [None] * len(texts)), rows[result.text.raw], result)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
    if not by_method:
        raise FileError(f"{path}: holds no explanations; give one per line")
    return [Explanations(name, results) for name, results in by_method.items()]


def place(explanations: list[Attribution | None], rows: Sequence[int], result: Attribution) -> None:
    """Assign an explanation to each copy of its text.

    Raises UsageError if a different explanation, with other scores or another target, is there already.
    """
    before = explanations[rows[0]]
    if before is not None and (before.targets != result.targets or not same(before.scores, result.scores)):
        raise UsageError(
            f"two different explanations by {result.name} of {result.text.raw[:40]!r} ({before.targets[0]}, "
            f"{result.targets[0]}): give one, or name the methods apart"
        )
    for row in rows:
        explanations[row] = result


def _object(line: str, where: str) -> Mapping[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{where}: not JSON ({error}); give one object per line") from error
    if not isinstance(values, Mapping):
        raise FileError(f"{where}: not a JSON object; give one object per line")
    return values


def _result(
    values: Mapping[str, Any], texts: Sequence[Text], rows: Mapping[str, Sequence[int]], where: str,
    label: str | None, name: str,
) -> Attribution:  # fmt: skip
    try:
        if values.get("format") == Attribution.form:
            return Attribution.from_dict(values)
        raw = str(values.get("text"))
        if raw not in rows:
            raise UsageError(f"explains a text that is not among those evaluated: {raw[:40]!r}")
        return _plain(values, texts[rows[raw][0]], label, name)
    except (FileError, UsageError) as error:
        raise type(error)(f"{where}: {error}") from error


def _plain(values: Mapping[str, Any], text: Text, label: str | None, name: str) -> Attribution:
    scores, offsets = _numbers(values.get("scores")), _offsets(values, text.raw)
    if len(scores) != len(offsets):
        raise FileError(f"{len(scores)} scores of {len(offsets)} words or offsets; give one each")
    target = values.get("target", label)
    if not isinstance(target, str):
        raise UsageError('says no target; add "target": "LABEL" to each line, or name one label for all')
    explained = values.get("explained")
    named = values.get("probabilities") or {}
    if not isinstance(named, Mapping):
        raise FileError("probabilities are an object of labels with a number each")
    probabilities = {str(key): float(_numbers([value])[0]) for key, value in named.items()}
    best = max(probabilities, key=lambda label: probabilities[label]) if probabilities else target.rpartition(":")[2]
    account = values.get("account") or {}
    if not isinstance(account, Mapping):
        raise FileError("the account is an object of names with a number each")
    number = math.nan if explained is None else float(_numbers([explained])[0])
    method, seconds = str(values.get("method", name)), float(_numbers([values.get("seconds", 0.0)])[0])
    prediction = Prediction(best, probabilities.get(best, math.nan), probabilities, len(probabilities))
    return Attribution(
        Subject(text, "", prediction, (target,), (number,)),
        Origin(method, method, seconds),
        text.words,
        _over_words(scores, offsets, text)[None],
        remainder=Account({str(part): (float(_numbers([value])[0]),) for part, value in account.items()}),
    )


def _over_words(scores: np.ndarray, offsets: Sequence[tuple[int, int]], text: Text) -> np.ndarray:
    """Sum the scores of units into the model's words. Raises UsageError if the units do not fit."""
    words = [text.characters(word) for word in text.words]
    totals, covered = np.zeros(len(words)), np.zeros(len(words), dtype=bool)
    for score, (start, stop) in zip(scores, offsets, strict=True):
        touched = [i for i, (first, last) in enumerate(words) if first < stop and start < last]
        inside = [i for i in touched if words[i][0] <= start and stop <= words[i][1]]
        if len(touched) == 1 and (inside or words[touched[0]] == (start, stop)):
            totals[touched[0]] += score
            covered[touched[0]] = True
        elif touched:
            word = text.raw[slice(*words[touched[0]])]
            raise UsageError(f"{text.raw[start:stop]!r} runs over the edge of a word of the model ({word!r})")
        elif score:
            raise UsageError(f"{text.raw[start:stop]!r} is not a word of the model, and has the score {score:g}")
    if not covered.all():
        missing = text.raw[slice(*words[int(np.argmin(covered))])]
        raise UsageError(f"the word {missing!r} has no score; give every word one")
    return totals


def _offsets(values: Mapping[str, Any], raw: str) -> list[tuple[int, int]]:
    offsets = values.get("offsets")
    if offsets is None:
        return _located(values.get("words"), raw)
    whole = isinstance(offsets, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(type(edge) is int for edge in pair) for pair in offsets
    )
    if not whole or not all(0 <= start <= stop <= len(raw) for start, stop in offsets):
        raise FileError("offsets are pairs of characters [start, stop] inside the text")
    return [(start, stop) for start, stop in offsets]


def _located(words: Any, raw: str) -> list[tuple[int, int]]:
    """The ranges of words in a text, each after the previous one."""
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise FileError("give words (a list of strings) or offsets beside the scores")
    ranges, at = [], 0
    for word in words:
        start = raw.find(word, at)
        if start < 0:
            raise UsageError(f"the word {word!r} does not occur in the text after the words before it")
        at = start + len(word)
        ranges.append((start, at))
    return ranges


def _numbers(values: Any) -> np.ndarray:
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise FileError("scores and other amounts are plain numbers")
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError:  # a whole number beyond floats
        numbers = np.array([math.inf])
    if not np.isfinite(numbers).all():
        raise FileError("scores and other amounts must be finite")
    return numbers
