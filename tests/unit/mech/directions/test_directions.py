"""Directions of concepts: the minimum of the logistic loss, whatever the scale and the rotation of the states."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from exegesis.core.errors import ModelError
from exegesis.mech.directions.directions import directions
from tests.reference import concepts as reference

PENALTY = 0.01


@pytest.fixture(scope="module")
def states():
    drawn = torch.randn(40, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    drawn[:12, 1] += 1.5
    return 3.0 + drawn


ROWS = torch.arange(12)[None], torch.arange(12, 24)[None]


@pytest.mark.quick
def test_they_are_those_of_a_plain_minimiser_and_of_scikit_learn(states):
    both = torch.cat([ROWS[0], ROWS[0].flip(1)]), torch.cat([ROWS[1], torch.arange(28, 40)[None]])
    found, thresholds = directions(states, *both, PENALTY)
    for at in range(2):
        inside, outside = states[both[0][at]].numpy(), states[both[1][at]].numpy()
        expected = reference.direction(inside, outside, states.numpy(), PENALTY)
        np.testing.assert_allclose(found[at], expected, atol=1e-6)
    linear = pytest.importorskip("sklearn.linear_model")
    size = (states - states.mean(0)).square().sum(1).mean().sqrt()
    rows = torch.cat([states[both[0][0]], states[both[1][0]]]).sub(states.mean(0)).div(size).numpy()
    signs = [1] * 12 + [0] * 12
    model = linear.LogisticRegression(C=1 / (PENALTY * 24), tol=1e-10, max_iter=10_000).fit(rows, signs)
    normal = model.coef_[0] / np.linalg.norm(model.coef_[0])
    np.testing.assert_allclose(found[0], normal, atol=1e-5)
    inside = (torch.cat([states[both[0][0]], states[both[1][0]]]) @ found[0] > thresholds[0]).numpy()
    assert inside.tolist() == model.predict(rows).astype(bool).tolist()


def test_scale_and_shift_change_nothing_and_a_rotation_turns_them(states):
    plain, _ = directions(states, *ROWS, PENALTY)
    scaled, _ = directions(1e4 * states - 7.0, *ROWS, PENALTY)
    torch.testing.assert_close(scaled, plain, atol=1e-8, rtol=0)
    turn = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    turned, _ = directions(states @ turn, *ROWS, PENALTY)
    torch.testing.assert_close(turned, plain @ turn, atol=1e-8, rtol=0)
    swapped, _ = directions(states, ROWS[1], ROWS[0], PENALTY)
    torch.testing.assert_close(swapped, -plain, atol=1e-8, rtol=0)


def test_states_that_are_all_the_same_have_none():
    with pytest.raises(ModelError, match="the states of all examples are the same"):
        directions(torch.ones(24, 3, dtype=torch.float64), *ROWS, PENALTY)
