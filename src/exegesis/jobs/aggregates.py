"""Means of measures, and counts of training texts, over the rows of a store, slice by slice."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from exegesis.jobs.rows import arrow
from exegesis.jobs.store import Shard
from exegesis.results.behaviour.corpus import Judged, Leading
from exegesis.statistics.bootstrap import mean_intervals

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLES = 1000  # of the bootstrap


def judged(name: str, shards: Sequence[Shard], by: str) -> list[Judged]:
    """The mean of each measure in each slice, for the method of a question, or the controls of one (whose names are
    their own). Of the rows only numbers are kept."""
    numbers: defaultdict[str, defaultdict[tuple[str, str], dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    higher: dict[str, bool] = {}
    sizes, own = Counter[str](), ""
    for table, values in _answered(shards, by, ("measures", "method")):
        own = table["method"][0].as_py() if len(table) else own
        for value, entries in zip(values, table["measures"].to_pylist(), strict=True):
            for entry in entries:
                numbers[value][entry["method"], entry["name"]][sizes[value]] = entry["value"]
                higher[entry["name"]] = entry["higher"]
            sizes[value] += 1
    found = []
    for value, of_slice in sorted(numbers.items()):
        rows = np.full((len(of_slice), sizes[value]), math.nan)
        for row, by_text in zip(rows, of_slice.values(), strict=True):
            row[list(by_text)] = list(by_text.values())
        for (method, measure), row, (low, high) in zip(of_slice, rows, mean_intervals(rows, SAMPLES), strict=True):
            texts = int(np.isfinite(row).sum())
            said = name if method == own else method
            found.append(Judged(said, value, measure, float(np.nanmean(row)), low, high, texts, higher[measure]))
    return found


def leading(name: str, shards: Sequence[Shard], by: str, most: int) -> list[Leading]:
    """The training texts that the rows of each slice name most often, ``most`` of them."""
    counts: defaultdict[str, defaultdict[int, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0, 0, 0.0]))
    named: dict[int, tuple[str, str]] = {}
    for table, values in _answered(shards, by, ("sources",)):
        for value, sources in zip(values, table["sources"].to_pylist(), strict=True):
            for source in sources:
                count = counts[value][source["number"]]
                count[source["score"] < 0] += 1
                count[2] += source["score"]
                named.setdefault(source["number"], (source["text"], source["label"]))
    found = []
    for value, of_slice in sorted(counts.items()):
        order = sorted(of_slice.items(), key=lambda item: (-item[1][0] - item[1][1], -abs(item[1][2]), item[0]))
        for number, (helps, hurts, total) in order[:most]:
            mean = total / (helps + hurts)
            found.append(Leading(name, value, number, *named[number], int(helps), int(hurts), mean))
    return found


def _answered(shards: Sequence[Shard], by: str, columns: Sequence[str]) -> Iterator[tuple[pa.Table, list[str]]]:
    """The rows of each shard that are no failures, and the slice of each row."""
    pc = arrow().compute
    for shard in shards:
        table = shard.read(sorted({by, "error", *columns}))
        table = table.filter(pc.is_null(table["error"])).combine_chunks()
        yield table, [value or "" for value in table[by].to_pylist()]
