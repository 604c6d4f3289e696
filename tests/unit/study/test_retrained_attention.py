"""Tests of attention that train models: losses written plainly, what each must find, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
from exegesis import study
from exegesis.core.errors import UnsupportedError
from exegesis.data.examples import Example
from exegesis.models.trained.architectures.attending import guided, guides, opponent, other_attention_loss, run
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.corpus import Corpus
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.study.insides.retrained_attention import retrained_tests

WORDS = ("the", "film", "that", "it", "was", "seen", "here", "now")


def examples(count: int, seed: int) -> list[Example]:
    """Eight words, one of which decides."""
    draws, made = np.random.default_rng(seed), []
    for number in range(count):
        words = [str(word) for word in draws.choice(WORDS, 7)]
        words.insert(int(draws.integers(8)), "good" if number % 2 else "bad")
        made.append(Example.of(" ".join(words), "yes" if number % 2 else "no"))
    return made


@pytest.fixture(scope="module")
def base():
    config = RecurrentConfig("gru", embedding=8, hidden=8, readout="attention", dropout=0.0)
    options = TrainOptions(epochs=12, batch=8, lr=1e-2, patience=12)
    result = train(examples(96, 0), examples(16, 1), config=config, options=options)
    assert result.dev.accuracy == 1.0
    return exegesis.wrap(result.model.module, vocabulary=result.model.vocabulary, labels=["no", "yes"], name="gru")


@pytest.fixture(scope="module")
def corpus(base):
    return Corpus.of(examples(64, 2), base.reader.vocabulary, ("no", "yes"))


def test_the_loss_of_the_adversary_is_the_plain_one(base, corpus) -> None:
    draws = torch.Generator().manual_seed(0)
    found, wanted = (torch.rand(3, 2, generator=draws).double().softmax(-1) for _ in range(2))
    weights, own = (torch.rand(3, 5, generator=draws).double().softmax(-1) for _ in range(2))
    total = 0.0
    for row in range(3):
        variation = sum(abs(float(found[row, c] - wanted[row, c])) for c in range(2)) / 2
        divergence = sum(float(weights[row, t] * torch.log(weights[row, t] / own[row, t])) for t in range(5))
        total += (variation - 0.3 * divergence) / 3
    assert float(other_attention_loss(found, weights, wanted, own, 0.3)) == pytest.approx(total, rel=1e-12)
    with torch.no_grad():
        same = run(base.module.eval(), corpus.batch(range(4)))
    assert float(other_attention_loss(*same, *same, 0.3)) == 0.0  # itself: nothing differs


def test_a_bag_of_words_is_guided_by_the_weights(base, corpus) -> None:
    bag = guided(base.module, corpus, "learned", 3, 0)
    batch = corpus.batch([0, 1])
    weights = guides(base.module, batch, "learned")
    with torch.no_grad():
        torch.testing.assert_close(weights, run(base.module, batch)[1])
    assert float(weights.max()) > 1.5 / 8  # not equal ones
    state = torch.stack([torch.tanh(bag.hidden(bag.embedding.weight[n])) for n in batch.ids[0]])
    expected = bag.output((weights[0][:, None] * state).sum(0))
    torch.testing.assert_close(bag(batch.ids, weights)[0], expected)
    torch.testing.assert_close(guides(base.module, batch, "uniform")[0], torch.full((8,), 1 / 8))


def test_other_attention_with_the_same_predictions(base, corpus) -> None:
    near, far = (opponent(base.module, corpus, apart, 100, 0) for apart in (0.0, 0.5))
    batch = corpus.batch(range(32))
    with torch.no_grad():
        (wanted, own), *both = (run(module, batch) for module in (base.module.eval(), near, far))
    moved = [float((found - wanted).abs().sum(-1).mean() / 2) for found, _ in both]
    apart = [float((weights * (weights / own).log()).sum(-1).mean()) for _, weights in both]
    assert moved[0] < 0.1
    assert apart[1] > apart[0] + 0.2


def test_the_report_has_the_three_tests(base) -> None:
    options = {"permutations": 5, "starts": 1, "steps": 3, "searched": 2, "samples": 50}
    report = study.attention_test(base, examples(8, 3), train=examples(32, 4), seeds=2, epochs=2, **options)
    assert {"seeds", "guide", "trained adversary"} <= {*report.passed, *report.failed}
    assert not report.of("its predictions").decides
    for name in ("seeds", "trained adversary", "its predictions"):
        assert 0 <= report.of(name).value <= 1
    assert report.of("trained adversary").control == pytest.approx(np.log(2))
    assert report.of("seeds").control > 0
    plain = study.attention_test(base, examples(8, 3), **options)
    assert str(plain.tests)[:-1] in str(report.tests)  # the other tests are as without training texts


def test_copies_of_a_text_narrow_no_interval(base) -> None:
    texts, how = examples(8, 3), {"seeds": 1, "epochs": 1, "apart": 0.5, "samples": 50, "seed": 0, "told": lambda: None}
    once, twice = (retrained_tests(base, given, examples(32, 4), **how) for given in (texts, texts * 2))
    for one, two in zip(once, twice, strict=True):
        assert two.texts == 2 * one.texts
        numbers = [
            [one_of.value, one_of.low, one_of.high, one_of.apart_low, one_of.apart_high] for one_of in (one, two)
        ]
        np.testing.assert_allclose(*numbers, rtol=1e-12)
        assert np.isfinite(numbers).all()


def test_other_models_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="--readout attention"):
        study.attention_test("bundled", ["a film", "a fine film"], train=examples(8, 0))
