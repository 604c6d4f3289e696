"""Labels in the types in which people have them: a number is never taken for another class in silence."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from exegesis.core.errors import UsageError
from exegesis.protocols.labels import label_names, number_of
from exegesis.protocols.target import Ask, Link, ask
from tests.support.one_line import said_in_one_line
from tests.support.shape_checks import unchecked


class Stars(IntEnum):
    ONE = 1
    TWO = 2


@pytest.mark.parametrize(
    "classes",
    [
        np.array([1, 2, 3, 4, 5]),
        np.array([1.0, 2.0, 3.0]),
        np.array([False, True]),
        np.array(["1", "2", "10"]),
        np.array(["bad", "fine"], dtype=object),
        np.array([-1, 0, 1], dtype=np.int8),
        pd.Series([5, 3, 1], index=[7, 8, 9]),
        pd.Categorical(["b", "a"]),
        pd.Index([10, 20]),
        torch.tensor([2, 1]),
        range(1, 4),
        {1: "x", 2: "y"}.keys(),
        (label for label in (2, 1)),
        [Stars.TWO, Stars.ONE],
        [True, False],
    ],
)
def test_what_a_model_predicts_names_its_label(classes: Any) -> None:
    """``classes_[i]``, in its own type, is class i, alone and as the array of one that ``predict`` gives."""
    listed = list(classes)
    names = label_names(listed if not isinstance(classes, np.ndarray) else classes)
    for number, label in enumerate(listed):
        assert unchecked(ask)(label, names, Link.SOFTMAX) == Ask("logit", (number,))
        assert unchecked(ask)(np.array([label]), names, Link.SOFTMAX) == Ask("logit", (number,))
        assert ask(f"probability:{names[number]}", names, Link.SOFTMAX) == Ask("probability", (number,))


@pytest.mark.parametrize(
    ("label", "labels", "number"),
    [
        (3, ["1", "2", "3", "4", "5"], 2),  # of star ratings the label, not class number 3
        ("3", ["1", "2", "3", "4", "5"], 2),
        (3.0, ["1", "2", "3", "4", "5"], 2),
        (2, ["1.0", "2.0"], 1),
        ("#0", ["1", "2"], 0),
        (1, ["0", "1"], 1),
        (1, ["bad", "good"], 1),
        ("1", ["bad", "good"], 1),
        ("#1", ["bad", "good"], 1),
        ("#1", ["bad", "#1", "good"], 1),
        (5, ["5", "none"], 0),  # there is no class number 5
        (1, ["0", "1", "none"], 1),  # both readings are one class
        (True, ["False", "True"], 1),
        (1, ["False", "True"], 1),
        (" good ", ["bad", "good"], 1),
        (" x", ["x", " x"], 1),
        (0.5, ["low", "0.5"], 1),
    ],
)
def test_numbers(label: Any, labels: list[str], number: int) -> None:
    assert number_of(label, labels) == number


@pytest.mark.parametrize(
    ("label", "labels", "message"),
    [
        (0, ["1", "2"], "out of range"),
        ("0", ["1", "2"], "out of range"),
        (2, ["1", "2", "neutral"], "may be the label '2' or the class number 2, 'neutral'"),
        (1, ["True", "False"], "may be the label 'True' or the class number 1, 'False'"),
        (0, ["1", "x", "0"], "'#0' for the class"),
        (7, ["bad", "good"], "out of range"),
        (-1, ["bad", "good"], "out of range"),
        ("9" * 5000, ["bad", "good"], "out of range"),
        pytest.param(10**5000, ["bad", "good"], "out of range", id="too many digits"),
        (1.0, ["bad", "good"], "unknown label"),
        (True, ["bad", "good"], "unknown label"),
        ("#x", ["bad", "good"], "unknown label"),
        ("\N{SUPERSCRIPT TWO}", ["a", "b", "c"], "unknown label"),
        (float("nan"), ["1", "2"], "out of range"),
    ],
)
def test_numbers_that_are_refused(label: Any, labels: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=rf"^[^\n]*{message}[^\n]*$"):
        number_of(label, labels)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ({0: "1", 1: "2"}, ("1", "2")),
        ({"0": "1", "1": "2"}, ("1", "2")),  # as JSON has it
        ({0: 1, 1: 2}, ("1", "2")),
        ({1: 0, 2: 1}, ("1", "2")),
        ({"1": 0, "2": 1}, ("1", "2")),
        ({0: 1, 1: 0}, ("1", "0")),  # the same both ways
        ({np.int64(1): np.str_("b"), np.int64(0): "a"}, ("a", "b")),
        ({"b": np.int64(1), "a": np.int64(0)}, ("a", "b")),
    ],
)
def test_dicts(labels: dict[Any, Any], names: tuple[str, ...]) -> None:
    assert label_names(labels) == names


@pytest.mark.parametrize(
    "labels",
    ["ab", 3, None, {"a", "b"}, {0: 1, 1: 2, 2: 0}, {0: "a", 2: "b"}, {}, [["a"], ["b"]], [None, "a"],
     [b"a", b"b"], ["a", float("nan")], ["a", pd.NA], pd.DataFrame({"label": ["a", "b"]}), np.array("a"), np.eye(2)],
)  # fmt: skip
def test_what_are_no_labels(labels: Any) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]{,200}$"):
        unchecked(label_names)(labels)


@pytest.mark.parametrize("target", [["a"], ("a", "b"), b"a", {}, np.array(["a", "b"]), pd.NA, object(), float("inf")])
def test_what_is_no_target(target: object) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]{,200}$"):
        unchecked(ask)(target, ["a", "b"], Link.SOFTMAX)


def test_a_regression_of_several_numbers_predicts_no_label() -> None:
    assert ask(None, ["joy", "fear"], Link.IDENTITY) == Ask("logit", (0, 1))
    assert ask("predicted", ["stars"], Link.IDENTITY) == Ask("logit", (0,))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(-1, 3) | st.text(max_size=2), inner),
    max_leaves=6,
)


@settings(max_examples=40)
@given(ANYTHING, ANYTHING)
def test_whatever_comes(labels: Any, target: Any) -> None:
    """Anything is read, or refused in one line."""
    with said_in_one_line():
        names = unchecked(label_names)(labels)
        unchecked(ask)(target, names, Link.SOFTMAX)
