"""What does not fit is refused in one line: explanations of another model or text, marks, labels, nothing at all."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

import exegesis
import tests.support.evaluate_toys as toys
from exegesis.core.errors import ExegesisError, FileError, UsageError

TEXT = "superb film the dull"


@pytest.fixture(scope="module")
def linear():
    return toys.model()


def refused(message, *given, kind=UsageError, **options):
    with pytest.raises(kind, match=message) as caught:
        exegesis.evaluate(*given, **options)
    assert "\n" not in str(caught.value)


def test_nothing_to_evaluate(linear):
    refused("no texts", linear, [], ["leave-one-out"])
    refused("no methods", linear, [TEXT], [])
    refused("no measures", linear, [TEXT], ["leave-one-out"], [])
    refused("asked for twice", linear, [TEXT], ["leave-one-out"], ["deletion", "deletion"])
    refused("unknown method", linear, [TEXT], ["nothing"])
    refused("holds no rows|empty|cannot be read", linear, "/nowhere/at/all.tsv", kind=ExegesisError)
    refused("empty or blank", linear, ["  "], ["leave-one-out"], kind=ExegesisError)


def test_an_explanation_of_another_model(linear):
    other = exegesis.explain(toys.model(bias=0.5), TEXT, "leave-one-out")
    refused("is of another model: the probability of", linear, [TEXT], explanations=[other])
    unsaid = other.replace(prediction=other.prediction._replace(probabilities={}))
    refused(r"is of another model: logit:good was 1\.48", linear, [TEXT], explanations=[unsaid])
    labels = other.replace(prediction=other.prediction._replace(probabilities={"fine": 0.5}))
    refused("no such label", linear, [TEXT], explanations=[labels])
    renamed = other.replace(targets=("logit:fine",))
    refused("unknown label 'fine'", linear, [TEXT], explanations=[renamed])


def test_an_explanation_of_another_text(linear):
    one = exegesis.explain(linear, TEXT, "leave-one-out")
    refused("not among those evaluated", linear, ["awful film"], explanations=[one])
    refused("explains another text", linear, ["awful film"], explanations={"own": [one]})
    refused("1 explanations of 2 texts", linear, [TEXT, TEXT], explanations={"own": [one]})
    words = one.replace(text=replace(one.text, ids=(2, 3, 4, 5)))
    refused("in other words or pieces", linear, [TEXT], explanations=[words])


def test_methods_that_explain_different_labels(linear):
    good, bad = (exegesis.explain(linear, TEXT, "leave-one-out", label) for label in ("good", "bad"))
    refused("methods explain different labels", linear, [TEXT], explanations={"a": [good], "b": [bad]})
    both = exegesis.explain(linear, TEXT, "leave-one-out", "all")
    refused("several targets", linear, [TEXT], explanations=[both])


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ([[True]], "1 marks of a text of 4 words"),
        ([[[0, 99]]], "a range is"),
        ([[[6, 7]]], "touches no word"),
        ([[[3, 3]]], "a range is"),
        (["superb"], "marks are a list"),
        ([[True] * 4, [True]], "2 marks of 1 texts"),
    ],
)
def test_marks_that_do_not_fit(linear, marks, message):
    refused(message, linear, [TEXT], ["leave-one-out"], ["plausibility-f1"], marks=marks)


def test_plausibility_needs_marks(linear):
    refused("give marks", linear, [TEXT], ["leave-one-out"], ["plausibility-f1"])


def test_marks_as_ranges_are_marks_as_words(linear):
    values = []
    for marks in ([True, False, False, True], [[2, 3], [16, 20]], np.array([1, 0, 0, 1])):
        found = exegesis.evaluate(linear, [TEXT], ["leave-one-out"], ["plausibility-auprc"], marks=[marks])
        values.append(found.values[0, 0, 0])
    assert values[0] == values[1] == values[2] == pytest.approx((1 + 2 / 4) / 2)


def lines(folder, *rows):
    path = folder / "tool.jsonl"
    path.write_text("\n".join(json.dumps(row) if isinstance(row, dict) else row for row in rows))
    return path


def test_another_tool(linear, tmp_path):
    """Words or offsets, whole words or parts of them; the numbers are those of the same scores as our result."""
    own = toys.perfect(linear, TEXT)
    plain = {"text": TEXT, "target": "good", "scores": own.scores.tolist(), "words": TEXT.split(), "method": "tool"}
    offsets = {"text": TEXT, "target": "logit:good", "scores": [2.0, 0.2, 0.05, -0.07, -1.2],
               "offsets": [[0, 3], [3, 6], [7, 11], [12, 15], [16, 20]], "method": "pieces"}  # fmt: skip
    found = exegesis.evaluate(
        linear, [TEXT], [], ["deletion", "infidelity"], explanations=lines(tmp_path, plain, offsets)
    )
    mine = exegesis.evaluate(linear, [TEXT], [], ["deletion", "infidelity"], explanations=[own])
    assert found.names[:2] == ("tool", "pieces")
    for name in found.names[:2]:
        assert found.values[:, found.names.index(name), 0] == pytest.approx(mine.values[:, 0, 0])
    assert "could not be checked" in found.notes[-1]
    assert not mine.notes


def test_our_own_file(linear, tmp_path):
    results = [exegesis.explain(linear, text, "leave-one-out") for text in toys.texts(3)]
    exegesis.save(results, tmp_path / "own.jsonl")
    found = exegesis.evaluate(linear, toys.texts(3), [], ["deletion"], explanations=tmp_path / "own.jsonl")
    mine = exegesis.evaluate(linear, toys.texts(3), ["leave-one-out"], ["deletion"])
    assert np.array_equal(found.values, mine.values)


@pytest.mark.parametrize(
    ("row", "message", "kind"),
    [
        ("{", "line 1: not JSON", FileError),
        ("[1]", "line 1: not a JSON object", FileError),
        ({"text": "awful"}, "line 1: explains a text that is not among", UsageError),
        ({"scores": [1, 2]}, "line 1: 2 scores of 4 words", FileError),
        ({"scores": ["a"] * 4}, "line 1: scores and other amounts are plain numbers", FileError),
        ({"scores": [math.inf] * 4}, "line 1: scores and other amounts must be finite", FileError),
        ({"words": ["superb", "movie", "the", "dull"]}, "line 1: the word 'movie' does not occur", UsageError),
        ({"words": ["superb film", "the", "dull"], "scores": [1, 1, 1]}, "line 1: 'superb film' runs over", UsageError),
        ({"words": ["superb", "film", "dull"], "scores": [1, 1, 1]}, "line 1: the word 'the' has no score", UsageError),
        ({"words": None, "offsets": [[0, 99]], "scores": [1]}, "line 1: offsets are pairs", FileError),
        ({"target": None}, "line 1: says no target", UsageError),
        ({"probabilities": {"good": 0.9}}, "of another model", UsageError),
        ({"explained": 9.0}, "of another model", UsageError),
    ],
)
def test_damaged_lines(linear, tmp_path, row, message, kind):
    good = {"text": TEXT, "words": TEXT.split(), "scores": [1, 2, 3, 4], "target": "good"}
    changed = {**good, **row} if isinstance(row, dict) else row
    if isinstance(changed, dict) and "offsets" in changed:
        del changed["words"]
    refused(message, linear, [TEXT], explanations=lines(tmp_path, changed), kind=kind)


def test_an_empty_file(linear, tmp_path):
    refused("holds no explanations", linear, [TEXT], explanations=lines(tmp_path, ""), kind=FileError)
