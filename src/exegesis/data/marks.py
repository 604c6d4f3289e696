"""Words that people marked in texts: truth values, ranges of characters, files of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from exegesis.core.disk.files import read_text
from exegesis.core.errors import FileError, UsageError
from exegesis.core.text import Text


def marks_of(text: Text, given: Any, where: str = "marks") -> Bool[np.ndarray, " words"]:
    """Marks of a text as one truth value per word.

    ``given`` is a list with true or false (or 1 and 0) for each word, or a list of half-open ranges of characters
    ``[start, stop]``, each of which marks every word that it touches. Raises UsageError, which begins with ``where``,
    if it does not fit the text.
    """
    count = len(text.words)
    if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str):
        raise UsageError(f"{where}: marks are a list of true or false for each word, or of pairs [start, stop]")
    values = [mark.tolist() if isinstance(mark, np.generic | np.ndarray) else mark for mark in given]
    if values and all(not isinstance(mark, Sequence) and mark in (0, 1) for mark in values):
        if len(values) != count:
            raise UsageError(f"{where}: {len(values)} marks of a text of {count} words; give one per word")
        return np.array(values, dtype=bool)
    marked = np.zeros(count, dtype=bool)
    for pair in values:
        marked |= _range(text, pair, where)
    return marked


def _range(text: Text, pair: Any, where: str) -> Bool[np.ndarray, " words"]:
    whole = isinstance(pair, Sequence) and len(pair) == 2 and all(type(edge) is int for edge in pair)
    if not whole or not 0 <= pair[0] < pair[1] <= len(text.raw):
        size = len(text.raw)
        raise UsageError(f"{where}: a range is [start, stop] inside the text of {size} characters, not {pair!r:.40}")
    start, stop = pair
    words = [text.characters(word) for word in text.words]
    touched = np.array([first < stop and start < last for first, last in words])
    if not touched.any():
        raise UsageError(f"{where}: the range {start} to {stop} touches no word")
    return touched


def read_marks(path: str | Path, raws: Sequence[str]) -> list[Any]:
    """Read the marks of texts from JSON lines: objects with ``text``, as in the data, and ``marks``.

    Returns the marks of each text, given by its characters in ``raws``, None for one that the file does not mention.
    Raises FileError, with the number of the line, for a damaged file, UsageError for a text that is not among ``raws``.
    """
    rows: dict[str, list[int]] = {}
    for i, raw in enumerate(raws):
        rows.setdefault(raw, []).append(i)
    marks: list[Any] = [None] * len(raws)
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise FileError(f"{path}, line {number}: not JSON ({error}); give one object per line") from error
        if not isinstance(values, Mapping) or not isinstance(values.get("text"), str) or "marks" not in values:
            raise FileError(f"{path}, line {number}: give an object with text (a string) and marks")
        if values["text"] not in rows:
            raise UsageError(f"{path}, line {number}: marks a text that is not among those of the data")
        for row in rows[values["text"]]:
            marks[row] = values["marks"]
    return marks
