"""Shares and means with their 95 % intervals, and where a run was made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from scipy import stats

from exegesis.models.trained.card import machine
from exegesis.statistics.bootstrap import mean_intervals


def share(count: int, of: int) -> dict[str, Any]:
    """How many of how many, and the exact (Clopper-Pearson) 95 % interval of the share."""
    if not of:
        return {"count": 0, "of": 0}
    found = stats.binomtest(count, of).proportion_ci(0.95, "exact")
    return {"count": count, "of": of, "interval": [round(float(found.low), 3), round(float(found.high), 3)]}


def mean(values: Sequence[float]) -> list[float]:
    """The mean and its bootstrap interval over texts, rounded."""
    row = np.array(values, dtype=float)[None]
    (low, high), middle = mean_intervals(row)[0], float(np.nanmean(row))
    return [round(number, 4) for number in (middle, low, high)]


def about(**named: int) -> dict[str, Any]:
    """When and where it was run, with which seed or how many."""
    return {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), **named}
