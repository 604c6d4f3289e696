"""Interactions as plain tables: CSV. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from exegesis.results.interactions import Interactions
from exegesis.results.result import each
from exegesis.show.tables import cell, written

COLUMNS = ("example", "model", "kind", "target", "first", "first_start", "first_stop", "second", "second_start",
           "second_stop", "interaction", "standard_error")  # fmt: skip


def csv(results: Interactions | Sequence[Interactions]) -> str:
    """One line a pair in reading order: numbers to the last digit, and where each word stands, in characters.

    ``standard_error`` is empty where the interactions are exact. Texts are written as by ``table.csv``; lines end in CR
    LF (RFC 4180).
    """
    return written(COLUMNS, _lines(each(results)))


def _lines(results: Sequence[Interactions]) -> Iterator[list[Any]]:
    for number, result in enumerate(results):
        known = [number, cell(result.model), cell(result.kind), cell(result.target)]
        words = [
            [cell(one), *result.text.characters(at)] for one, at in zip(result.words, result.text.words, strict=True)
        ]
        errors = result.details.get("standard_error")
        for pair in result.pairs():
            i, j = pair.words
            error = repr(float(errors[i][j])) if errors else ""
            yield [*known, *words[i], *words[j], repr(pair.strength), error]
