"""Thousands of words, one enormous word, and thousands of nothing but signs."""

from __future__ import annotations

import time

import pytest

from exegesis import explain
from exegesis.results.result import rendered
from exegesis.show import render
from tests.contracts.test_hostile_texts import stands
from tests.support.hostile import model

LARGE = {
    "words": "the fight scenes are fun but it grows tedious . " * 300,
    "unknown words": " ".join(f"zq{n}x" for n in range(3000)),
    "one word": "a" * 30_000,
    "one sign": "!" * 30_000,
    "marks": "e" + "\u0301" * 30_000,
    "emoji": "😀" * 1000,
    "signs": "?!" * 1500,
}


@pytest.mark.parametrize("name", LARGE)
def test_large_texts(name: str) -> None:
    raw, start = LARGE[name], time.perf_counter()
    result = explain(model("bundled"), raw, "reat", level="word" if name == "unknown words" else "all")
    stands(result, raw)
    if name == "unknown words":
        return
    views = [rendered([result], ending) for ending in (".html", ".csv", ".tex", ".jsonl")]
    assert all(views)
    assert render([result])
    assert time.perf_counter() - start < 60  # quadratic time would take far longer


def test_thousands_of_words_under_other_methods() -> None:
    raw = LARGE["words"]
    for kind, method in [("bundled", "gradient"), ("function", "lime")]:
        options = {"samples": 5} if method == "lime" else {}
        stands(explain(model(kind), raw, method, **options), raw)
