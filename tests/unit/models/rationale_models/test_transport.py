"""Optimal transport: sums, cost and sparsity against a linear programme; pairs of texts with planted alignments."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

import exegesis
from exegesis.data.examples import Example
from exegesis.models.modules.wrap import wrap
from exegesis.models.rationale_models.model import RationaleClassifier
from exegesis.models.rationale_models.transport import alignment, sinkhorn
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from tests.support import rationale_toys as toys


def programme(
    cost: np.ndarray, rows: np.ndarray, columns: np.ndarray, upper: bool = False, total: float = 0.0
) -> object:
    """The plan of least cost; with ``upper``, sums are at most these and the whole plan has a ``total``."""
    n, m = cost.shape
    sums = np.zeros((n + m, n * m))
    for i in range(n):
        sums[i, i * m : (i + 1) * m] = 1
    for j in range(m):
        sums[n + j, j::m] = 1
    edges = np.concatenate([rows, columns])
    if upper:
        return linprog(cost.ravel(), A_ub=sums, b_ub=edges, A_eq=np.ones((1, n * m)), b_eq=[total])
    return linprog(cost.ravel(), A_eq=sums, b_eq=edges)


@torch.no_grad()
def test_the_plan_approaches_the_linear_programmes_under_padding() -> None:
    draws = torch.Generator().manual_seed(0)
    cost = torch.rand(2, 5, 4, generator=draws, dtype=torch.float64)
    rows = torch.tensor([[0.1, 0.3, 0.2, 0.2, 0.2], [0.5, 0.25, 0.25, 0.0, 0.0]], dtype=torch.float64)
    columns = torch.tensor([[0.4, 0.1, 0.3, 0.2], [0.6, 0.4, 0.0, 0.0]], dtype=torch.float64)
    costs = []
    for epsilon in (10.0, 0.1, 0.002):
        plan = sinkhorn(cost, rows, columns, epsilon, 3000)
        torch.testing.assert_close(plan.sum(1), columns, rtol=0, atol=1e-9)
        torch.testing.assert_close(plan.sum(2), rows, rtol=0, atol=1e-4)
        assert bool((plan[1, 3:] == 0).all())
        assert bool((plan[1, :, 2:] == 0).all())
        costs.append((plan * cost).sum((1, 2)))
    torch.testing.assert_close(
        sinkhorn(cost, rows, columns, 1e4, 50), rows[:, :, None] * columns[:, None], atol=1e-4, rtol=0
    )
    assert bool((costs[0] > costs[1]).all() and (costs[1] > costs[2] - 1e-9).all())
    for row, (n, m) in enumerate(((5, 4), (3, 2))):
        exact = programme(cost[row, :n, :m].numpy(), rows[row, :n].numpy(), columns[row, :m].numpy())
        assert float(costs[2][row]) == pytest.approx(exact.fun, abs=5e-3)
        assert float(costs[2][row]) > exact.fun - 1e-4
        assert int((exact.x > 1e-9).sum()) <= n + m - 1
        assert int((sinkhorn(cost, rows, columns, 0.002, 3000)[row] > 1e-3).sum()) <= n + m - 1


@torch.no_grad()
def test_alignments_are_one_to_one_and_of_least_cost() -> None:
    draws = torch.Generator().manual_seed(1)
    cost = torch.rand(1, 5, 4, generator=draws, dtype=torch.float64) * 2
    first, second = torch.tensor([[True] * 4 + [False]]), torch.tensor([[True] * 3 + [False]])
    plan = alignment(cost, first, second, torch.tensor([2.0], dtype=torch.float64), 0.005, 4000)[0]
    exact = programme(cost[0, :4, :3].numpy(), np.ones(4), np.ones(3), upper=True, total=2.0)
    assert float((plan * cost[0]).sum()) == pytest.approx(exact.fun, abs=1e-2)
    assert float(plan.sum()) == pytest.approx(2.0, abs=1e-3)
    assert int((plan > 0.5).sum()) == 2
    assert float(plan.sum(0).max()) < 1 + 1e-3
    assert float(plan.sum(1).max()) < 1 + 1e-3
    assert bool((plan[4] == 0).all() and (plan[:, 3] == 0).all())


def test_gradients_pass_padding_and_a_plan_without_any_word_left_over() -> None:
    cost = torch.rand(2, 3, 2, dtype=torch.float64, requires_grad=True)
    first, second = torch.tensor([[True] * 3, [True, False, False]]), torch.tensor([[True] * 2, [True, False]])
    plan = alignment(cost, first, second, torch.tensor([2.0, 1.0], dtype=torch.float64), 0.1, 20)
    (slope,) = torch.autograd.grad((plan * torch.arange(2)).sum(), cost)
    assert bool(torch.isfinite(slope).all())


def pairs(count: int, seed: int) -> list[Example]:
    """Two texts of fillers that name a thing each: the label is whether it is the same thing."""
    draw, found = random.Random(seed), []
    for n in range(count):
        things = draw.sample(toys.GOOD + toys.BAD, 2)
        texts = []
        for thing in (things[0], things[0] if n % 2 else things[1]):
            words = draw.choices(toys.FILLING, k=draw.randint(3, 5))
            words[draw.randrange(len(words))] = thing
            texts.append(" ".join(words))
        found.append(Example.of((texts[0], texts[1]), "same" if n % 2 else "other"))
    return found


def test_a_classifier_of_pairs_reads_aligned_words_alone() -> None:
    options = TrainOptions(epochs=2, batch=32, lr=0.01)
    result = train(pairs(120, 0), pairs(40, 1), config=toys.shape("matching:share=0.25", 8), options=options)
    trained = result.model
    wrapped = wrap(trained.module, vocabulary=trained.vocabulary, labels=list(trained.labels), name="pairs")
    model = RationaleClassifier.of(wrapped)
    raws = [one.text for one in pairs(6, 2)]
    for raw, found in zip(raws, exegesis.rationale(model, raws), strict=True):
        sides = [range(segment.start, segment.stop) for segment in found.text.segments]
        words = [word.start for n, word in enumerate(found.text.words) if n in found.kept]
        assert [sum(word in side for word in words) for side in sides] == [1, 1]
        assert found.alone == pytest.approx(found.explained)
        assert found.text.raw.split() == " ".join(raw).split()
    batch = model.encode([model.read(raw) for raw in raws])
    kept = model.select(batch).kept
    assert torch.equal(model.outputs(batch), model.outputs_of(batch, kept))  # the border stays in both
    border = batch.ids == 2
    other = torch.where(kept | border | ~batch.mask, batch.ids, 3 + (batch.ids + 5) % 20)
    changed = dataclasses.replace(batch, ids=other, texts=())
    assert torch.equal(model.outputs_of(batch, kept), model.outputs_of(changed, kept))
