"""What is saved is read again as it was, whatever kind of result; what is damaged is refused in one line."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest

import exegesis
from exegesis.core.errors import FileError, UsageError
from exegesis.core.values import same
from tests.support import corpus_samples, every_result, influence_samples, matrix_samples, nested_samples, samples

FOLDER = Path(every_result.__file__).parent / "saved" / "version1"
RESULTS = [samples.hierarchy, samples.pair, samples.targets, *nested_samples.EVERY, *matrix_samples.PAIRS,
           *matrix_samples.PLACES, matrix_samples.contrast,
           influence_samples.influence, influence_samples.nothing]  # fmt: skip


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
@pytest.mark.parametrize("made", RESULTS)
def test_what_is_read_equals_what_was_saved(made, ending, tmp_path) -> None:
    result = made()
    again = exegesis.read(result.save(tmp_path / f"a{ending}"))
    again = again[0] if isinstance(again, list) else again
    assert again == result == made()
    assert hash(again) == hash(result)
    assert again.to_dict() == result.to_dict()
    assert result not in (None, 5, samples.targets().for_target("neutral"))


@pytest.mark.parametrize("made", [*every_result.EVERY.values(), influence_samples.influence])
def test_pickles_and_addresses(made) -> None:
    result, kind = made(), type(made())
    again = pickle.loads(pickle.dumps(result))
    assert again == result == copy.deepcopy(result)
    if hasattr(exegesis, kind.__name__):
        assert kind.__module__ == "exegesis"
        assert getattr(exegesis, kind.__name__) is kind
    hints = typing.get_type_hints(kind)
    assert {field.name for field in dataclasses.fields(kind)} <= hints.keys()
    assert not any(isinstance(hint, str) for hint in hints.values())
    assert exegesis.save.__module__ == exegesis.read.__module__ == "exegesis"


@pytest.mark.parametrize("made", RESULTS)
def test_other_values_by_the_names_of_properties(made) -> None:
    result = made()
    changes = {"model": "m", "seconds": 3.0, "name": "n", "method": "N()", "explained": np.zeros(len(result.targets))}
    other = result.replace(**changes, text=result.text)
    assert (other.model, other.seconds, other.name, other.method) == ("m", 3.0, "n", "N()")
    assert not np.any(other.explained)
    assert other.replace(**{name: getattr(result, name) for name in changes}) == result
    assert result.timeless() == result.replace(seconds=0.0)
    with pytest.raises(UsageError, match=r"unknown value of this .* 'modle'; did you mean 'model'"):
        result.replace(modle="m")


def holds(now: object, before: object) -> bool:
    """Whether all that a value held is in the value of today, which may have further fields."""
    if isinstance(before, dict):
        return isinstance(now, dict) and all(key in now and holds(now[key], value) for key, value in before.items())
    if isinstance(before, list):
        return isinstance(now, list) and len(now) == len(before) and all(map(holds, now, before))
    return now == before


def test_other_programs_find_words_and_numbers_on_top() -> None:
    """The fields that files had in version 1; those that are large stand in the result alone."""
    for name, made in every_result.EVERY.items():
        path = FOLDER / f"{name.replace(' ', '-')}.json"
        if not path.exists():  # a kind that version 1 did not have
            continue
        before = json.loads(path.read_text())
        values = json.loads(json.dumps(made().to_dict()))
        gone = {"reading", "dimensions", "states"} if "result" in values else set()
        assert before.keys() - values.keys() <= gone
        for key in before.keys() - gone - {"version", "contested", "prediction"}:
            assert holds(values[key], before[key]), (name, key)
        if "result" in values:
            assert values["prediction"].items() >= before["prediction"].items()


@pytest.mark.parametrize("made", RESULTS)
def test_results_differ_where_a_value_does(made) -> None:
    result = made()
    for change in ({"model": "other"}, {"seconds": 9.0}, {"explained": np.asarray(result.explained) + 1}):
        assert result.replace(**change) != result
    if hasattr(result, "parts"):
        assert result.replace(parts=(*result.parts[:-1], result.parts[-1]._replace(score=77.0))) != result
    if hasattr(result, "states"):
        first = next(iter(result.states))
        changed = result.states[first].copy()
        changed[0, 0] += 1e-12
        assert result.replace(states={**result.states, first: changed}) != result


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_not_finite_are_refused_whoever_builds_them(number: float) -> None:
    with pytest.raises(UsageError, match="the scores of reat must be finite numbers"):
        samples.result("a fine film", [0.5, number, 0.0])
    with pytest.raises(UsageError, match="has a score or an interaction that is not finite"):
        nested_samples.tree("fine film", scores=[0.5, number, 0.0])
    pairs = matrix_samples.pairs()
    with pytest.raises(UsageError, match="interactions must be finite"):
        pairs.replace(values=pairs.values + number)


def test_values_are_compared_part_by_part() -> None:
    nan = float("nan")
    assert same({"a": (1, [nan, "x"])}, {"a": [1, (nan, "x")]})
    assert same(np.array([1.0, nan]), np.array([1.0, nan]))
    for first, second in [({"a": 1}, {"b": 1}), ([1], [1, 2]), (nan, 1.0), (1.0, nan), ("12", ("1", "2"))]:
        assert not same(first, second)
    for first, second in [(np.zeros(2), np.zeros((1, 2))), (np.array(["a"]), np.array(["b"])), (np.zeros(1), 1)]:
        assert not same(first, second)


def test_a_search_and_a_kind_of_a_user_are_read_again(tmp_path) -> None:
    for result in (nested_samples.fight().replace(name="mine", method="Mine()"), matrix_samples.pairs(kind="mine")):
        assert exegesis.read(result.save(tmp_path / "mine.json")) == result


def refused(values: dict, change: dict, message: str, tmp_path) -> None:
    """A field of the result, named by its path, has another value."""
    values = json.loads(json.dumps(values))
    for place, value in change.items():
        *outer, last = place.split(".")
        inner = values if place in ("version", "result") else values["result"]
        for name in outer:
            inner = inner[int(name) if isinstance(inner, list) else name]
        inner[last] = value
    path = tmp_path / "a.json"
    path.write_text(json.dumps(values))
    with pytest.raises(FileError, match=message) as caught:
        exegesis.read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


HEADER = [
    ({"subject.explained": ["1"]}, "subject.explained: a number is due, not '1'"),
    ({"subject.explained": [float("inf")]}, "subject.explained: a finite number is due, not inf"),
    ({"subject.explained": []}, "1 targets need as many explained numbers, not 0"),
    ({"subject.targets": [None]}, "subject.targets: a text is due, not None"),
    ({"subject.model": 5}, "subject.model: a text is due, not 5"),
    ({"subject.text": {}}, "subject.text has no 'raw'"),
    ({"subject.text.raw": "short"}, r"the offset \d+ to \d+ lies outside the text, which has 5 characters"),
    ({"subject.text.words": [[0, 99]]}, "the word 0 to 99 lies outside the text, which has 9 pieces"),
    ({"subject.text.words": [[1, 1]]}, "the word 1 to 1 lies outside"),
    ({"subject.text.ids": [1]}, "a text of 9 pieces needs as many ids"),
    ({"subject.text.ids": ["x"] * 9}, "subject.text.ids: a whole number is due, not 'x'"),
    ({"subject.text.ids": [True] * 9}, "subject.text.ids: a whole number is due, not True"),
    ({"subject.text.special": [0] * 9}, "subject.text.special: true or false is due, not 0"),
    ({"subject.text.offsets": [[0]]}, "subject.text.offsets: 2 values are due, not 1"),
    ({"subject.prediction": []}, r"subject.prediction: an object is due, not \[\]"),
    ({"subject.prediction.probabilities": {"a": "b"}}, "probabilities.a: a number is due, not 'b'"),
    ({"subject.more": 1}, "subject has an unknown field 'more'"),
    ({"origin.seconds": None}, "seconds must be finite numbers, not nan"),
    ({"origin.parameters": 3}, "origin.parameters: a text is due, not 3"),
    ({"origin.details": {"unknown": [-1]}}, "unknown must be a list of numbers of words"),
    ({"origin.details": {"reduced": 3}}, "reduced must be a list"),
    ({"origin.details": {"standard_error": [[None]]}}, "standard_error must be finite numbers"),
    ({"origin.details": {"x": [float("nan")]}}, "origin.details.x: a finite number is due, not nan"),
    ({"origin.details": {"x": [10**400]}}, "int too large"),
    ({"version": 9}, "version 9, newer than 2"),
    ({"version": None}, "its version is None"),
    ({"version": 0}, "its version is 0"),
    ({"result": {}}, "has no 'subject'"),
    ({"result": None}, "an object is due, not None"),
]
ACCOUNT = [
    ({"remainder": 3}, "remainder: an object is due, not 3"),
    ({"remainder.parts": {"bias": [1, 2]}}, "'bias' of the account needs 1 numbers, not 2"),
    ({"remainder.parts": {"bias": ["1"]}}, "remainder.parts.bias: a number is due, not '1'"),
    ({"remainder.complete": 1}, "remainder.complete: true or false is due, not 1"),
]
ONE = [
    ({"subject.explained": [None]}, "explained must be finite numbers, not nan"),
    ({"subject.explained": [1, 2], "subject.targets": ["a", "b"]}, "explains one number, not 2|needs 2 numbers, not 1"),
]
CLOSED = [({"remainder.parts": {"bias": [None]}}, "the account must be finite numbers, not nan")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *HEADER,
        *ACCOUNT,
        ({"values": [[1.0]]}, "9 spans need as many levels"),
        ({"values": [[None] * 9]}, "the scores of reat must be finite"),
        ({"values": [1.0] * 9}, "values: lists of 2 levels are due, not of 1"),
        ({"levels": [3]}, "levels: a text is due, not 3"),
        ({"levels": ["word"]}, "9 spans need as many levels"),
        ({"spans": [[0, 99]] * 9}, "the span 0 to 99 lies outside"),
        ({"spans": [[3, 3]] * 9}, "the span 3 to 3 lies outside"),
        ({"spans": {}}, "spans: a list is due, not {}"),
    ],
)
def test_damaged_attributions(change, message, tmp_path) -> None:
    refused(samples.result(samples.FIGHT, [0.5] * 9).to_dict(), change, message, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *HEADER,
        *ACCOUNT,
        *ONE,
        *CLOSED,
        ({"parts": []}, "a hierarchy holds every word once"),
        ({"scorer": 3}, "scorer: a text is due, not 3"),
        ({"origin.name": None}, "origin.name: a text is due, not None"),
        ({"parts.14.score": None}, "has a score or an interaction that is not finite"),
        ({"parts.14.score": "1"}, "parts.score: a number is due, not '1'"),
        ({"parts.14.interaction": float("nan")}, "a finite number is due, not nan|is not finite"),
        ({"parts.14.step": -1}, "has the step -1: steps count from 0"),
        ({"parts.14.step": 0.5}, "parts.step: a whole number is due, not 0.5"),
        ({"parts.14.children": [0]}, "needs two or more children"),
        ({"parts.14.span": [0, 2]}, "is not what its children cover"),
        ({"parts.0.span": [0, 2]}, "has no children and is not a word"),
    ],
)
def test_damaged_hierarchies(change, message, tmp_path) -> None:
    refused(nested_samples.fight().to_dict(), change, message, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *HEADER,
        *ONE,
        ({"values": [[0, 1], [1, 0]]}, "interactions of 9 words make a symmetric square"),
        ({"values": [[0, 1], [1]]}, "values: its rows are not of equal length"),
        ({"values": [[None] * 9] * 9}, "interactions must be finite numbers"),
        ({"values": [["1"]]}, "values: a finite number is due, not '1'"),
        ({"values": [[float("inf")]]}, "values: a finite number is due, not inf"),
        ({"values": 5}, "values: a list is due, not 5"),
        ({"values": np.eye(9).tolist()}, "a word has none with itself"),
        ({"values": np.triu(np.ones((9, 9)), 1).tolist()}, "symmetric square"),
        ({"kind": 3}, "kind: a text is due, not 3"),
        ({"origin.details": {"standard_error": [[1.0]]}}, "the standard errors of 9 words make a square"),
    ],
)
def test_damaged_interactions(change, message, tmp_path) -> None:
    refused(matrix_samples.pairs().to_dict(), change, message, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *HEADER,
        *ACCOUNT,
        *ONE,
        *CLOSED,
        ({"dimensions": [[1.0]]}, "relevance of 9 pieces needs as many rows"),
        ({"dimensions": [[1.0]] * 8}, "relevance of 9 pieces needs as many rows"),
        ({"dimensions": [[None]] * 9}, "the relevance of word vectors must be finite"),
        ({"states": {"a": [[True]]}}, "states.a: a finite number is due, not True"),
        ({"states": {"a": [[None]]}}, "the relevance of a must be finite"),
        ({"states": {"a": [[1], [1, 2]]}}, "states.a: its rows"),
        ({"states": []}, r"states: an object is due, not \[\]"),
    ],
)
def test_damaged_relevance(change, message, tmp_path) -> None:
    refused(matrix_samples.relevance().to_dict(), change, message, tmp_path)


def test_relevance_of_words_at_each_place() -> None:
    result = matrix_samples.relevance()
    rows = result.at_words()
    assert list(rows) == ["word vectors", *(name for name in result.states if name != "conv1d 1")]
    np.testing.assert_allclose(rows["layer 1 reverse"], result.states["layer 1 reverse"].sum(1))
    square = result.replace(states={"conv1d 1": np.ones((9, 9)), "linear 1": np.ones((2, 9)) * 3})
    assert list(square.at_words()) == ["word vectors", "linear 1"]
    assert square.at_words()["linear 1"].tolist() == [6.0] * 9


@pytest.mark.parametrize(
    "made", [samples.hierarchy, nested_samples.fight, matrix_samples.pairs, matrix_samples.relevance]
)
def test_a_kind_of_result_is_read_by_its_own_class_alone(made) -> None:
    result, tree = made(), nested_samples.fight()
    assert type(result).from_dict(result.to_dict()) == result
    other = samples.pair() if type(result) is type(tree) else tree
    with pytest.raises(FileError, match=f"^this is a saved {other.noun}, not an? {result.noun}; read it with"):
        type(result).from_dict(other.to_dict())


def test_every_kind_is_read_by_a_process_that_has_made_none(tmp_path: Path) -> None:
    """Reading loads what it needs: a study's file is read before anything else of the package was used."""
    names = ("study of words", "adversary", "evaluation")
    samples_of = [every_result.EVERY[name] for name in names]
    saved = [
        make().save(tmp_path / f"{number}.json") for number, make in enumerate([corpus_samples.heads, *samples_of])
    ]
    code = f"import exegesis, sys\nfor path in {list(map(str, saved))!r}: print(type(exegesis.read(path)).__name__)\n"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.stderr == ""
    assert said.stdout.split()[0] == "HeadStudy"
