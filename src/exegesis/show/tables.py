"""Results as plain tables: CSV."""

from __future__ import annotations

import csv as writer
import io
from collections.abc import Iterable, Sequence
from typing import Any

from exegesis.show.wording import visible

FORMULA = ("=", "+", "-", "@")


def csv(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV, the names of the columns first: numbers to the last digit, nothing for None.

    A text that a spreadsheet would run as a formula has an apostrophe before it; characters that do not print are made
    visible. Lines end in CR LF (RFC 4180).
    """
    out = io.StringIO()
    lines = writer.writer(out)
    for row in rows:
        lines.writerow([_cell(value) for value in row])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return repr(value)
    if not isinstance(value, str):
        return value
    shown = visible(value.replace("\r\n", "\n").replace("\n", " "))
    return f"'{shown}" if len(shown) > 1 and shown.startswith(FORMULA) else shown
