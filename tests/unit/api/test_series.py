"""Texts as users hold them: a list, an array, a column of a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import exegesis
from exegesis.core.errors import UsageError

TEXTS = ["a fine film", "not good at all"]


def test_arrays_and_columns_are_lists_of_texts() -> None:
    model = exegesis.load()
    expected = exegesis.explain(model, TEXTS, "reat")
    for given in (np.array(TEXTS), pd.Series(TEXTS, index=[7, 3])):
        found = exegesis.explain(model, given, "reat")
        assert [one.text.raw for one in found] == TEXTS
        assert all((a.scores == b.scores).all() for a, b in zip(found, expected, strict=True))
        assert exegesis.predict(model, given) == exegesis.predict(model, TEXTS)
        assert len(exegesis.hierarchy(model, given, "hedge")) == 2


def test_what_is_no_text_is_said() -> None:
    model = exegesis.load()
    for given in (np.array([1.0, 2.0]), np.array("a fine film")):
        with pytest.raises(UsageError, match="a text is a string"):
            exegesis.explain(model, given, "reat")
