"""Methods that save work: in the limit they give what the whole work gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
from exegesis.api.training_texts import examples_of
from exegesis.mech.curvature import span as span_module
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import GaussNewton
from exegesis.mech.curvature.projection import Projection
from exegesis.mech.curvature.solve import conjugate_gradients, residual
from exegesis.protocols.budget import Budget
from exegesis.questions.sources import fast as fast_module
from exegesis.questions.sources.fast import ByProducts, Group, Sample, at_last, drawn_by, included, lifted
from exegesis.questions.sources.features import features
from exegesis.questions.sources.method import Training
from exegesis.questions.sources.projected import in_span
from exegesis.questions.sources.space import read
from tests.reference.influence import fast_influence, gradient
from tests.support import torch_toys
from tests.support.torch_toys import Shape

TEXTS = torch_toys.texts([4, 3, 5, 2, 6, 3, 4, 5, 3, 4, 2, 5])


@pytest.fixture(scope="module")
def toy():
    model = torch_toys.model(Shape("lstm", hidden=2, size=2, outputs=2), ["no", "yes"])
    return model, [(text, ["no", "yes"][n % 3 == 0]) for n, text in enumerate(TEXTS)]


def test_fast_influence_in_full(toy):
    model, train = toy
    options = {"damping": 0.05, "iterations": 40}
    for inverse, tolerance, close in (("steps", 1e-4, 1e-6), ("products", 1e-12, 1e-9)):
        full = exegesis.influence(model, train, TEXTS[:2], tolerance=tolerance, **options)
        own = {"k": 99, "agreement": 1, "inverse": inverse, **options}
        fast = exegesis.influence(model, train, TEXTS[:2], "fast-influence", **own)
        for one, other in zip(full, fast, strict=True):
            np.testing.assert_allclose(other.scores, one.scores, rtol=close, atol=1e-12)
            assert other.details["sample"] == len(train)
            assert other.details["residual"] < 10 * tolerance
    few = exegesis.influence(model, train, TEXTS[0], "fast-influence", k=4, target="yes", **options)
    scored = np.flatnonzero(np.isfinite(few.scores))
    assert [train[n][1] for n in scored].count("yes") == 2  # candidates that may help, and that may hurt
    assert few.scored == few.details["candidates"] == 4


def test_fast_influence_stands_for_all(toy):
    """The curvature is that of all texts: the candidates themselves, and a sample for the rest."""
    model, train = toy
    double = train + train[4:]  # texts 4 to 11 twice: one of each stands for both
    options = {"damping": 0.05, "tolerance": 1e-10}
    passes = Passes(model)
    texts, gold = [model.read(text) for text, _ in train], torch.tensor([float(label == "yes") for _, label in train])
    standing = torch.tensor([1.0] * 4 + [2.0] * 8)
    few = GaussNewton(passes, texts, gold, standing)
    whole = GaussNewton(passes, texts + texts[4:], torch.cat([gold, gold[4:]]))
    vectors = torch.randn(2, passes.layout.size, dtype=torch.float64)
    torch.testing.assert_close(few.times(vectors), whole.times(vectors))
    assert few.mean_eigenvalue() == pytest.approx(whole.mean_eigenvalue())
    fast = exegesis.influence(model, double, TEXTS[1], "fast-influence", damping=0.05, k=4, sample=99, iterations=90)
    full = exegesis.influence(model, double, TEXTS[1], **options)
    seen = np.isfinite(fast.scores)
    assert seen.sum() == 4
    np.testing.assert_allclose(fast.scores[seen], full.scores[seen], rtol=1e-2, atol=1e-6)
    assert fast.details["residual"] < 1e-3


@pytest.mark.parametrize(("names", "slab"), [("a b c", 1 << 26), ("no yes", 40)])
def test_the_inverse_by_products(names, slab, monkeypatch):
    """It is that of the matrix written out, of all texts and of a few that stand for them."""
    monkeypatch.setattr(span_module, "SLAB", slab)  # 40 numbers: gradients in slices
    labels = names.split()
    model = torch_toys.model(Shape("lstm", hidden=2, size=2, outputs=len(labels)), labels)
    train = [(text, labels[n % len(labels)]) for n, text in enumerate(TEXTS)]
    texts, module = Training.of(model, examples_of(train)), model.module.eval()
    encoded = [model.encode([model.read(text)]) for text in TEXTS]
    outputs = [lambda batch=batch: module(batch.ids, batch.lengths) for batch in encoded]
    passes = Passes(model)
    assert list(passes.weights) == [name for name, _ in module.named_parameters()]
    asked = gradient(module, outputs[1], lambda raw: raw[0, 0])
    chances = torch.tensor([1.0, 0.3] * 6, dtype=torch.float64)
    for drawn, chosen in (([0, 2, 3, 5, 9], [3, 6, 7]), ([], [1, 2]), ([0, 4], [0, 4]), (range(12), range(12))):
        own = torch.ones_like(chances) if len(drawn) == len(TEXTS) else chances
        group = Group.of(torch.tensor(chosen), torch.tensor(drawn, dtype=torch.long), own)
        sample = Sample.of(passes, texts, torch.tensor(drawn, dtype=torch.long), None)
        span = group.span(sample, passes, texts)
        span.whole = float(group.standing.sum())
        work = ByProducts(span, asked[None], 0.05, group.at)
        solved = conjugate_gradients(work.times, work.start, 0.05, 99, 1e-13)
        found = -work.scores(solved.solutions) / span.whole
        rows = group.rows.tolist()
        plain = fast_influence(module, [outputs[n] for n in rows], [n % len(labels) for n in rows],
                               group.standing.tolist(), 0.05, asked)  # fmt: skip
        torch.testing.assert_close(found, torch.tensor(plain, dtype=torch.float64)[group.at], rtol=1e-8, atol=1e-12)
        assert work.residual(solved) < 1e-8
        early = conjugate_gradients(work.times, work.start, 0.05, 1, 1e-13)
        matrix = group.matrix(passes, texts)
        matrix.whole = span.whole
        assert span.mean_eigenvalue() == pytest.approx(matrix.mean_eigenvalue())
        first = conjugate_gradients(matrix.times, asked[None], 0.05, 99, 1e-13).solutions
        torch.testing.assert_close(-matrix.products(first)[0][group.at] / span.whole, found, rtol=1e-8, atol=1e-12)
        solution = (asked[None] - matrix_sum(matrix, span, early.solutions)) / 0.05
        left = residual(matrix.times, solution, asked[None], 0.05)
        assert work.residual(early) == pytest.approx(float(left), rel=1e-6)


def matrix_sum(matrix, span, vectors):
    """JᵀUy/N."""
    weights = torch.einsum("nkr,qnr->qnk", span.roots, vectors.reshape(1, span.count, -1)) / span.whole
    return sum(matrix.outputs(number)[1].total(weights[:, rows]) for number, (rows, _) in enumerate(matrix.parts))


def test_a_sample_too_large(toy, monkeypatch):
    model, train = toy
    with pytest.raises(exegesis.UsageError, match="give one above 0, or take inverse=steps"):
        exegesis.influence(model, train, TEXTS[0], "fast-influence", damping=0)
    monkeypatch.setattr(fast_module, "budget_for", lambda _: Budget(numbers=100))
    with pytest.raises(exegesis.UsageError, match="holds 12 times 12 products: take a sample of at most 10, or"):
        exegesis.influence(model, train, TEXTS[0], "fast-influence")
    assert exegesis.influence(model, train, TEXTS[0], "fast-influence", inverse="steps").scored == len(train)
    assert exegesis.influence(model, train, TEXTS[0], "fast-influence", sample=0, k=3).scored == 3


def test_the_sample_is_right_in_the_mean(toy):
    """Texts are drawn by what they add to the trace, and over draws each stands for itself once."""
    pulls = torch.rand(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64) ** 4
    chances = included(pulls, 12)
    assert float(chances.sum()) == pytest.approx(12)
    assert float(chances.max()) == 1.0
    free = chances < 1
    ratios = (chances / pulls)[free]
    torch.testing.assert_close(ratios, ratios[:1].expand_as(ratios))
    assert float(pulls[~free].min()) >= float(pulls[free].max())
    assert included(pulls, 40).eq(1).all()
    total, draws = torch.zeros(40, dtype=torch.float64), 4000
    for seed in range(draws):
        rows = drawn_by(chances, seed)
        assert len(rows) in (11, 12, 13)
        total[rows] += 1 / chances[rows]
    assert float(((total / draws - 1).abs() * chances.sqrt()).max()) < 0.08

    model, train = toy
    points, raw = read(model, [model.read(text) for text, _ in train])
    gold = torch.tensor([float(label == "yes") for _, label in train])
    p = raw.double().softmax(1)
    plain = (p * (1 - p)).sum(1) * (1 + points.double().square().sum(1))
    torch.testing.assert_close(at_last(raw, gold, points, model.link), plain)
    torch.testing.assert_close(lifted(plain), plain + 0.1 * plain.mean())
    passes = Passes(model)
    whole = GaussNewton(passes, [model.read(text) for text, _ in train], gold.double())
    pulls = features(whole, Projection(passes.layout, 4, 0))[2]
    assert float(pulls.mean()) == pytest.approx(whole.trace())  # of two labels, each text's part of the trace
    texts = Training.of(model, examples_of(train))
    chances = included(plain, 5)
    group = Group.of(torch.tensor([0, 3]), drawn_by(chances, 0), chances)
    matrix = group.matrix(Passes(model), texts)
    assert matrix.whole == len(train)
    assert group.rows[group.at].tolist() == [0, 3]
    assert matrix.standing[group.at].tolist() == [1.0, 1.0]
    assert float(matrix.standing.max()) > 1


def test_neighbours_do_not_depend_on_the_weights(toy):
    model, train = toy
    options = {"k": 4, "damping": 0.05}
    whole, some = (exegesis.influence(model, train, TEXTS[1], "fast-influence", weights=weights, **options)
                   for weights in ("", "embedding"))  # fmt: skip
    np.testing.assert_array_equal(np.isfinite(whole.scores), np.isfinite(some.scores))


def test_projections_wider_than_the_weights(toy):
    """Without a loss of dimensions, the score is φ(x)ᵀ(ΦᵀΦ + λ)⁻¹φ(z)(1 - p), written out."""
    model, train = toy
    module = model.module.eval()
    weights = [w for name, w in module.named_parameters() if "start" not in name and "attend" not in name]

    def log_odds(text, label):
        batch = model.encode([model.read(text)])
        logits = module(batch.ids, batch.lengths)[0]
        odds = logits[label] - logits[1 - label]
        return torch.cat([g.reshape(-1) for g in torch.autograd.grad(odds, weights)]), float(odds.detach().sigmoid())

    rows, chances = zip(*(log_odds(text, int(label == "yes")) for text, label in train), strict=True)
    features, asked = torch.stack(rows), log_odds(TEXTS[1], 1)[0]
    inverse = torch.linalg.inv(features.t() @ features + 0.3 * torch.eye(features.shape[1], dtype=torch.float64))
    expected = (asked @ inverse @ features.t()).numpy() * (1 - np.array(chances))
    mine = exegesis.influence(
        model, train, TEXTS[1], "random-projections", target="margin:yes,no", width=10_000, damping=0.3
    )
    np.testing.assert_allclose(mine.scores, expected, rtol=1e-8)
    tall = torch.randn(9, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(in_span(tall, tall[:2], 0.1), in_span(torch.cat([tall, torch.zeros(9, 9)], 1),
                               torch.cat([tall[:2], torch.zeros(2, 9)], 1), 0.1))  # fmt: skip
    with pytest.raises(exegesis.ModelError, match="leave out some direction: give a damping above 0"):
        in_span(torch.zeros(4, 2, dtype=torch.float64), tall[:1, :2], 0.0)


def test_projections_keep_products(toy):
    """Projected to few numbers, products of gradients are right in the mean over seeds."""
    model, _ = toy
    passes = Passes(model, ["embedding", "rnn"])
    ((_, batch),) = list(passes.batches([model.read(text) for text in TEXTS[:3]]))
    _, factors = passes.factors(batch, lambda raw: torch.ones_like(raw)[None])
    true = factors.dense()[0] @ factors.dense()[0].t()
    found = [Projection(passes.layout, 4, seed).of(factors)[0] for seed in range(300)]
    mean = torch.stack([one @ one.t() for one in found]).mean(0)
    torch.testing.assert_close(mean, true, rtol=0.15, atol=0.15 * float(true.diagonal().max()))
    assert found[0].shape[1] < factors.dense().shape[2]
    torch.testing.assert_close(found[0], Projection(passes.layout, 4, 0).of(factors)[0])
