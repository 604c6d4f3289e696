"""``explain(spans=...)``: one list of spans for all texts, or a list for each."""

from __future__ import annotations

import pytest

import exegesis
from exegesis.core.errors import SpanError, UsageError

TEXTS = ["a fine film", "not good at all", "a fine film"]


@pytest.fixture(scope="module")
def model():
    return exegesis.load()


def named(results, level: str = "span") -> list[list[str]]:
    return [[row.text for row in one.rows(level)] if level in one.level_names else [] for one in results]


@pytest.mark.parametrize("method", ["leave-one-out", "reat"])
def test_a_list_for_each(model, method):
    found = exegesis.explain(model, TEXTS, method, spans=[[(0, 2)], [(1, 4), (0, 1)], []])
    assert named(found) == [["a fine"], ["good at all", "not"], []]
    for text, spans, one in zip(TEXTS, ([(0, 2)], [(1, 4), (0, 1)]), found, strict=False):
        alone = exegesis.explain(model, text, method, spans=spans)
        assert alone.scores.tolist() == pytest.approx(one.scores.tolist(), abs=1e-6)


def test_one_list_for_all_and_one_text(model):
    assert named(exegesis.explain(model, TEXTS, "reat", spans=[(0, 2)])) == [["a fine"], ["not good"], ["a fine"]]
    assert named([exegesis.explain(model, TEXTS[0], "reat", spans=[[(0, 2), (1, 3)]])]) == [["a fine", "fine film"]]
    assert named([exegesis.explain(model, TEXTS[0], "reat", spans=[])]) == [[]]
    assert named(exegesis.explain(model, TEXTS[:2], "reat", spans=[[], []])) == [[], []]


def test_beside_levels(model):
    found = exegesis.explain(model, TEXTS[:2], "reat", level="clause", spans=[[(0, 2)], [(0, 1)]])
    assert named(found) == [["a fine"], ["not"]]
    assert named(found, "clause") == [["a fine film"], ["not good at all"]]


@pytest.mark.parametrize(
    ("spans", "error", "message"),
    [
        ([[(0, 1)]], UsageError, "1 lists of spans do not fit 3 texts; give one list per text"),
        ([[(0, 1)], [(0, 9)], []], SpanError, "text 2 of 3: "),
        ([[(0, 1)], [(0,)], []], UsageError, "spans are pairs of word numbers"),
        ([[(0, 1)], (0, 1), []], UsageError, "spans are pairs of word numbers"),
        ([[(0, 1)], "all", []], UsageError, "spans are pairs of word numbers"),
    ],
)
def test_refusals(model, spans, error, message):
    with pytest.raises(error, match=message) as caught:
        exegesis.explain(model, TEXTS, "reat", spans=spans)
    assert "\n" not in str(caught.value)


def test_lists_of_blank_texts_are_left_out_with_them(model):
    texts = [TEXTS[0], " ", None, TEXTS[1]]
    found = exegesis.explain(model, texts, "leave-one-out", spans=[[(0, 2)], [], [], [(0, 1)]], skip_blank=True)
    assert named(found) == [["a fine"], ["not"]]
    found = exegesis.explain(model, texts, "leave-one-out", spans=[[(0, 2)], [(1, 2)]], skip_blank=True)
    assert named(found) == [["a fine"], ["good"]]
    with pytest.raises(UsageError, match="3 lists of spans do not fit 2 texts"):
        exegesis.explain(model, texts, "leave-one-out", spans=[[(0, 2)], [], [(0, 1)]], skip_blank=True)
