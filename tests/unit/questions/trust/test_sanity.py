"""The check that a method looks at the model: shuffled weights, a model of other labels, everything put back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
import tests.support.evaluate_toys as toys
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.questions.trust.measuring.sanity import nudged, randomisation, sensitivity, shuffled
from exegesis.questions.trust.measuring.scores import spearman


@pytest.fixture
def linear():
    return toys.model()


@pytest.fixture
def texts(linear):
    return [linear.read(text) for text in toys.texts(20, longest=9)]


def test_a_method_that_looks_at_the_weights_passes(linear, texts):
    found = randomisation(linear, texts, ["leave-one-out", "gradient-x-input"])
    for name in ("leave-one-out", "gradient-x-input"):
        assert found.compare(name, "blind")[0].better == name
    assert found.mean("parameter-randomisation", "blind").value == 1
    assert 0.2 < found.mean("parameter-randomisation", "chance").value < 0.5
    assert found.advice() == "With shuffled weights no method's scores are seen to stay more alike than by chance."
    short = randomisation(linear, texts[:9], ["leave-one-out"])
    assert short.advice().endswith(" than by chance. 9 texts are few: take more.")
    head = "Check by parameter-randomisation: do explanations stay alike when the weights are shuffled?"
    assert found.table().splitlines()[0] == head  # beside other tables of one run it has a heading of its own
    measured = exegesis.evaluate(linear, [text.raw for text in texts], ["leave-one-out"])
    assert "texts: 20 (" in measured.table().splitlines()[0]
    assert found.advice() in " ".join(found.table().split())
    assert "parameter-randomisation" in found._repr_html_()


def test_the_numbers_are_those_of_a_second_model(linear, texts):
    before = [weight.clone() for weight in linear.module.parameters()]
    with shuffled(linear, 3):
        changed = exegesis.explain(linear, [t.raw for t in texts], "leave-one-out", "good")
        assert not torch.equal(next(linear.module.parameters()), before[0])
    trained = exegesis.explain(linear, [t.raw for t in texts], "leave-one-out", "good")
    found = randomisation(linear, texts, ["leave-one-out"], target="good", seed=3)
    expected = [abs(spearman(a.scores, b.scores)) for a, b in zip(trained, changed, strict=True)]
    np.testing.assert_allclose(found.values[0, 0], expected)
    assert all(torch.equal(one, two) for one, two in zip(before, linear.module.parameters(), strict=True))


def test_weights_come_back_after_an_error(linear):
    before = [weight.clone() for weight in linear.module.parameters()]
    with pytest.raises(RuntimeError), shuffled(linear):
        raise RuntimeError
    assert all(torch.equal(one, two) for one, two in zip(before, linear.module.parameters(), strict=True))


def test_another_model(linear, texts):
    """The same model changes nothing: every text is 1."""
    found = randomisation(linear, texts, ["leave-one-out"], toys.model())
    assert found.measures[0].name == "label-randomisation"
    np.testing.assert_allclose(found.values[0, 0], 1.0)
    assert found.advice() == (
        "Scores of leave-one-out come nearer to the other model's than by chance: not all is learned."
    )


class Sum(torch.nn.Module):
    """The sum of word vectors."""

    def __init__(self, weight):
        super().__init__()
        self.embedding = torch.nn.Embedding.from_pretrained(weight, padding_idx=0)

    def forward(self, ids):
        return self.embedding(ids).sum(1)


def test_the_other_model_reads_with_its_own_ids():
    """The same model with its vocabulary in another order, and longer than the first's, explains the same."""
    words = ["<pad>", "<unk>", "good", "bad", "fine", "dull", "film", "the", "a", "not"]
    weight = torch.randn(len(words), 2, generator=torch.Generator().manual_seed(0))
    weight[:2] = 0
    order = [0, 1, *range(len(words) - 1, 1, -1)]
    one = exegesis.wrap(Sum(weight), vocabulary=words, labels=["no", "yes"])
    two = exegesis.wrap(Sum(weight[order]), vocabulary=[words[i] for i in order], labels=["no", "yes"])
    read = [one.read(text) for text in ("good film", "the bad dull film", "not a fine film")]
    found = randomisation(one, read, ["leave-one-out"], two)
    np.testing.assert_allclose(found.values[0, 0], 1.0)
    with pytest.raises(UsageError, match="in other words"):
        randomisation(one, [one.read("good film")], ["leave-one-out"], exegesis.wrap(
            Sum(weight), vocabulary=words, tokenizer=lambda text: [text.split()[0]], labels=["no", "yes"]))  # fmt: skip


def test_refusals(linear, texts):
    box = exegesis.blackbox(lambda given: [[0.5, 0.5]] * len(given), ["bad", "good"])
    with pytest.raises(UnsupportedError, match="out of sight"):
        randomisation(box, [box.read("a b")], ["leave-one-out"])
    with pytest.raises(UsageError, match="different labels"):
        randomisation(linear, texts, ["leave-one-out"], exegesis.blackbox(lambda g: [[0.5, 0.5]] * len(g), ["x", "y"]))
    with pytest.raises(UsageError, match="at least one text"):
        randomisation(linear, [], ["leave-one-out"])
    with pytest.raises(UsageError, match="one number"):
        randomisation(linear, texts, ["leave-one-out"], target="all")


def test_sensitivity_of_a_bag_of_words(linear, texts):
    """A word's score is its weight, which moves by the radius times the mean size of the weights, up or down."""
    found = sensitivity(linear, texts, ["leave-one-out"], radius=0.1, target="good")
    step = 0.1 * np.mean(np.abs(linear.module.embedding.weight.detach().numpy()))
    for i, text in enumerate(texts):
        scores = [toys.WEIGHTS[word] for word in text.raw.split()]
        expected = step * np.sqrt(len(scores)) / np.linalg.norm(scores)
        assert found.values[0, 0, i] == pytest.approx(expected, rel=1e-6)
    assert found.mean("sensitivity-max", "blind").value == 0
    assert found.advice().startswith("Scores of leave-one-out move most: by 0.")


def test_sensitivity_grows_with_the_draws_and_leaves_the_model(linear, texts):
    before = [weight.clone() for weight in linear.module.parameters()]
    few, many = (sensitivity(linear, texts, ["shapley"], draws=n, target="good").values[0, 0] for n in (1, 4))
    assert (many >= few - 1e-12).all()
    with pytest.raises(RuntimeError), nudged(linear, 0.5):
        raise RuntimeError
    assert all(torch.equal(one, two) for one, two in zip(before, linear.module.parameters(), strict=True))
    with pytest.raises(UsageError, match="radius above 0"):
        sensitivity(linear, texts, ["shapley"], radius=0.0)
    box = exegesis.blackbox(lambda given: [[0.5, 0.5]] * len(given), ["bad", "good"])
    with pytest.raises(UnsupportedError, match="cannot be moved"):
        sensitivity(box, [box.read("a b")], ["leave-one-out"])
