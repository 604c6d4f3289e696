"""What a run takes, before it: time, memory and size, measured on some of its own texts."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exegesis.core.text import Text
from exegesis.data.examples import Example
from exegesis.engine.cost import spoken
from exegesis.jobs.plan import Question
from exegesis.jobs.rows import table_of
from exegesis.jobs.store import written

SPENT, SHARE = 3.0, 0.03  # what a sample may take: seconds, or a share of the whole
STEADY = 1.0  # seconds for which the last sample is measured again and again
FIRST, GROWTH = 8, 2  # texts of the first sample, and the factor to the next


@dataclass(frozen=True)
class Estimate:
    """What the rest of a run takes.

    ``seconds`` of all processes together side by side, ``bytes`` of new shards, ``memory`` in bytes of all processes as
    if they shared nothing, for ``rows`` texts times methods; ``sample`` is how many texts were measured, ``by_method``
    the seconds of each method in one process.
    """

    rows: int
    seconds: float
    bytes: int
    memory: int
    processes: int
    sample: int
    by_method: Mapping[str, float]

    def __str__(self) -> str:
        if not self.rows:
            return "nothing is missing"
        beside = f", {self.memory / 2**20:,.0f} MB of memory" if self.memory else ""
        many = f" in {self.processes} processes" if self.processes > 1 else ""
        return (
            f"{self.rows:,} texts x methods: {spoken(self.seconds)}{many}{beside}, {self.bytes / 2**20:,.1f} MB on the "
            f"disk (measured on {self.sample} texts)"
        )


def estimate(
    questions: Sequence[Question], missing: Mapping[int, Sequence[Example]], unit: int, processes: int
) -> Estimate:
    """Measure each question on texts of all lengths among those that are missing for it, more of them until it takes
    some seconds or a small share of the whole, at most a unit. Raises the error of the texts if all of a sample fail.

    A unit takes the time of its texts; the sample has each length as often as the texts have it. What is measured is
    thrown away, as the rows of a unit come from the unit as a whole.
    """
    seconds, size, sampled = {}, 0.0, 0
    for number, question in enumerate(questions):
        texts = sorted(missing.get(number, ()), key=lambda one: len("".join(one.text)))
        if not texts:
            continue
        question.rows(texts[:1])  # what the first text takes alone: it loads, compiles, fills caches
        count, rate = min(FIRST, len(texts)), math.inf
        while True:
            sample = [texts[(2 * i + 1) * len(texts) // (2 * count)] for i in range(count)]
            start = time.perf_counter()
            rows, failed = question.rows(sample)
            took = time.perf_counter() - start
            rate = min(rate, took / count)  # a machine that is busy for a moment makes one sample slow, not all
            if failed == count:
                _raise(question, sample)
            following = min(count * GROWTH, unit, len(texts))
            if following == count or took / count * following > max(SPENT, SHARE * took / count * len(texts)):
                break
            count = following
        spent = took
        while spent < STEADY and len(texts) > count:  # a short sample says little: what is compiled once, a busy moment
            start = time.perf_counter()
            question.rows(sample)
            took = time.perf_counter() - start
            rate, spent = min(rate, took / count), spent + took
        empty = len(written(table_of(rows[:0])))  # first, as it loads what writes
        start = time.perf_counter()
        data = len(written(table_of(rows)))
        rate += (time.perf_counter() - start) / count
        key = question.name if question.name not in seconds else f"{question.name} {number}"
        seconds[key] = rate * len(texts)
        size += (data - empty) / count * len(texts) + empty * -(-len(texts) // unit)
        sampled = max(sampled, count)
    rows_left = sum(map(len, missing.values()))
    side = min(processes, max(1, -(-rows_left // unit)))
    return Estimate(rows_left, sum(seconds.values()) / side, round(size), side * peak_memory(), side, sampled, seconds)


def peak_memory() -> int:
    """The most bytes of memory that this process has had; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


def _raise(question: Question, sample: Sequence[Example]) -> None:
    """Raise the error of the first text that cannot be explained."""
    from exegesis.api import read_text

    read: list[Text] = [read_text(question.model, one.text, n, len(sample)) for n, one in enumerate(sample)]
    question.work(read[:1])
