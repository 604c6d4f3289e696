"""Interpretable adversaries: no budget, the first step, the bound on the loss, a planted word, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.errors import ExegesisError, UnsupportedError, UsageError
from exegesis.testing.toys import TEXTS, WEIGHTS, bag_of_words, recurrent_model
from tests.reference import adversary as plain

WORDS = list(WEIGHTS)
TEXT = TEXTS[2]


@pytest.fixture(scope="module")
def model():
    return recurrent_model(2)


def test_no_budget_changes_nothing(model) -> None:
    found = exegesis.adversarial(model, TEXT, budget=0)
    assert found.moved == found.loss == pytest.approx(-np.log(found.prediction.probability), rel=1e-12)
    assert not found.sizes.any()
    assert set(found.pulls) == {()}
    assert found.flip is None


@pytest.mark.quick
def test_the_first_step_is_the_papers(model) -> None:
    found = exegesis.adversarial(model, TEXT, budget=1e-3, neighbours=4, steps=1)
    text, batch = found.text, model.encode([found.text])
    table = {word: model.embed(model.encode([model.read(word)]))[0, 0].detach() for word in WORDS}
    every = torch.stack([table[word] for word in WORDS])
    budget = 1e-3 * float(every.std(correction=0))
    assert found.budget == pytest.approx(budget, rel=1e-12)
    vectors = model.embed(batch).detach().requires_grad_()
    label = model.labels.index(found.label)
    loss = -torch.log_softmax(model.outputs_from(vectors, batch), -1)[0, label]
    slopes = torch.autograd.grad(loss, vectors)[0][0]
    near = [plain.nearest(every, WORDS.index(word), 4, [True] * len(WORDS)) for word in text.word_strings()]
    alpha, moves = plain.first_step(vectors[0].detach(), slopes, [every[rows] for rows in near], budget)
    for pulls, weights, rows in zip(found.pulls, alpha, near, strict=True):
        expected = dict(zip((WORDS[row] for row in rows), map(float, weights), strict=True))
        assert {pull.word: pull.weight for pull in pulls} == pytest.approx(expected, rel=1e-9)
        assert [pull.weight for pull in pulls] == sorted((pull.weight for pull in pulls), reverse=True)
    np.testing.assert_allclose(found.sizes, [float(move.norm()) for move in moves], rtol=1e-9)
    norm = sum(pull.weight**2 for pulls in found.pulls for pull in pulls) ** 0.5
    assert norm == pytest.approx(budget, rel=1e-9)
    with torch.no_grad():
        after = model.outputs_from(vectors + torch.stack(moves)[None], batch)
    assert found.moved == pytest.approx(-float(torch.log_softmax(after, -1)[0, label]), rel=1e-9)


@pytest.mark.parametrize("budget", [0.1, 3.0, 50.0])
def test_the_loss_never_falls_and_more_steps_never_make_it_smaller(model, budget) -> None:
    grown = [exegesis.adversarial(model, list(TEXTS), budget=budget, steps=steps) for steps in (1, 8)]
    for first, more in zip(*grown, strict=True):
        assert first.loss <= first.moved <= more.moved
        weights = [pull.weight for pulls in more.pulls for pull in pulls]
        assert np.linalg.norm(weights) <= more.budget * (1 + 1e-9)
    assert any(more.moved > more.loss for more in grown[1])
    alone = exegesis.adversarial(model, TEXTS[0], budget=budget, steps=8)
    assert alone.moved == pytest.approx(grown[1][0].moved, rel=1e-9)  # batched is alone


def test_a_planted_word_is_found_and_flips_the_decision() -> None:
    table = torch.tensor([[0.0, 0], [0, 0], [2, 0.1], [-2, 0.2], [2.2, 0.9], [0.1, 1.0]], dtype=torch.float64)
    words = ["<pad>", "<unk>", "good", "bad", "great", "film"]
    sign = torch.tensor([[1.0, 0.0]], dtype=torch.float64)

    class Sum(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(6, 2, _weight=table)
            self.out = torch.nn.Linear(2, 1, bias=False, dtype=torch.float64)
            self.out.weight.data = sign.clone()

        def forward(self, ids, mask):
            return self.out((self.embedding(ids) * mask[..., None]).sum(1)).squeeze(-1)

    model = exegesis.wrap(Sum(), vocabulary=words, tokenizer=str.split, labels=["bad", "good"])
    found = exegesis.adversarial(model, "Good film", neighbours=3)
    assert found.label == "good"
    assert found.pulls[0][0].word == "bad"
    assert found.pulls[0][0].gap == pytest.approx(float((table[2] - table[3]).norm()), rel=1e-9)
    assert (found.flip.raw, found.flip.label, found.flips) == ("Bad film", "bad", True)
    assert found.flip.words == ((0, "bad"),)
    assert found.flip.loss == pytest.approx(np.log1p(np.exp(1.9)), rel=1e-9)
    other = exegesis.adversarial(model, "good film", "bad", neighbours=3)  # the other label is to fall: away from bad
    assert other.pulls[0][-1].word == "bad"
    assert other.label == "bad"
    some = exegesis.adversarial(model, "good film", words=["great", "film", "good", "nowhere", "bad film"])
    assert {pull.word for pulls in some.pulls for pull in pulls} <= {"great", "film", "good"}
    assert not some.flips


def test_pieces_of_a_hugging_face_model() -> None:
    hf_toys = pytest.importorskip("tests.support.hf_toys")
    from exegesis.models.huggingface.wrap import wrap_huggingface

    model = wrap_huggingface(hf_toys.bert().double(), hf_toys.wordpiece(), name="bert")
    found = exegesis.adversarial(model, "a good film", steps=2)
    assert found.moved >= found.loss
    assert not any(pull.word.startswith(("##", "[")) for pulls in found.pulls for pull in pulls)
    whole = [word.stop - word.start == 1 for word in found.text.words]
    assert [bool(size) for size in found.sizes] == whole


def test_what_is_refused(model) -> None:
    with pytest.raises(UsageError, match="one label"):
        exegesis.adversarial(model, TEXT, "all")
    with pytest.raises(UsageError, match="fewer than two"):
        exegesis.adversarial(model, TEXT, words=["superb", "nowhere"])
    with pytest.raises(ExegesisError, match="budget"):
        exegesis.adversarial(model, TEXT, budget=-1)
    with pytest.raises(UnsupportedError, match="differentiable"):
        exegesis.adversarial(exegesis.blackbox(lambda rows: [[0.5, 0.5]] * len(rows), ["a", "b"]), TEXT)
    with pytest.raises(UnsupportedError, match="regression"):
        exegesis.adversarial(exegesis.wrap(bag_of_words().module, vocabulary=["<pad>", "<unk>", "<mask>", *WORDS],
                                           tokenizer=str.split, labels=["x"]), TEXT)  # fmt: skip
