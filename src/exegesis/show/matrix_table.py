"""Interactions as plain tables: CSV, and text without colour. Imports no torch."""

from __future__ import annotations

import csv as writer
import io
from collections.abc import Sequence

from exegesis.core.pairs import Interactions
from exegesis.show.matrix_terminal import render
from exegesis.show.table import cell

COLUMNS = ("example", "model", "kind", "target", "first", "first_start", "first_stop", "second", "second_start",
           "second_stop", "interaction", "standard_error")  # fmt: skip


def csv(results: Interactions | Sequence[Interactions]) -> str:
    """One line a pair in reading order: numbers to the last digit, and where each word stands, in characters.

    ``standard_error`` is empty where the interactions are exact. Texts are written as by ``table.csv``; lines end in CR
    LF (RFC 4180).
    """
    out = io.StringIO()
    rows = writer.writer(out)
    rows.writerow(COLUMNS)
    for number, result in enumerate([results] if isinstance(results, Interactions) else results):
        known = [number, cell(result.model), cell(result.kind), cell(result.target)]
        words = [
            [cell(one), *result.text.characters(at)] for one, at in zip(result.words, result.text.words, strict=True)
        ]
        errors = result.details.get("standard_error")
        for pair in result.pairs():
            i, j = pair.words
            error = repr(float(errors[i][j])) if errors else ""
            rows.writerow([*known, *words[i], *words[j], repr(pair.strength), error])
    return out.getvalue()


def txt(results: Interactions | Sequence[Interactions]) -> str:
    """As in a terminal without colour, 100 columns wide, with up to a hundred pairs of each text."""
    return render(results, color=False, width=100, numbers=True)
