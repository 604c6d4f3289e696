"""Hierarchies as plain tables: CSV. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from exegesis.results.hierarchy import Hierarchy
from exegesis.results.result import each
from exegesis.show.tables import cell, written

COLUMNS = ("example", "model", "search", "target", "text", "start", "stop", "height", "step", "score", "interaction")


def csv(results: Hierarchy | Sequence[Hierarchy]) -> str:
    """One line a phrase, the whole text first, written as by ``table.csv``."""
    return written(COLUMNS, _lines(each(results)))


def _lines(results: Sequence[Hierarchy]) -> Iterator[list[Any]]:
    for number, result in enumerate(results):
        known = [cell(result.model), cell(result.name), cell(result.target)]
        for phrase in result:
            start, stop = result.text.characters(phrase.span)
            joint = "" if phrase.interaction is None else repr(float(phrase.interaction))
            found = [start, stop, phrase.height, phrase.step, repr(float(phrase.score)), joint]
            yield [number, *known, cell(phrase.text), *found]
