"""Hierarchies as plain tables: CSV, and text without colour. Imports no torch."""

from __future__ import annotations

import csv as writer
import io
from collections.abc import Sequence

from exegesis.core.hierarchy import Hierarchy
from exegesis.show.nested_terminal import render
from exegesis.show.table import cell

COLUMNS = ("example", "model", "search", "target", "text", "start", "stop", "height", "step", "score", "interaction")


def csv(results: Hierarchy | Sequence[Hierarchy]) -> str:
    """One line a phrase, the whole text first: numbers to the last digit, ``start`` and ``stop`` in characters.

    A text that a spreadsheet would run as a formula has an apostrophe before it; characters that do not print are made
    visible. Lines end in CR LF (RFC 4180).
    """
    out = io.StringIO()
    rows = writer.writer(out)
    rows.writerow(COLUMNS)
    for number, result in enumerate([results] if isinstance(results, Hierarchy) else results):
        known = [cell(result.model), cell(result.name), cell(result.target)]
        for phrase in result:
            start, stop = result.text.characters(phrase.span)
            joint = "" if phrase.interaction is None else repr(float(phrase.interaction))
            found = [start, stop, phrase.height, phrase.step, repr(float(phrase.score)), joint]
            rows.writerow([number, *known, cell(phrase.text), *found])
    return out.getvalue()


def txt(results: Hierarchy | Sequence[Hierarchy]) -> str:
    """As in a terminal without colour, 100 columns wide, with every score."""
    return render(results, color=False, width=100, numbers=True)
