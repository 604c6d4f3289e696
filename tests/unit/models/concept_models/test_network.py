"""Classifiers through concepts: plain transcriptions, exact sums, and nothing but the excerpts in the decision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from exegesis.core.errors import UsageError
from exegesis.models.concept_models.network import bernoulli, usual
from exegesis.models.concept_models.shape import ConceptConfig
from exegesis.models.trained.taught import Lesson
from tests.reference import concepts as reference
from tests.support import concept_toys as toys

IDS = [[3, 4, 5, 6, 7], [8, 9], [10, 11, 12, 13, 14, 15, 16], [20]]
PADDED = pad_sequence([torch.tensor(row) for row in IDS], batch_first=True), torch.tensor([len(row) for row in IDS])
PLAIN = {"educe": reference.educe, "conrat": reference.conrat}


@pytest.mark.quick
@pytest.mark.parametrize("form", PLAIN)
def test_a_decision_is_the_plain_one_and_the_sum_of_its_parts(form):
    module = toys.network(form)
    with torch.no_grad():
        decision, logits = module.decide(*PADDED), module(*PADDED)
        assert decision.present.any()
        assert not decision.present.all()
        for row, ids in enumerate(IDS):
            plain = PLAIN[form](module, ids)
            excerpts = [torch.nonzero(one).flatten().tolist() for one in decision.excerpt[row]]
            assert excerpts == plain["excerpts"]
            np.testing.assert_allclose(decision.chance[row], plain["chances"], atol=1e-12)
            np.testing.assert_allclose(logits[row], plain["logits"], atol=1e-10)
        total = decision.bias + decision.parts.sum(1)
    assert float((total - logits).abs().max()) <= 1e-10
    assert float(decision.parts.detach()[~decision.present].abs().sum()) == 0


@pytest.mark.parametrize("form", PLAIN)
def test_a_word_outside_the_excerpts_changes_no_bit(form):
    """Wherever another word leaves the excerpts as they are, the outputs stay to the bit."""
    module, text, same = toys.network(form, seed=1), torch.tensor([[3, 4, 5, 6, 7, 8, 9]]), 0
    lengths = torch.tensor([7])
    if form == "conrat":
        module.attention.bias.data -= 3.0  # few words of each concept
    with torch.no_grad():
        before, logits = module.decide(text, lengths), module(text, lengths)
        for place in range(7):
            for word in range(10, 20):
                changed = text.clone()
                changed[0, place] = word
                after, other = module.decide(changed, lengths), module(changed, lengths)
                kept = bool(torch.equal(after.excerpt, before.excerpt))
                if kept and not bool(before.excerpt[0, :, place].any()):
                    assert torch.equal(other, logits)
                    same += 1
    assert same > 5


def test_training_sums_over_excerpts():
    """The marginal probability of presence is the plain sum; the loss of dropped-out concepts is the plain one."""
    module = toys.network("educe")
    with torch.no_grad():
        scores, presence, _ = module._runs(*PADDED)
        chances = (torch.softmax(scores, 1) * torch.sigmoid(presence)).sum(1)
        for row, ids in enumerate(IDS):
            np.testing.assert_allclose(chances[row], reference.educe(module, ids)["marginal"], atol=1e-12)


def test_no_excerpt_is_empty_however_unlikely_its_words_are():
    """Else the biases alone would say of a concept of no words that it is present."""
    module = toys.network("conrat", seed=1)
    with torch.no_grad():
        module.attention.bias.fill_(-50.0)
        decision = module.decide(*PADDED)
    assert decision.excerpt.sum(2).tolist() == [[1] * 3] * len(IDS)
    for row, ids in enumerate(IDS):
        assert not bool(decision.excerpt[row, :, len(ids) :].any())
    assert not bool(decision.present.any())


def test_penalties_are_the_plain_ones():
    module = toys.network("conrat", share=0.2)
    with torch.no_grad():
        masks, vectors, attention, _, chances = module._concepts(*PADDED, drawn=False)
        vectors = torch.randn(vectors.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        found = module.penalties(masks, vectors, attention, chances, PADDED[1])
    plain = reference.conrat_penalties(
        *(part.numpy() for part in (masks, vectors)), PADDED[1].tolist(), 0.2, chances.numpy(), attention.numpy()
    )
    assert {name: float(value) for name, value in found.items()} == pytest.approx(plain)


def test_draws_are_those_of_their_probabilities_and_carry_a_gradient():
    logits = torch.tensor([-2.0, 0.0, 1.5], dtype=torch.float64, requires_grad=True)
    torch.manual_seed(0)
    drawn = bernoulli(logits.expand(40_000, 3), True)
    assert set(drawn.detach().unique().tolist()) <= {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(0).detach(), torch.sigmoid(logits).detach(), atol=0.01)
    drawn.sum().backward()
    assert bool((logits.grad > 0).all())
    assert bernoulli(logits, False).tolist() == [0.0, 0.0, 1.0]
    assert float(usual(torch.tensor([0.3, 0.3]), 0.3)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("form", PLAIN)
def test_every_weight_is_trained(form):
    module = toys.network(form, labels=("a", "b")).train()
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    torch.manual_seed(0)
    module.loss(Lesson(*PADDED, targets)).backward()
    still = [name for name, weight in module.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not still
    absent = Lesson(*PADDED, targets, present=torch.zeros(4, dtype=torch.float64))
    assert bool(torch.isfinite(module.loss(absent)))


def test_shapes_that_cannot_be_are_refused():
    for wrong, says in (
        ({"form": "tcav"}, "unknown form of concepts"),
        ({"concepts": 0}, "concepts is 0"),
        ({"share": 1.0}, "share is 1.0"),
        ({"consistency": -1.0}, "consistency is -1.0"),
        ({"embedding_dropout": 0.5}, "leave embedding_dropout at 0"),
    ):
        with pytest.raises(UsageError, match=says):
            ConceptConfig(**wrong)
