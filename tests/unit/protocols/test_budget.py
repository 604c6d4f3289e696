"""Budgets: the CPU's own numbers, growth with a device's memory, limits for the length of a block."""

from __future__ import annotations

import pytest
import torch

from exegesis.protocols.budget import BUDGETS, REFERENCE, UNBOUND, Budget, budget_for, factor_of, limited


def test_the_cpu_has_the_budgets_as_they_stand():
    for work, budget in BUDGETS.items():
        assert budget_for(work) is budget
        assert budget_for(work, torch.device("cpu")) is budget
        assert budget_for(work, torch.device("meta")) is budget
    assert budget_for("texts") == Budget(rows=64, pieces=16384)
    assert budget_for("perturbed") == Budget(pieces=32768)


@pytest.mark.parametrize(
    ("free", "factor"),
    [(0, 1 / 8), (REFERENCE // 4, 1 / 4), (REFERENCE - 1, 1 / 2), (REFERENCE, 1), (3 * REFERENCE, 2), (1 << 50, 64)],
)
def test_factors_are_powers_of_two_within_bounds(free, factor):
    assert factor_of(free) == factor


def test_a_cuda_device_scales_every_limit(monkeypatch):
    """Free memory is what the driver has left and what torch has set aside without using it."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (REFERENCE, 2 * REFERENCE))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 4 * REFERENCE)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: REFERENCE)
    assert budget_for("texts", torch.device("cuda")) == Budget(rows=256, pieces=65536)
    assert budget_for("masks", torch.device("cuda")).rows == UNBOUND
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 5 * REFERENCE - 1)
    assert budget_for("texts", torch.device("cuda")) == Budget(rows=8, pieces=2048)


def test_one_row_always_fits():
    budget = Budget(rows=4, pieces=10)
    assert [budget.rows_of(width) for width in (0, 1, 2, 3, 5, 10, 11)] == [4, 4, 4, 3, 2, 1, 1]
    assert Budget(rows=2, numbers=3).times(1 / 8) == Budget(rows=1, numbers=1)


def test_limits_hold_in_their_block_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (64 * REFERENCE, 64 * REFERENCE))
    with limited("texts", rows=3):
        with limited("masks", pieces=7):
            assert budget_for("texts") == budget_for("texts", torch.device("cuda")) == Budget(rows=3, pieces=16384)
            assert budget_for("masks") == Budget(pieces=7)
        assert budget_for("masks") is BUDGETS["masks"]
    with pytest.raises(ZeroDivisionError), limited("texts", rows=1):
        _ = 1 / 0
    assert budget_for("texts") is BUDGETS["texts"]
    with pytest.raises(TypeError, match="words"), limited("texts", words=3):
        pass
