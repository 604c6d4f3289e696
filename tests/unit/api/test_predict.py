"""Predictions, one text or many, through the same engine as explanations."""

from __future__ import annotations

import pytest

import exegesis
from exegesis.core.errors import CapacityError
from tests.support import evaluate_toys as toys


def test_one_text_gives_one_mapping_and_a_list_gives_a_list() -> None:
    model = exegesis.load()
    one, other = "a fine film", "an awful and dull film"
    several = exegesis.predict(model, [one, other, one])
    assert several[0] == several[2]
    assert exegesis.predict(model, one) == pytest.approx(several[0], abs=1e-6)
    assert list(several[1]) == list(model.labels)
    assert sum(several[1].values()) == pytest.approx(1)


def test_lack_of_memory_is_one_line() -> None:
    model = toys.model()
    model.outputs = lambda batch: (_ for _ in ()).throw(MemoryError)
    with pytest.raises(CapacityError, match=r"^predict needs more memory than there is for a text of 3 words"):
        exegesis.predict(model, "w1 w2 w3")
