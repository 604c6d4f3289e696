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


def test_equal_confidences_stay_in_one_group_whatever_the_order():
    sure = np.array([0.5] * 17 + [0.7] * 60 + [0.9] * 23)
    right = (np.arange(100) % 3 > 0).astype(float)
    each = [17 * abs(0.5 - right[:17].mean()), 60 * abs(0.7 - right[17:77].mean()), 23 * abs(0.9 - right[77:].mean())]
    order = np.random.default_rng(0).permutation(100)
    assert gap(sure, right) == pytest.approx(sum(each) / 100)
    assert gap(sure[order], right[order]) == pytest.approx(sum(each) / 100)
    apart = np.random.default_rng(1).permutation(25) / 25  # no two are equal: groups of 3 and 2
    ranks = np.array_split(np.argsort(apart), 10)
    plain = sum(len(rows) * abs(apart[rows].mean() - right[rows].mean()) for rows in ranks) / 25
    assert gap(apart, right[:25]) == pytest.approx(plain)


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
    assert repr(found) == f"<Calibrated of 8 texts: nearest of {model.name}>"  # not its fields, at a prompt
    assert exegesis.read(found.save(tmp_path / "a.json")) == found
    assert f"Fitted readings say little on {len(held)} held-out texts" in found.save(tmp_path / "a.html").read_text()
    with pytest.raises(exegesis.UsageError, match="unknown label 'maybe'"):
        calibrate(model, train, [exegesis.Example.of("w1", "maybe")], held)
