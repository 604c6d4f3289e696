"""The test of attention: a model whose attention decides passes it, one whose attention is idle does not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import exegesis
from exegesis import study
from exegesis.core.errors import UsageError
from exegesis.mech.attending.interventions import CEILING, held, jensen_shannon, total_variation
from exegesis.show import render
from tests.support.torch_toys import WORDS, texts


class Planted(nn.Module):
    """Weighs word vectors by a score of each word; if ``idle``, what it weighs is the mean of all, so weights do
    nothing."""

    def __init__(self, idle: bool) -> None:
        super().__init__()
        self.idle = idle
        self.embedding = nn.Embedding(len(WORDS), 6)
        self.score, self.output = nn.Linear(6, 1), nn.Linear(6, 2)
        draws = torch.Generator().manual_seed(3)
        for weight in self.parameters():
            weight.data = torch.randn(weight.shape, generator=draws, dtype=torch.float64) * 1.5

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        vectors = self.embedding(ids)
        weights = torch.softmax(self.score(vectors).squeeze(-1).masked_fill(~mask, -torch.inf), 1)
        if self.idle:
            mean = (vectors * mask[..., None]).sum(1, keepdim=True) / mask.sum(1)[:, None, None]
            vectors = mean.expand_as(vectors)
        return self.output((weights[..., None] * vectors).sum(1))


def planted(idle: bool):
    return exegesis.wrap(Planted(idle), vocabulary=WORDS, labels=["no", "yes"])


@pytest.fixture(scope="module")
def reports():
    data = texts([6, 7, 8, 5, 9, 7, 6, 8, 7, 9])
    return [study.attention_test(planted(idle), data, permutations=20, starts=2, steps=25) for idle in (False, True)]


def test_a_planted_adversary_is_flagged(reports) -> None:
    faithful, idle = reports
    assert {"agreement", "erasure"} <= set(faithful.passed)
    assert idle.of("permutation").value < 1e-12
    assert idle.of("uniform").value < 1e-12
    assert idle.of("erasure").value < 1e-12
    assert idle.of("adversary").value > 0.6 * CEILING
    assert not {"erasure", "permutation", "uniform", "adversary"} & set(idle.passed)
    assert "does not explain" in idle.verdict
    assert "does not explain" not in faithful.verdict


def test_copies_of_texts_are_no_more_evidence(reports) -> None:
    """With every text twice, means and intervals are those of the texts once."""
    data = texts([6, 7, 8, 5, 9, 7, 6, 8, 7, 9])
    once = study.attention_test(planted(False), data, permutations=20, searched=0)
    twice = study.attention_test(planted(False), [*data, *data], permutations=20, searched=0)
    for one in once.tests:
        if one.texts:
            other = twice.of(one.name)
            for name in ("value", "low", "high", "control", "apart_low", "apart_high"):
                assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-9), (one.name, name)


def test_the_report_is_saved_and_drawn(reports, tmp_path) -> None:
    assert exegesis.read(reports[0].save(tmp_path / "t.json")) == reports[0]
    drawn = render(reports[1], color=False, width=120)
    assert reports[1].verdict.split(";")[0] in " ".join(drawn.split())
    for test in reports[0].tests:
        assert test.decides or math.isfinite(test.value)


def test_weights_of_the_adversary_keep_the_prediction() -> None:
    model = planted(idle=True)
    one = held(model, model.encode([model.read(texts([7])[0])]))
    far, weights = one.adversarial(2, 20, 0.01, torch.Generator().manual_seed(0))
    assert float(total_variation(one.probabilities(weights[None]), one.own)[0]) <= 0.01
    assert far == pytest.approx(float(jensen_shannon(weights.mean((0, 1)).double(), one.shares)))
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights.sum(-1)))


def test_erasing_and_distances() -> None:
    model = planted(idle=False)
    one = held(model, model.encode([model.read(texts([5])[0])]))
    erased = one.erased(torch.tensor([2, 2, 0]))
    assert torch.equal(erased[0], erased[1])  # erasing one item twice makes no difference
    assert float(erased[0][..., 2].max()) == 0.0
    torch.testing.assert_close(erased.sum(-1), torch.ones_like(erased.sum(-1)))
    torch.testing.assert_close(erased[0][..., 0] / erased[0][..., 1], one.weights[..., 0] / one.weights[..., 1])
    apart = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    assert float(jensen_shannon(apart[0], apart[1])) == pytest.approx(math.log(2), abs=1e-9)
    assert float(total_variation(apart[0], apart[1])) == 1.0
    assert float(jensen_shannon(apart[0], apart[0])) == 0.0


def test_refusals() -> None:
    with pytest.raises(UsageError, match="regression"):
        study.attention_test(
            exegesis.wrap(Planted(True), vocabulary=WORDS, labels=["a", "b"], outputs="regression"), ["w1"]
        )
    with pytest.raises(UsageError, match="at least two"):
        study.attention_test(planted(True), ["w1 w2"])
    with pytest.raises(UsageError, match="attention 1 to 1"):
        study.attention_test(planted(True), ["w1 w2", "w3 w4"], place=2)
