"""From texts to results: what stands beside the scores."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

import exegesis
from exegesis.authoring import Classifier, Scores, method
from exegesis.engine.methods import METHODS


def test_words_unknown_to_the_model_are_in_the_details() -> None:
    model = exegesis.load()
    known, strange = exegesis.explain(model, ["a fine film", "a zorpy film blicks"], "gradient")
    assert "unknown" not in known.details
    assert strange.details["unknown"] == [1, 3]
    assert exegesis.explain(model, "a zorpy film", "reat").details["unknown"] == [1]


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ([1, 2], r"wrong must return Scores\(values\), not list"),
        (Scores(torch.zeros(1, 3)), r"the shape \[texts, numbers, pieces\] = \[1, 1, 3\], not \[1, 3\]"),
    ],
)
def test_what_is_no_answer_of_a_method_is_refused(returned: object, said: str) -> None:
    @method("wrong", question="none", summary="none", paper="none", year=2026)
    @dataclass(frozen=True)
    class Wrong:
        def __call__(self, model: Classifier, batch: object, target: object) -> object:
            return returned

    try:
        with pytest.raises(exegesis.UsageError, match=said):
            exegesis.explain(exegesis.load(), "a fine film", "wrong")
    finally:
        METHODS.remove("wrong")
