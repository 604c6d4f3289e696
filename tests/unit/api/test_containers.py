"""Texts in whatever people hold them: each container gives the texts that it holds, or is refused in one line."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from inspect import unwrap
from typing import Any

import numpy as np
import pandas as pd
import pytest

import exegesis
from exegesis.api.inputs import of_each, several, without_blanks
from exegesis.core.errors import TextError, UsageError
from exegesis.data.examples import is_blank
from exegesis.study.corpus import Corpus

TEXTS = ["a good film", "dull"]


class Columnar:
    """A column of a table as polars and Hugging Face have them: neither a list nor an array."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: int) -> Any:
        return self.values[key]


def counting(texts: list[str]) -> list[list[float]]:
    good = [0.4 + 0.2 * ("good" in text) for text in texts]
    return [[1 - p, p] for p in good]


def box() -> Any:
    return exegesis.blackbox(counting, ["no", "yes"])


CONTAINERS: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "generator": iter,
    "dict values": lambda texts: dict(enumerate(texts)).values(),
    "dict keys": lambda texts: dict.fromkeys(texts).keys(),
    "sequence": Columnar,
    "objects": lambda texts: np.array(texts, dtype=object),
    "unicode": lambda texts: np.array(texts),
    "pandas": pd.Series,
    "pandas string": lambda texts: pd.Series(texts, dtype="string", index=[5, 6]),
    "category": lambda texts: pd.Series(texts, dtype="category"),
    "index": pd.Index,
}


@pytest.mark.parametrize("form", CONTAINERS)
def test_every_container_gives_its_texts(form: str) -> None:
    found = unwrap(exegesis.predict)(box(), CONTAINERS[form](TEXTS))
    assert [round(row["yes"], 6) for row in found] == [0.6, 0.4]


def test_columns_of_arrow() -> None:
    arrow = pytest.importorskip("pyarrow")
    for column in (arrow.array(TEXTS), arrow.chunked_array([TEXTS[:1], TEXTS[1:]])):
        assert several(column) == TEXTS
    missing = pd.Series([*TEXTS, None], dtype=pd.ArrowDtype(arrow.string()))
    assert without_blanks(several(missing) or [], True) == TEXTS
    with pytest.raises(UsageError, match=r"^texts are a list, or one column of a table[^\n]*$"):
        several(arrow.table({"text": TEXTS}))


@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="needs the package datasets")
def test_columns_of_datasets() -> None:
    import datasets

    data = datasets.Dataset.from_dict({"text": TEXTS, "label": [0, 1]})
    assert several(data["text"]) == TEXTS
    with pytest.raises(UsageError, match=r"^texts are a list, or one column of a table[^\n]*$"):
        several(data)


@pytest.mark.parametrize("gap", [None, float("nan"), np.nan, pd.NA, pd.NaT, np.datetime64("NaT"), " "])
def test_missing_texts_are_left_out_or_named(gap: Any) -> None:
    assert is_blank(gap)
    column = pd.Series([TEXTS[0], gap, TEXTS[1]], dtype=object)
    found = exegesis.explain(box(), column, "leave-one-out", skip_blank=True)
    assert [result.text.raw for result in found] == TEXTS
    with pytest.raises(TextError, match=r"^text 2 of 3: [^\n]*$"):
        exegesis.explain(box(), column, "leave-one-out")
    assert is_blank((TEXTS[0], gap))


@pytest.mark.parametrize(
    "texts",
    [pd.DataFrame({"text": TEXTS}), set(TEXTS), {"text": TEXTS}, b"good", np.array([b"good"]), np.array([["a", "b"]]),
     [1, 2], [TEXTS], None, 3.5, np.array(5), [["a", "b"]], ("a", "b", "c"), ("a", None), range(2), str, object()],
)  # fmt: skip
def test_what_holds_no_texts(texts: Any) -> None:
    for ask in (exegesis.predict, exegesis.explain):
        with pytest.raises(UsageError, match=r"^[^\n]{,200}$"):
            unwrap(ask)(box(), texts)


def test_a_container_that_fails() -> None:
    class Broken:
        def tolist(self) -> list[str]:
            raise RuntimeError("two\nlines")

    with pytest.raises(UsageError, match=r"^texts cannot be listed: Broken raised RuntimeError: two lines$"):
        several(Broken())


@pytest.mark.parametrize("spans", [np.array([[0, 2]]), [(np.int64(0), np.int64(2))], [[0, 2]], ((0, 2),)])
def test_spans_of_numpy_numbers(spans: Any) -> None:
    result = exegesis.explain(box(), TEXTS[0], "leave-one-out", spans=spans)
    assert result.levels[-1] == "span"
    assert result.scores[-1] == pytest.approx(0.2)
    assert of_each(spans) is None


@pytest.mark.parametrize("spans", [[(0, True)], [(0, 1.5)], [("0", "1")], 3, [0, 1], np.eye(2), {0: 1}, {(0, 1)}])
def test_what_are_no_spans(spans: Any) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]{,200}$"):
        exegesis.explain(box(), TEXTS[0], "leave-one-out", spans=spans)


def test_gold_labels_of_a_column() -> None:
    names = ("1", "2", "3")
    golds = pd.Series([3.0, np.nan, 1.0])
    assert Corpus.of(["a", "b", "c"], golds, names).golds == ("3", None, "1")
    assert Corpus.of(pd.Series(["a"]), np.array([2]), names).golds == ("2",)
    with pytest.raises(UsageError, match="'2' or the class number 2"):
        Corpus.of(["a"], [2], ("1", "2", "none"))
    with pytest.raises(UsageError, match="one column"):
        Corpus.of(pd.DataFrame({"text": ["a"]}), None, names)
