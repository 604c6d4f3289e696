"""Selectors by enumeration: the means of their estimates against exact sums over all 2^T masks of a toy."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from exegesis.models.rationale_models.gates import HardKumaraswamy
from exegesis.models.rationale_models.network import RationaleNetwork
from exegesis.models.rationale_models.selectors.bottleneck import divergence
from exegesis.models.rationale_models.selectors.hardkuma import HardKumaChooser
from exegesis.models.rationale_models.selectors.lei import LeiChooser
from exegesis.models.rationale_models.selectors.selector import Constraint, Look, supervised
from exegesis.models.trained.taught import Lesson
from tests.support import rationale_toys as toys

IDS, LENGTHS = torch.tensor([[3, 8, 5, 12], [4, 9, 20, 0]]), torch.tensor([4, 3])
MASKS = torch.tensor(list(product((0.0, 1.0), repeat=4)), dtype=torch.float64)


def lesson() -> Lesson:
    return Lesson(IDS, LENGTHS, torch.eye(2, dtype=torch.float64))


def exact_cost(network: RationaleNetwork, look: Look, sparsity: float, coherence: float) -> Tensor:
    """Lei et al., Eq. 6, mask by mask: the expected cost, its penalties summed over each text's own words."""
    total = torch.zeros((), dtype=torch.float64)
    for row, length in enumerate(LENGTHS.tolist()):
        p = torch.sigmoid(network.chooser.score(look.states[row, :length]).squeeze(-1))
        for mask in MASKS[:: 2 if length == 3 else 1]:
            z = mask[:length]
            chance = torch.where(z == 1, p, 1 - p).prod()
            logits = network.read(look.vectors[row : row + 1, :length], z[None], LENGTHS[row : row + 1])
            loss = -torch.log_softmax(logits, 1)[0, row]
            penalty = sparsity * z.sum() + coherence * (z[1:] - z[:-1]).abs().sum()
            total = total + chance * (loss + penalty)
    return total / 2


@pytest.mark.parametrize("samples", [1, 3])
def test_reinforce_has_no_bias(samples: int) -> None:
    """The mean of many estimates is the exact gradient, of generator and encoder, within five standard errors."""
    network = toys.network(f"lei:sparsity=0.2:coherence=0.3:samples={samples}:warm=0")
    chooser = network.chooser
    assert isinstance(chooser, LeiChooser)
    weights = [chooser.score.weight, network.output.weight]
    exact = torch.autograd.grad(exact_cost(network, network.look(IDS, LENGTHS), 0.2, 0.3), weights)
    torch.manual_seed(0)
    chooser.average.fill_(1.0)
    copies = 200
    ids, lengths = IDS.repeat(copies, 1), LENGTHS.repeat(copies)
    told = Lesson(ids, lengths, torch.eye(2, dtype=torch.float64).repeat(copies, 1))
    values, found = [], []
    for _ in range(30):
        loss = chooser.loss(network, network.look(ids, lengths), told)
        values.append(loss.detach())
        found.append(torch.autograd.grad(loss, weights))
    for one, several in zip(exact, zip(*found, strict=True), strict=True):
        drawn = torch.stack(several)
        error = drawn.std(0) / len(drawn) ** 0.5
        assert bool(((drawn.mean(0) - one).abs() < 5 * error + 1e-9).all())
        assert bool((drawn.mean(0).abs() > 3 * error).any())  # the test can tell it from zero
    cost = float(exact_cost(network, network.look(IDS, LENGTHS), 0.2, 0.3).detach())
    spread = torch.stack(values)
    assert abs(float(spread.mean()) - cost) < 5 * float(spread.std()) / len(spread) ** 0.5


@torch.no_grad()
def test_the_baseline_of_one_draw_is_that_of_earlier_batches() -> None:
    chooser = toys.network("lei:samples=1").chooser
    assert isinstance(chooser, LeiChooser)
    costs = [torch.tensor([[1.0, 3.0]]), torch.tensor([[4.0, 8.0]]), torch.tensor([[0.0, 0.0]])]
    found = [float(chooser._baseline(cost)) for cost in costs]
    assert found == pytest.approx([0.0, 2.0, 0.9 * 2 + 0.1 * 6])


@torch.no_grad()
def test_the_sequential_generator_draws_from_the_product_of_its_conditionals() -> None:
    """Every mask as often as the product of the probabilities of its words, each given the words before it."""
    network = toys.network("lei:kind=sequential")
    chooser, look = network.chooser, network.look(IDS, LENGTHS)
    assert isinstance(chooser, LeiChooser)
    torch.manual_seed(0)
    z, log_p = chooser.drawn(look, 20_000)
    keys = (z[:, 0] * torch.tensor([8, 4, 2, 1])).sum(-1)
    total = 0.0
    for key in range(16):
        rows = keys == key
        if bool(rows.any()):
            chances = log_p[rows, 0].exp()
            assert float(chances.std()) < 1e-9 if int(rows.sum()) > 1 else True
            share, chance = float(rows.double().mean()), float(chances[0])
            assert abs(share - chance) < 5 * (chance * (1 - chance) / 20_000) ** 0.5 + 1e-4
            total += chance
    assert total == pytest.approx(1.0, abs=1e-2)
    assert not bool(z[:, 1, 3].any())  # padding is never drawn


@torch.no_grad()
def test_the_expected_share_and_changes_of_hardkuma_are_sums_over_all_masks() -> None:
    network = toys.network("hardkuma")
    look = network.look(IDS, LENGTHS)
    chooser = network.chooser
    assert isinstance(chooser, HardKumaChooser)
    gates = chooser.gates(look)
    share = changes = 0.0
    for row, length in enumerate(LENGTHS.tolist()):
        there = 1 - gates.zero[row, :length]
        for mask in MASKS[:: 2 if length == 3 else 1]:
            z = mask[:length]
            chance = float(torch.where(z == 1, there, 1 - there).prod())
            share += chance * float(z.mean()) / 2
            changes += chance * float((z[1:] - z[:-1]).abs().sum()) / length / 2
    assert float(chooser.expected_share(gates, look)) == pytest.approx(share, abs=1e-12)
    assert float(chooser.expected_changes(gates, look)) == pytest.approx(changes, abs=1e-12)
    chosen = chooser.choose(look)
    three = torch.stack([gates.zero, 1 - gates.zero - gates.one, gates.one], -1)[look.real]
    assert torch.equal(chosen.kept[look.real], three.argmax(-1) > 0)
    ends = three.argmax(-1) == 2
    assert bool((chosen.gates[look.real][ends] == 1).all())
    between = three.argmax(-1) == 1
    torch.testing.assert_close(chosen.gates[look.real][between], gates.mean()[look.real][between])


def test_a_constraint_rises_while_it_is_violated_and_falls_when_it_holds() -> None:
    constraint, value = Constraint(0.2, rate=0.5, keep=0.5), torch.tensor(0.6, requires_grad=True)
    penalties = [constraint(value) for _ in range(3)]
    assert float(constraint.average) == pytest.approx(0.35)
    assert float(constraint.multiplier) == pytest.approx(0.01 * torch.exp(0.5 * torch.tensor(0.2 + 0.3 + 0.35)).item())
    (slope,) = torch.autograd.grad(penalties[-1], value)
    assert float(slope) == pytest.approx(float(constraint.multiplier))
    assert float(penalties[-1].detach()) == pytest.approx(float(constraint.multiplier) * 0.35, rel=1e-5)
    for _ in range(5):
        constraint(torch.tensor(0.0))
    assert float(constraint.average) < 0


def test_hardkuma_keeps_no_fewer_words_than_wanted_for_the_constraint() -> None:
    """Where the expected share is below the wanted one the multiplier has no say; above it has."""
    slopes = {}
    for share, multiplier in product((0.999, 0.001), (0.001, 5.0)):
        module = toys.network(f"hardkuma:share={share}")
        module.chooser.few.multiplier.fill_(multiplier)  # type: ignore[operator, union-attr]
        torch.manual_seed(1)
        (slopes[share, multiplier],) = torch.autograd.grad(module.loss(lesson()), module.chooser.score.weight)  # type: ignore[union-attr, arg-type]
    assert torch.equal(slopes[0.999, 0.001], slopes[0.999, 5.0])
    assert not torch.allclose(slopes[0.001, 0.001], slopes[0.001, 5.0])


def test_the_divergence_is_that_of_two_coins_and_zero_at_the_prior() -> None:
    p = torch.tensor([0.05, 0.2, 0.7], dtype=torch.float64)
    plain = [a * torch.log(a / 0.2) + (1 - a) * torch.log((1 - a) / 0.8) for a in p]
    torch.testing.assert_close(divergence(torch.logit(p), 0.2), torch.stack(plain))
    assert abs(float(divergence(torch.logit(p), 0.2)[1])) < 1e-15


def test_marks_are_learned_where_there_are_any() -> None:
    chances = torch.tensor([[0.9, 0.2, 1.0, 0.0, 0.0], [0.5] * 5], dtype=torch.float64, requires_grad=True)
    marks = torch.tensor([[1.0, 0.0, 1.0, 1.0, 0.0], [torch.nan] * 5])
    real, border = torch.tensor([[True] * 4 + [False]] * 2), torch.tensor([[False, False, True, False, False]] * 2)
    look = Look(chances[..., None], chances[..., None], real, border, torch.tensor([4, 4]))
    loss = supervised(chances, marks, look)  # a marked word with no chance counts; the border and padding do not
    assert float(loss.detach()) == pytest.approx(-math.log(0.9 * 0.8 * 1e-6) / 3)
    (slope,) = torch.autograd.grad(loss, chances)
    assert bool((slope[1] == 0).all())


@torch.no_grad()
def test_the_distribution_is_the_one_that_the_states_give() -> None:
    network = toys.network("hardkuma")
    look = network.look(IDS, LENGTHS)
    chooser = network.chooser
    assert isinstance(chooser, HardKumaChooser)
    gates = chooser.gates(look)
    assert isinstance(gates, HardKumaraswamy)
    assert float(gates.a.min()) > 0.05
    torch.testing.assert_close(chooser.chances(look), (1 - gates.zero) * look.real)
