"""Gates: closed forms against a million draws and against numerical integration, and what their gradients estimate."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from exegesis.models.rationale_models.gates import HardConcrete, HardKumaraswamy, relaxed, straight

DRAWS = 1_000_000


def numbers(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.quick
@pytest.mark.parametrize(("a", "b"), [(1.0, 3.0), (0.4, 0.6), (3.0, 0.7), (0.06, 5.0)])
def test_the_closed_forms_of_hardkuma_are_those_of_draws_and_integrals(a: float, b: float) -> None:
    torch.manual_seed(0)
    gates = HardKumaraswamy(numbers(a), numbers(b))
    z = HardKumaraswamy(*(value.expand(DRAWS) for value in (gates.a, gates.b))).draw()
    for exact, drawn in ((gates.zero, z == 0), (gates.one, z == 1), (gates.mean(), z)):
        bound = 5 * float(drawn.double().std()) / DRAWS**0.5 + 1e-9
        assert abs(float(exact) - float(drawn.double().mean())) < bound
    above = integrate.quad(lambda t: (1 - ((t + 0.1) / 1.2) ** a) ** b, 0, 1, epsabs=1e-12)[0]  # P(z > t)
    assert float(gates.mean()) == pytest.approx(above, abs=1e-9)
    inner = [stats.beta(1, b).cdf(edge**a) for edge in (0.1 / 1.2, 1.1 / 1.2)]  # K^a is Beta(1, b)
    assert float(gates.zero) == pytest.approx(inner[0], abs=1e-12)
    assert float(gates.one) == pytest.approx(1 - inner[1], abs=1e-12)


def test_the_mean_is_not_that_of_the_published_code() -> None:
    """At a = 1, b = 3 that is 1 / 4, the mean of K before stretching and clipping."""
    assert float(HardKumaraswamy(numbers(1.0), numbers(3.0)).mean()) == pytest.approx(0.212, abs=5e-4)


@pytest.mark.parametrize("logit", [-2.0, 0.0, 1.5])
def test_the_closed_forms_of_the_hard_concrete_are_those_of_draws_and_integrals(logit: float) -> None:
    torch.manual_seed(0)
    gates = HardConcrete(numbers(logit))
    z = HardConcrete(gates.logits.expand(DRAWS)).draw()
    for exact, drawn in ((gates.above(0.0), z > 0), (gates.above(0.5), z > 0.5), (gates.mean(), z)):
        assert abs(float(exact) - float(drawn.double().mean())) < 5 * float(drawn.double().std()) / DRAWS**0.5
    assert float((z == 1).double().mean()) < 1e-3  # those are rounding
    assert bool((z == 0).any())

    def above(t: float) -> float:
        x = (t + 0.2) / 1.2
        return float(1 / (1 + np.exp(-(logit - np.log(x / (1 - x)) / 3))))

    assert float(gates.mean()) == pytest.approx(integrate.quad(above, 0, 1, epsabs=1e-12)[0], abs=1e-6)


def test_gradients_by_paths_are_those_of_the_closed_form() -> None:
    """E[z] has the same slope by draws of z, whose path has a gradient, as by its formula."""
    torch.manual_seed(1)
    a, b = numbers(0.8).requires_grad_(), numbers(1.2).requires_grad_()
    exact = torch.autograd.grad(HardKumaraswamy(a, b).mean().sum(), (a, b))
    drawn = HardKumaraswamy(a.expand(DRAWS), b.expand(DRAWS)).draw().mean()
    for one, other in zip(exact, torch.autograd.grad(drawn, (a, b)), strict=True):
        assert float(other) == pytest.approx(float(one), abs=4e-3)


def test_relaxed_draws_are_above_a_half_as_often_as_bernoulli_ones_are_one() -> None:
    torch.manual_seed(0)
    logits = torch.full((DRAWS,), -1.0, dtype=torch.float64)
    hard, soft = straight(logits, 0.5), relaxed(logits, 0.5)
    chance = float(torch.sigmoid(logits[0]))
    for drawn in (hard, (soft > 0.5).double()):
        assert float(drawn.mean()) == pytest.approx(chance, abs=5 * (chance * (1 - chance) / DRAWS) ** 0.5)
    assert set(hard.unique().tolist()) == {0.0, 1.0}


def test_the_bias_of_the_relaxed_gradient_is_known_and_falls_with_the_temperature() -> None:
    """d/dp E[f(z)] of f(z) = (z - 0.4)^2 is f(1) - f(0) = 0.2: exact by enumeration, estimated by relaxed draws."""
    biases = []
    for temperature in (1.0, 0.2):
        torch.manual_seed(0)
        p = numbers(0.3).requires_grad_()
        soft = relaxed(torch.logit(p).expand(DRAWS), temperature)
        (slope,) = torch.autograd.grad(((soft - 0.4) ** 2).mean(), p)
        biases.append(abs(float(slope) - 0.2))
    assert 0.05 < biases[1] < biases[0]
