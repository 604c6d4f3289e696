"""Influence on logistic regressions: the closed form, leaving a text out for real, and the sum rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

import exegesis
from tests.reference import influence as plain

WORDS = ["<pad>", *(f"w{n}" for n in range(6))]
STRENGTH, N = 0.1, 150


class Counts(nn.Module):
    """A logistic regression over counts of words."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(torch.eye(7, dtype=torch.float64)[:, 1:], freeze=True)
        self.out = nn.Linear(6, 1, bias=False).double()

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.out((self.embedding(ids) * mask[..., None]).sum(1))


@pytest.fixture(scope="module")
def logistic():
    """A model at its minimum, its training texts, their counts and labels."""
    draws = torch.Generator().manual_seed(0)
    counts = torch.poisson(torch.full((N, 6), 0.9, dtype=torch.float64), generator=draws)
    counts[:, 0] += 1
    truth = torch.tensor([0.2, 1.0, -1.0, 0.7, -0.6, 0.1], dtype=torch.float64)
    gold = (torch.rand(N, generator=draws, dtype=torch.float64) < (counts @ truth).sigmoid()).double()
    module = Counts()
    module.out.weight.data[0] = plain.fit_logistic(counts, gold, STRENGTH)
    model = exegesis.wrap(module, vocabulary=WORDS, labels=["no", "yes"])
    texts = [" ".join(f"w{n}" for n in range(6) for _ in range(int(row[n]))) for row in counts]
    train = [(text, ["no", "yes"][int(label)]) for text, label in zip(texts, gold, strict=True)]
    return model, train, counts, gold


ASKED = ["w0 w1 w1", "w2 w4 w0"]


def scores(model, train, **options):
    found = exegesis.influence(model, train, ASKED, target="logit:yes", **options)
    return np.stack([result.scores for result in found])


def test_closed_form_and_leaving_out(logistic):
    model, train, counts, gold = logistic
    mine = scores(model, train, damping=STRENGTH, iterations=200, tolerance=1e-13)
    weights = model.module.out.weight.data[0]
    asked = torch.tensor([[1.0, 2, 0, 0, 0, 0], [1.0, 0, 1, 0, 1, 0]], dtype=torch.float64)
    slopes = counts * ((counts @ weights).sigmoid() - gold)[:, None]
    inverse = plain.logistic_hessian(counts, weights, STRENGTH).inverse()
    np.testing.assert_allclose(mine, (-asked @ inverse @ slopes.t() / N).numpy(), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(scores(model, train, damping=STRENGTH, curvature="hessian", tolerance=1e-13), mine, 1e-7)

    # the sum rule: at the minimum of the penalised loss, Σ scores = λ ∇f' H⁻¹ θ
    np.testing.assert_allclose(mine.sum(1), (STRENGTH * asked @ inverse @ weights).numpy(), atol=1e-12)

    left = []
    for number in range(N):
        keep = [n != number for n in range(N)]
        left.append((asked @ (weights - plain.fit_logistic(counts, gold, STRENGTH, keep))).tolist())
    true = np.array(left).T  # what a text was responsible for, really
    assert np.corrcoef(mine.ravel(), true.ravel())[0, 1] > 0.999
    assert np.polyfit(mine.ravel(), true.ravel(), 1)[0] == pytest.approx(1.0, abs=0.08)

    draws, groups, after = np.random.default_rng(0), [], []
    for _ in range(24):
        keep = draws.permutation(N) < N // 2
        groups.append(mine[:, keep].sum(1))
        after.append((asked @ plain.fit_logistic(counts, gold, STRENGTH, keep.tolist())).numpy())
    ranks = [stats.spearmanr(np.array(groups)[:, q], np.array(after)[:, q])[0] for q in (0, 1)]
    assert np.mean(ranks) > 0.98


@pytest.mark.quick
def test_linear_in_the_number_and_the_same_in_batches(logistic):
    model, train, _, _ = logistic
    options = {"damping": STRENGTH, "tolerance": 1e-13}
    both = exegesis.influence(model, train, ASKED, target="logit:yes", **options)
    alone = exegesis.influence(model, train, ASKED[1], target="logit:yes", **options)
    np.testing.assert_allclose(both[1].scores, alone.scores, rtol=1e-9)
    other = exegesis.influence(model, train, ASKED[1], target="logit:no", **options)
    np.testing.assert_allclose(other.scores, -alone.scores)
    (order,) = [np.random.default_rng(1).permutation(len(train))]
    moved = exegesis.influence(model, [train[n] for n in order], ASKED[1], target="logit:yes", **options)
    np.testing.assert_allclose(moved.scores, alone.scores[order], rtol=1e-9)
    twice = exegesis.influence(model, train + train, ASKED[1], target="logit:yes", **options)
    np.testing.assert_allclose(2 * twice.scores[: len(train)], alone.scores, rtol=1e-8)  # each is half as much


def test_symmetric_and_signed(logistic):
    """I(z, x) = I(x, z) for losses; a text helps its own label, whatever the method."""
    model, train, _, _ = logistic
    few = train[:12]
    options = {"damping": STRENGTH, "tolerance": 1e-12}
    rows = [exegesis.influence(model, few, text, target=label, **options).scores for text, label in few]
    np.testing.assert_allclose(rows, np.transpose(rows), rtol=1e-8, atol=1e-14)
    for method in ("influence-functions", "gradient-similarity", "nearest"):
        own = [exegesis.influence(model, few, text, method, target=label).scores[n]
               for n, (text, label) in enumerate(few)]  # fmt: skip
        assert min(own) > 0, method


def test_what_the_result_says(logistic):
    model, train, _, _ = logistic
    result = exegesis.influence(model, train, ASKED[0], top=2, damping=STRENGTH)
    assert result.target == "log-probability:yes"
    assert [source.effect for source in result.sources] == ["helps", "helps", "hurts", "hurts"]
    assert result.helpful[0].score == result.scores.max()
    assert result.harmful[0].score == result.scores.min()
    assert result.details["residual"] < 1e-3
    assert len(result.notes) == 1
    assert "residual of the inverse" in result.notes[0]
    lost = exegesis.influence(model, [(text, "yes") for text, _ in train], ASKED[0], damping=STRENGTH)
    assert any("at no minimum" in note for note in lost.notes)  # not the labels that it was trained on


@pytest.mark.parametrize(
    ("train", "complaint"),
    [
        ([], "there are no training texts"),
        ([("w1", "maybe")], r"training text 1 of 1: unknown label 'maybe'"),
        ([("w1", "yes"), ("", "no")], "training text 2 of 2"),
        ([("w1", "yes"), "w2"], r"training text 2 is no example"),
        ([exegesis.Example.of("w1")], "training text 1 of 1: a training text has no label"),
    ],
)
def test_training_texts_that_cannot_be(logistic, train, complaint):
    with pytest.raises(exegesis.UsageError, match=complaint):
        exegesis.influence(logistic[0], train, "w1")


def test_errors(logistic):
    model, train, _, _ = logistic
    with pytest.raises(exegesis.UsageError, match="one number: take one label"):
        exegesis.influence(model, train, "w1", target="all")
    with pytest.raises(exegesis.UsageError, match="unknown method for training texts 'influence'"):
        exegesis.influence(model, train, "w1", "influence")
    with pytest.raises(exegesis.UnsupportedError, match="influence-functions needs a model whose weights can be seen"):
        exegesis.influence(
            exegesis.blackbox(lambda texts: np.full((len(texts), 2), 0.5), ["a", "b"]), [("w", "a")], "w"
        )


def test_copies_score_alike(logistic):
    """Copies of a text have the same score, as the method sees them apart."""
    model, train, _, _ = logistic
    few = [*train[:20], train[3]]
    for method, options in (("influence-functions", {"damping": STRENGTH}), ("gradient-similarity", {})):
        found = exegesis.influence(model, few, ASKED[0], method, target="yes", **options)
        assert found.scores[20] == pytest.approx(found.scores[3], rel=1e-9), method


def test_other_training_texts_are_noticed(logistic):
    """Texts that the model was not trained on: their mean gradient is far from zero, and a note says so."""
    model, train, _, _ = logistic
    strange = [(f"w{n} w{n} w{(n + 1) % 6}", ["yes", "no", "no", "yes", "no", "yes"][n]) for n in range(6)] * 5
    told = exegesis.influence(model, strange, ASKED[0], damping=STRENGTH).notes
    known = exegesis.influence(model, train, ASKED[0], damping=STRENGTH).notes
    assert any("training stopped early, or had other texts or other labels" in note for note in told)
    assert not any("at no minimum" in note for note in known)
