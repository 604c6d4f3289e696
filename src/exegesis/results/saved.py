"""Saved results: files of JSON and JSON lines.

``format`` names the kind of result, ``version`` the version of the form. An explanation of one text has its fields
under ``result``; its top level has words, offsets and numbers for other programs, which ``read`` ignores. Other results
have their fields on the top level. Version 1 can still be read; a newer version is refused by name. Floats are exact.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast

from exegesis.core.disk.files import read_text
from exegesis.core.errors import FileError
from exegesis.core.values import published
from exegesis.results.result import Result, Results, Saved, restored


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
        return _several([_parse(line, f"{path}, line {number}") for number, line in lines])
    values = _json(content, str(path))
    if values == []:
        raise FileError(f"{path}: holds no result; save it again")
    if isinstance(values, list):
        return _several([_located(value, f"{path}, item {number}") for number, value in enumerate(values, 1)])
    return _located(values, str(path))


def _several(read: list[Saved]) -> list[Saved]:
    results = [value for value in read if isinstance(value, Result)]
    return cast(list[Saved], Results(results)) if len(results) == len(read) else read


def _json(content: str, where: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{where}: not JSON ({error}); save it again") from error


def _parse(content: str, where: str) -> Saved:
    return _located(_json(content, where), where)


def _located(values: Any, where: str) -> Saved:
    try:
        return restored(values)
    except FileError as error:
        raise FileError(f"{where}: {error}") from error
