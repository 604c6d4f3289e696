"""Confidence read off neighbours, and held against how often predictions are right."""

from __future__ import annotations

import numpy as np
import pytest

import exegesis
from exegesis.study import calibrate
from exegesis.study.failing.calibration import fitted, gap
from tests.support import torch_toys
from tests.support.torch_toys import Shape

TEXTS = torch_toys.texts([4, 3, 5, 2, 6, 3, 4, 5, 3, 4, 2, 5])


def test_isotonic_regression_and_the_gap():
    values = np.array([0.1, 0.2, 0.2, 0.5, 0.9])
    right = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    made = fitted(values, right, np.array([0.0, 0.1, 0.2, 0.35, 0.5, 0.9, 1.0]))
    np.testing.assert_allclose(made, [0, 0, 2 / 3, 2 / 3, 2 / 3, 1, 1])  # 0.2 and 0.5 are pooled
    sure = np.repeat(np.arange(10) / 10, 10)
    rate = np.array([float(n % 10 < n // 10) for n in range(100)])
    assert gap(sure, rate) == pytest.approx(0, abs=1e-9)  # of those that say 30 %, 30 % are right
    assert gap(np.full(100, 0.9), rate) == pytest.approx(0.9 - 0.45)


def test_what_it_says(tmp_path):
    model = torch_toys.model(Shape("lstm", hidden=2, size=2, outputs=2), ["no", "yes"])
    train = [exegesis.Example.of(text, ["no", "yes"][n % 2]) for n, text in enumerate(TEXTS)]
    test, held = train[:8], train[4:]
    found = calibrate(model, train, test, held, k=3)
    assert [row.name for row in found.readings] == [
        "probability", "probability, fitted", "conformity", "conformity, fitted"
    ]  # fmt: skip
    said = exegesis.predict(model, [one.text for one in test])
    right = [max(one, key=one.get) == example.label for one, example in zip(said, test, strict=True)]
    sure = np.array([max(one.values()) for one in said])
    assert found.accuracy == pytest.approx(np.mean(right))
    assert found.readings[0].brier == pytest.approx(np.mean((sure - right) ** 2))
    near = exegesis.influence(model, [(e.text, e.label) for e in train], [e.text for e in test], "nearest", k=3)
    conformity = np.array([one.details["conformity"] for one in near])
    assert found.readings[2].brier == pytest.approx(np.mean((conformity - right) ** 2))
    assert sum(step.texts for step in found.readings[0].steps) == 8
    assert exegesis.read(found.save(tmp_path / "a.json")) == found
    with pytest.raises(exegesis.UsageError, match="unknown label 'maybe'"):
        calibrate(model, train, [exegesis.Example.of("w1", "maybe")], held)
