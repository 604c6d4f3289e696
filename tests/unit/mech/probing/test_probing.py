"""Probes: the optimum of scikit-learn's, the online code, and trees that states hold exactly."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from exegesis.mech.probing.classifiers import linear, perceptron
from exegesis.mech.probing.description import online_code, shuffled_together, uniform_code
from exegesis.mech.probing.structure import Trees, arcs, distance_loss, fitted, spanning, squared_distances
from tests.reference import probes as plain

HEADS = (1, -1, 1, 4, 2, 4)  # of six words


def examples(count: int = 60, width: int = 4, classes: int = 3):
    """States that hold their label, with noise."""
    draws = torch.Generator().manual_seed(3)
    labels = torch.randint(classes, (count,), generator=draws)
    centres = torch.randn(classes, width, generator=draws, dtype=torch.float64)
    return centres[labels] + torch.randn(count, width, generator=draws, dtype=torch.float64) * 0.7, labels


@pytest.mark.quick
def test_a_linear_probe_is_scikit_learns_logistic_regression() -> None:
    model = pytest.importorskip("sklearn.linear_model")
    states, labels = examples()
    probe = linear(states, labels, 3, 0.02)
    scaled = ((states - probe.mean) / probe.scale).numpy()
    other = model.LogisticRegression(C=1 / (0.02 * len(states)), tol=1e-10, max_iter=5000).fit(scaled, labels.numpy())
    np.testing.assert_allclose(probe.logs(states).exp().numpy(), other.predict_proba(scaled), atol=2e-5)
    assert float(scaled.mean()) == pytest.approx(0, abs=1e-12)
    assert float((scaled**2).mean()) == pytest.approx(1, rel=1e-9)
    own = plain.objective(probe, states, labels, 0.02)
    for shift in (1e-2, -1e-2):  # no better probe is near
        probe.network.weight[1, 2] += shift
        assert plain.objective(probe, states, labels, 0.02) > own
        probe.network.weight[1, 2] -= shift


def test_a_rotation_and_a_scale_of_states_change_nothing() -> None:
    states, labels = examples()
    turn, _ = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    one, other = (linear(x, labels, 3, 0.01).logs(x) for x in (states, 3 * states @ turn + 5))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_hidden_layer_learns_what_no_line_separates() -> None:
    draws = torch.Generator().manual_seed(0)
    states = torch.randn(400, 2, generator=draws, dtype=torch.float64)
    labels = (states[:, 0] * states[:, 1] > 0).long()
    line = linear(states, labels, 2, 0.001).logs(states).argmax(1)
    bent = perceptron(states, labels, 2, 16, 0.001, 40, 0).logs(states).argmax(1)
    assert float((line == labels).double().mean()) < 0.7
    assert float((bent == labels).double().mean()) > 0.9
    again = perceptron(states, labels, 2, 16, 0.001, 40, 0).logs(states)
    torch.testing.assert_close(again.argmax(1), bent)


def test_the_online_code_is_the_plain_one() -> None:
    states, labels = shuffled_together(*examples(), 5)

    def fit(x, y, classes):
        return linear(x, y, classes, 0.05)

    shares = (0.1, 0.3, 0.55, 1.0)
    ends = [0, 6, 18, 33, 60]
    blocks = [(states[a:b], labels[a:b]) for a, b in pairwise(ends)]
    bits = online_code(states, labels, 3, fit, shares)
    assert bits == pytest.approx(plain.online_code(blocks, 3, fit), rel=1e-9)
    assert bits < uniform_code(60, 3) == pytest.approx(60 * math.log2(3))
    noise = labels[torch.randperm(60, generator=torch.Generator().manual_seed(2))]
    assert online_code(states, noise, 3, fit, shares) > bits


def test_arcs_of_a_tree() -> None:
    between, depth = arcs(HEADS)
    np.testing.assert_array_equal(between, plain.arcs_between(HEADS))
    assert depth.tolist() == [1, 0, 1, 3, 2, 3]
    for wrong in ((1, 0), (-1, -1)):
        with pytest.raises(ValueError, match=r"circle|several"):
            arcs(wrong)
    assert spanning(np.asarray(between)) == {(0, 1), (1, 2), (2, 4), (3, 4), (4, 5)}


def planted(trees: list[tuple[int, ...]], extra: int) -> Trees:
    """States whose squared distances are those of the tree: each arc is a direction of its own; and noise besides."""
    longest, draws = max(map(len, trees)), torch.Generator().manual_seed(4)
    states = torch.zeros(len(trees), longest, longest + extra, dtype=torch.float64)
    distance, depth = torch.zeros(len(trees), longest, longest).double(), torch.zeros(len(trees), longest).double()
    real = torch.zeros(len(trees), longest, dtype=torch.bool)
    for row, heads in enumerate(trees):
        between, down = arcs(heads)
        for word in range(len(heads)):
            at = word
            while heads[at] >= 0:
                states[row, word, at] = 1.0
                at = heads[at]
        size = len(heads)
        real[row, :size] = True
        distance[row, :size, :size], depth[row, :size] = torch.tensor(between), torch.tensor(down)
    states[..., longest:] = torch.randn(*states.shape[:2], extra, generator=draws, dtype=torch.float64)
    return Trees(states, distance, depth, real)


def test_a_planted_tree_is_found() -> None:
    draws = np.random.default_rng(0)
    trees = []
    for size in draws.integers(4, 9, 40):
        order = draws.permutation(size)
        heads = [-1] * size
        for place in range(1, size):
            heads[order[place]] = int(order[draws.integers(place)])
        trees.append(tuple(heads))
    given = planted(trees, 4)
    exact = torch.eye(given.states.shape[2], dtype=torch.float64)[:-4]  # leaves the noise out
    assert float(distance_loss(squared_distances(given.states @ exact.T), given)) == pytest.approx(0, abs=1e-12)
    plainly = [(given.states[n, : len(h)], given.distance[n].tolist()) for n, h in enumerate(trees)]
    matrix = torch.randn(3, given.states.shape[2], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    own = float(distance_loss(squared_distances(given.states @ matrix.T), given))
    assert own == pytest.approx(plain.distance_loss(matrix, plainly), rel=1e-9)
    found = fitted(given, 12, 0)
    right = total = 0
    for row, heads in enumerate(trees):
        projected = given.states[row, : len(heads)] @ found.T
        tree = spanning(squared_distances(projected[None])[0].numpy())
        right += len(tree & {(min(w, h), max(w, h)) for w, h in enumerate(heads) if h >= 0})
        total += len(heads) - 1
    assert right / total > 0.9
    depths = fitted(given, 12, 0, depth=True)
    sizes = (given.states @ depths.T).square().sum(-1).masked_fill(~given.real, torch.inf)
    assert float((sizes.argmin(1) == torch.tensor([heads.index(-1) for heads in trees])).double().mean()) > 0.9
