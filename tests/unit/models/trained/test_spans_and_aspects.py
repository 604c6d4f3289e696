"""Attention over spans and attention that an aspect guides: plain versions, their explanations, planted phrases."""

from __future__ import annotations

import json
import random
from itertools import product

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.data.examples import Example
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.kinds import network
from exegesis.models.trained.folder import load_folder, save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.spanned import SpanClassifier
from exegesis.models.trained.training import train
from exegesis.show import render
from tests.reference import networks as plain

WORDS = ["<pad>", "<unk>", "a", "good", "bad", "film", "very", "not"]
TEXTS = ("a very good film", "bad", "not a bad film very good film")
SPANS = RecurrentConfig("lstm", True, embedding=5, hidden=3, vocabulary=len(WORDS), readout="spans", span=3)


def drawn(config: RecurrentConfig) -> torch.nn.Module:
    """A network with random weights, in float64."""
    module = network(config).double()
    draws = torch.Generator().manual_seed(1)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=draws, dtype=torch.float64) * 0.6
    return module


@pytest.fixture(scope="module")
def model() -> SpanClassifier:
    return SpanClassifier.of(exegesis.wrap(drawn(SPANS), vocabulary=WORDS, labels=["bad", "good"], tokenizer=str.split))


def plainly(module, ids):
    with torch.no_grad():
        states, _ = module.recurrent(module.embedding(torch.tensor([ids])))
        return plain.spans(module.attention, states[0])


def test_spans_are_the_plain_ones_and_padding_reaches_nothing(model) -> None:
    batch = model.encode([model.read(text) for text in TEXTS])
    module = model.module.train()
    module.dropout.p = 0.0
    with torch.no_grad():
        own, penalty = module(batch.ids, batch.lengths), module.penalty()
    module.eval()
    weighed, penalties = model.weighed(batch), []
    for row, text in enumerate(batch.texts):
        vector, vectors, shares, expected = plainly(module, text.ids)
        penalties.append(expected)
        logits = module.output.weight @ vector + module.output.bias
        torch.testing.assert_close(own[row], logits, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(weighed.parts[row].sum((0, 1)) + weighed.bias, logits, rtol=1e-10, atol=1e-12)
        assert float(weighed.weights[row].sum()) == pytest.approx(1.0)
        assert int((weighed.weights[row] > 0).sum()) == len(shares)
        for (i, j), share in shares.items():
            assert float(weighed.weights[row, j - i, i]) == pytest.approx(float(share), rel=1e-10)
            part = share * (module.output.weight @ vectors[i, j])
            torch.testing.assert_close(weighed.parts[row, j - i, i], part, rtol=1e-10, atol=1e-12)
    assert float(penalty) == pytest.approx(np.mean(penalties), rel=1e-10)
    module(batch.ids, batch.lengths)
    assert module.penalty() is None  # nothing is kept of a text that is only read


def test_words_share_what_their_spans_add(model) -> None:
    for text, margin in product(TEXTS, (False, True)):
        result = exegesis.explain(model, text, "spans", target="margin:good,bad" if margin else "good", top=2)
        _, vectors, shares, _ = plainly(model.module, result.text.ids)
        u = (model.module.output.weight[1] - margin * model.module.output.weight[0]).detach()
        expected = np.zeros(len(result.words))
        for (i, j), share in shares.items():
            expected[i : j + 1] += float(share * (u @ vectors[i, j])) / (j - i + 1)
        np.testing.assert_allclose(result.scores, expected, rtol=1e-9, atol=1e-12)
        assert abs(result.gap) < 1e-12
        best = sorted(shares.items(), key=lambda entry: -entry[1])[:2]
        listed = [(start, stop - 1) for start, stop, _ in result.details["spans"]]
        assert listed == [span for span, _ in best]
    assert "Most attention of its spans: “" in render(result, color=False)
    with pytest.raises(UnsupportedError, match="probability"):
        exegesis.explain(model, TEXTS[0], "spans", target="probability:good")
    with pytest.raises(UnsupportedError, match="spans needs a spanned model"):
        exegesis.explain("bundled", TEXTS[0], "spans")
    with pytest.raises(UnsupportedError, match="attends to spans, not to words: its method is spans"):
        exegesis.attention(model, TEXTS[0])


def phrases(count: int) -> list[Example]:
    """Texts of fillers with one of two phrases of two words, each word of which stands in both."""
    draw, found = random.Random(0), []
    for _ in range(count):
        words = [draw.choice("bcdefg") for _ in range(draw.randint(5, 8))]
        order = draw.random() < 0.5
        words[2:2] = ["x", "y"] if order else ["y", "x"]
        found.append(Example.of(" ".join(words), "xy" if order else "yx"))
    return found


def test_a_planted_phrase_has_the_attention_of_its_spans(tmp_path) -> None:
    examples = phrases(300)
    config = RecurrentConfig("lstm", True, embedding=8, hidden=8, readout="spans", span=3, dropout=0.0)
    options = TrainOptions(epochs=8, batch=16, lr=2e-2, patience=8, attention_penalty=0.3)
    result = train(examples[:240], examples[240:], config=config, options=options)
    assert result.dev.accuracy > 0.95
    save_folder(tmp_path / "m", result.model, "# m\n")
    assert json.loads((tmp_path / "m/config.json").read_text())["span"] == 3
    assert load_folder(tmp_path / "m").module.config.span == 3
    loaded = exegesis.load(str(tmp_path / "m"))
    assert isinstance(loaded, SpanClassifier)
    held = [exegesis.explain(loaded, example.text, "spans", top=1) for example in examples[240:]]
    inside = [
        {"x", "y"} & set(one.words[start:stop]) != set() for one in held for start, stop, _ in one.details["spans"]
    ]
    assert np.mean(inside) > 0.9


def test_entries_of_other_readouts_are_left_out() -> None:
    assert "span" not in RecurrentConfig("gru").entries()
    with pytest.raises(UsageError, match="span is 0"):
        RecurrentConfig("gru", readout="spans", span=0)
    with pytest.raises(UsageError, match="the readout aspect needs a cell of the library"):
        RecurrentConfig("lstm-markov", readout="aspect")


def opinions(count: int) -> list[Example]:
    """Texts with an opinion of the food and one of the staff; the aspect says whose is asked for."""
    draw, found = random.Random(0), []
    sides = {"good": ("good", "fine", "great"), "bad": ("bad", "slow", "poor")}
    for _ in range(count):
        told = {topic: draw.choice(list(sides)) for topic in ("food", "staff")}
        words = [
            word for topic in draw.sample(list(told), 2) for word in ("the", topic, draw.choice(sides[told[topic]]))
        ]
        topic = draw.choice(list(told))
        found.append(Example.of((" ".join(words), topic), told[topic]))
    return found


@pytest.fixture(scope="module")
def guided():
    """A classifier of pairs (text, aspect), trained on planted opinions."""
    examples = opinions(500)
    config = RecurrentConfig("lstm", True, embedding=8, hidden=8, readout="aspect", dropout=0.0)
    options = TrainOptions(epochs=10, batch=16, lr=2e-2, patience=10)
    result = train(examples[:400], examples[400:], config=config, options=options)
    assert result.dev.accuracy > 0.95
    module = result.model.module.double()
    return exegesis.wrap(module, vocabulary=result.model.vocabulary, labels=result.model.labels)


def test_an_aspect_guides_attention_as_in_the_plain_version(guided) -> None:
    pairs = [("the food good the staff slow", "staff"), ("good", "the food"), ("the staff poor", "food")]
    batch = guided.encode([guided.read(pair) for pair in pairs])
    assert guided.plan.pads
    with torch.no_grad():
        together = guided.module(batch.ids, batch.lengths)
    for row, text in enumerate(batch.texts):
        sides = [torch.tensor(text.ids[part.start : part.stop]) for part in text.segments]
        with torch.no_grad():
            logits, weights = plain.aspect(guided.module, *sides)
        torch.testing.assert_close(together[row], logits, rtol=1e-10, atol=1e-12)
        (found,) = exegesis.attention(guided, pairs[row]).maps
        assert found.pools
        np.testing.assert_allclose(found.values[0], np.array(weights), rtol=1e-9)
    np.testing.assert_allclose(guided.outputs(batch), together, rtol=1e-9)


def test_another_aspect_moves_the_decision_and_removal_works(guided) -> None:
    text = "the food good the staff slow"
    assert [exegesis.explain(guided, (text, topic)).prediction.label for topic in ("food", "staff")] == ["good", "bad"]
    result = exegesis.explain(guided, (text, "staff"), "leave-one-out")
    assert result.words[int(np.argmax(result.scores))] in ("slow", "staff")
    assert abs(exegesis.explain(guided, (text, "staff"), "integrated-gradients").gap) < 1e-2
