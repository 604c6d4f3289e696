"""The character between the cells of a table, found by its header or by its rows."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Literal

SEPARATORS = (",", ";", "\t", "|")
BEGINNING = 100_000  # characters of a table that are looked at
_STATED = re.compile(r"sep=([^\r\n])[,;\t| ]*(?:\r\n|\r|\n)")  # the first line of what a spreadsheet writes


def separator_of(content: str, usual: str, known: Collection[str]) -> tuple[str, bool]:
    """The separator of a table, and whether its first line only states it.

    It is the ``usual`` one, unless another one alone makes ``known`` column names of the first row; or, if no
    separator does, unless the usual one gives rows of one cell or of several lengths, and another one gives rows of
    one length, at least two, of two cells or more. A semicolon or bar within a sentence, before a blank, separates
    nothing.
    """
    stated = _STATED.match(content)
    if stated:
        return stated[1], True
    others = [one for one in SEPARATORS if one != usual]
    rows = {one: _rows(content, one, quoted=usual != "\t") for one in (usual, *others)}
    named = [one for one in rows if rows[one] and any(cell.strip().lower() in known for cell in rows[one][0])]
    if usual in named:
        return usual, False
    if named:
        return max(named, key=lambda one: len(rows[one][0])), False
    if _regular(rows[usual]):
        return usual, False
    regular = [one for one in others if _regular(rows[one]) and len(rows[one]) > 1 and not _in_sentences(rows[one])]
    return (regular[0] if len(regular) == 1 else usual), False


def _rows(content: str, separator: str, *, quoted: bool) -> list[list[str]]:
    """The first rows that are not blank; none if they cannot be read. Where tabs are usual, quotes mean nothing."""
    begin = content[:BEGINNING]
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    try:
        with long_fields():
            found = list(csv.reader(io.StringIO(begin, newline=""), delimiter=separator, quoting=quoting))
    except csv.Error:
        return []
    return [row for row in (found[:-1] if len(begin) < len(content) else found) if any(cell.strip() for cell in row)]


@contextmanager
def long_fields() -> Iterator[None]:
    """Lift the csv module's limit on the length of a cell and restore it."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _regular(rows: list[list[str]]) -> bool:
    """True if all rows have as many cells, two or more."""
    return len({len(row) for row in rows}) == 1 and len(rows[0]) > 1


def _in_sentences(rows: list[list[str]]) -> bool:
    """True if the separator stands before a blank somewhere, as a mark of a sentence."""
    return any(cell[:1] == " " for row in rows for cell in row[1:])
