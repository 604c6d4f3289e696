"""A black box that gives class labels in the place of probabilities is refused, or named where it may be genuine."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import exegesis
from exegesis.core.errors import ModelError

TEXT = "a fine film , not a bad one"


def hard(texts: list[str]) -> np.ndarray:
    return np.array(["fine" in text for text in texts])


@pytest.mark.parametrize(
    "predict",
    [
        lambda texts: hard(texts).astype(int),
        lambda texts: hard(texts).astype(int).tolist(),
        hard,
        lambda texts: hard(texts).astype(int)[:, None],
        lambda texts: np.where(hard(texts), "yes", "no"),
        lambda texts: np.where(hard(texts), "1", "0"),
        lambda texts: np.where(hard(texts), "yes", "no").astype(object),
    ],
)
def test_class_labels_are_refused(predict):
    model = exegesis.blackbox(predict, ["no", "yes"], name="predict")
    for call in (exegesis.predict, exegesis.explain):
        with pytest.raises(ModelError, match=r"^the function predict gave class labels for [^\n]+ \(predict_proba\?\)"):
            call(model, TEXT)


def test_floats_of_0_and_1_are_named_once(caplog):
    model = exegesis.blackbox(lambda texts: np.stack([~hard(texts), hard(texts)], 1).astype(float), ["no", "yes"])
    with caplog.at_level(logging.WARNING, "exegesis"):
        for _ in range(2):
            assert exegesis.explain(model, TEXT, "leave-one-out").explained == 1
    (said,) = [one.getMessage() for one in caplog.records]
    assert "gives 0 and 1 alone" in said
    assert "predict_proba" in said


def test_probabilities_are_not_named(caplog):
    model = exegesis.blackbox(lambda texts: [1.0 if "fine" in text else 0.25 for text in texts], ["no", "yes"])
    with caplog.at_level(logging.WARNING, "exegesis"):
        assert exegesis.predict(model, TEXT) == {"no": 0, "yes": 1}  # one answer may be certain
        exegesis.explain(model, TEXT, "leave-one-out")
    assert not caplog.records
