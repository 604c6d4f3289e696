"""What is saved is read again as it was, whatever kind of result; what is damaged is refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import exegesis
from exegesis.core.errors import FileError
from exegesis.core.same import same
from exegesis.questions.phrases.catalogue import SEARCHES as KNOWN
from exegesis.results.hierarchy import SEARCHES
from tests.support import matrix_samples, nested_samples, samples

RESULTS = [samples.hierarchy, samples.pair, samples.targets, *nested_samples.EVERY, *matrix_samples.PAIRS,
           *matrix_samples.PLACES]  # fmt: skip


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


@pytest.mark.parametrize("made", RESULTS)
def test_results_differ_where_a_value_does(made) -> None:
    result = made()
    for change in ({"model": "other"}, {"seconds": 9.0}, {"explained": np.asarray(result.explained) + 1}):
        assert replace(result, **change) != result
    if hasattr(result, "parts"):
        assert replace(result, parts=(*result.parts[:-1], result.parts[-1]._replace(score=77.0))) != result
    if hasattr(result, "states"):
        first = next(iter(result.states))
        changed = result.states[first].copy()
        changed[0, 0] += 1e-12
        assert replace(result, states={**result.states, first: changed}) != result


def test_values_are_compared_part_by_part() -> None:
    nan = float("nan")
    assert same({"a": (1, [nan, "x"])}, {"a": [1, (nan, "x")]})
    assert same(np.array([1.0, nan]), np.array([1.0, nan]))
    for first, second in [({"a": 1}, {"b": 1}), ([1], [1, 2]), (nan, 1.0), (1.0, nan), ("12", ("1", "2"))]:
        assert not same(first, second)
    for first, second in [(np.zeros(2), np.zeros((1, 2))), (np.array(["a"]), np.array(["b"])), (np.zeros(1), 1)]:
        assert not same(first, second)


def test_the_names_of_searches_are_known_without_torch() -> None:
    assert KNOWN.names == sorted(SEARCHES)


def refused(values: dict, message: str, tmp_path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(values))
    with pytest.raises(FileError, match=message) as caught:
        exegesis.read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"explained": None}, "explained: None is no finite number"),
        ({"explained": float("inf")}, "explained: inf is no finite number"),
        ({"seconds": None}, "seconds: None is no finite number"),
        ({"account": {"bias": None}}, "account: None is no finite number"),
        ({"search": "acdc"}, "unknown search 'acdc'; did you mean 'acd'"),
        ({"search": None}, "search: None is no text"),
        ({"parts": []}, "a hierarchy holds every word once"),
        ({"scorer": 3}, "scorer: 3 is no text"),
    ],
)
def test_damaged_hierarchies(change, message, tmp_path) -> None:
    refused(nested_samples.fight().to_dict() | change, message, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": None}, "score: None is no finite number"),
        ({"interaction": float("nan")}, "interaction: nan is no finite number"),
        ({"step": -1}, "no whole numbers from 0"),
        ({"text": "other"}, "the part 'other' is not what its pieces cover"),
        ({"offset": [0, 1]}, "is not what its pieces cover"),
        ({"children": [0]}, "needs two or more children"),
    ],
)
def test_damaged_parts_of_a_hierarchy(change, message, tmp_path) -> None:
    values = nested_samples.fight().to_dict()
    values["parts"][-1] |= change
    refused(values, message, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interactions": [[0, 1], [1, 0]]}, "interactions of 9 words make a symmetric square"),
        ({"interactions": [[0, 1], [1]]}, "interactions: its rows are not as long as each other"),
        ({"interactions": [[None]]}, "interactions: None is no finite number"),
        ({"interactions": [["1"]]}, "interactions: '1' is no finite number"),
        ({"interactions": 5}, "interactions: 5 is no list"),
        ({"interactions": np.eye(9).tolist()}, "a word has none with itself"),
        ({"interactions": np.triu(np.ones((9, 9)), 1).tolist()}, "symmetric square"),
        ({"kind": "shaply"}, "unknown kind of interaction 'shaply'; did you mean 'shapley'"),
        ({"explained": None}, "explained: None is no finite number"),
        ({"version": 2}, "version 2, newer than 1"),
        ({"reading": {}}, "no 'pieces'"),
    ],
)
def test_damaged_interactions(change, message, tmp_path) -> None:
    refused(matrix_samples.pairs().to_dict() | change, message, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dimensions": [[1.0]]}, "relevance of 9 pieces needs as many rows"),
        ({"dimensions": [[1.0]] * 8}, "relevance of 9 pieces needs as many rows"),
        ({"states": {"a": [[True]]}}, "state a: True is no finite number"),
        ({"states": {"a": [[1], [1, 2]]}}, "state a: its rows"),
        ({"states": []}, r"states: \[\] is no object"),
        ({"account": {"a": None}}, "account: None is no finite number"),
        ({"target": None}, "target: None is no text"),
    ],
)
def test_damaged_relevance(change, message, tmp_path) -> None:
    refused(matrix_samples.relevance().to_dict() | change, message, tmp_path)


def test_relevance_of_words_at_each_place() -> None:
    result = matrix_samples.relevance()
    rows = result.at_words()
    assert list(rows) == ["word vectors", *(name for name in result.states if name != "conv1d 1")]
    np.testing.assert_allclose(rows["layer 1 reverse"], result.states["layer 1 reverse"].sum(1))
    square = replace(result, states={"conv1d 1": np.ones((9, 9)), "linear 1": np.ones((2, 9)) * 3})
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
