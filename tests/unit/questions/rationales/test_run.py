"""Rationales of texts: a model's own and those of methods; nothing kept, everything kept, pairs, one word."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.errors import SpanError, UnsupportedError, UsageError
from exegesis.core.text import Span
from exegesis.engine.methods import make, require
from exegesis.engine.run import Words
from exegesis.models.rationale_models.model import RationaleClassifier
from exegesis.questions.rationales.run import BY_LOGIT, EVERYTHING, NOTHING, WEIGHED, Extracted
from exegesis.results.rationale import Rationale
from tests.support import rationale_toys as toys

TEXTS = ["w1 w2 good w3 w4 bad", "w5", "w7 w8 w9 w3", "great w1 unheard"]


@pytest.fixture(scope="module")
def model() -> RationaleClassifier:
    return toys.model()


def probabilities(model: RationaleClassifier, words: list[int], text: str, like: Rationale) -> float:
    """The classifier on some of a text's words: by hand, the text being those words alone."""
    batch = model.encode([model.read(text)])
    kept = torch.zeros_like(batch.mask)
    kept[0, words] = True
    raw = model.outputs_of(batch, kept)
    return float(torch.softmax(raw, 1)[0, model.labels.index(like.target.split(":")[1])])


@pytest.mark.parametrize("contiguous", [False, True])
def test_rounding_does_not_choose_between_equal_words(model: RationaleClassifier, contiguous: bool) -> None:
    method = make("leave-one-out")
    question = Extracted(Words(method, require(model, method)), 0.25, contiguous)
    scores = torch.tensor([-0.9, 0.3, 0.3 + 1e-9, 0.2], dtype=torch.float64)
    assert question._kept(scores).tolist() == [False, True, False, False]


@pytest.mark.quick
def test_a_models_own_rationale_is_what_its_classifier_reads(model: RationaleClassifier) -> None:
    for text, result in zip(TEXTS, exegesis.rationale(model, TEXTS), strict=True):
        words = text.split()
        assert result.name == "rationale"
        assert result.probable
        assert len(result.kept) == max(1, int(0.4 * len(words)))
        assert result.words == tuple(words[n] for n in result.kept)
        assert result.alone == pytest.approx(result.explained, abs=1e-12)
        assert result.explained == pytest.approx(result.prediction.probability, abs=1e-12)
        others = [n for n in range(len(words)) if n not in result.kept]
        every = probabilities(model, list(range(len(words))), text, result)
        assert result.whole == pytest.approx(every, abs=1e-12)
        assert result.rest == pytest.approx(probabilities(model, others, text, result), abs=1e-12)
        assert result.sufficiency == pytest.approx(result.whole - result.alone)
        assert result.comprehensiveness == pytest.approx(result.whole - result.rest)
        assert result.compactness.share == len(result.kept) / len(words)
        explained = exegesis.explain(model, text)
        assert explained.name == "rationale"
        assert explained.details["kept"] == list(result.kept)
        np.testing.assert_allclose(explained.scores, result.scores)
        assert exegesis.predict(model, text)[result.prediction.label] == pytest.approx(result.alone)


def test_words_outside_the_rationale_move_no_bit_of_an_answer_that_keeps_the_same_words(
    model: RationaleClassifier,
) -> None:
    """Through the public model: other words in their place, the choice being held."""
    batch = model.encode([model.read(text) for text in TEXTS])
    kept = model.select(batch).kept
    ids = torch.where(kept | ~batch.mask, batch.ids, 2 + (batch.ids + 5) % 20)
    assert not torch.equal(ids, batch.ids)
    other = dataclasses.replace(batch, ids=ids, texts=())
    assert torch.equal(model.outputs_of(batch, kept), model.outputs_of(other, kept))
    assert torch.equal(model.outputs_of(batch, kept), model.outputs(batch))


def test_any_methods_scores_make_a_rationale_of_any_model() -> None:
    model = exegesis.load()
    text = "A truly fine film with dull , dull parts"
    top = exegesis.rationale(model, text, "leave-one-out", share=0.34)
    scores = exegesis.explain(model, text, "leave-one-out", "probability:" + top.prediction.label).scores
    assert set(top.kept) == set(np.argsort(-scores)[:3].tolist())
    assert not top.probable
    run = exegesis.rationale(model, text, "leave-one-out", share=0.34, contiguous=True)
    sums = [scores[n : n + 3].sum() for n in range(len(scores) - 2)]
    assert run.kept == tuple(range(int(np.argmax(sums)), int(np.argmax(sums)) + 3))
    assert run.compactness.runs == 1
    assert len(exegesis.rationale(model, text, "leave-one-out", share=0.3).kept) == round(0.3 * len(scores)) == 3
    label = top.prediction.label
    by_logit = exegesis.rationale(model, text, "lrp", share=0.34)  # which decomposes no probability
    scores = exegesis.explain(model, text, "lrp", "logit:" + label).scores
    assert set(by_logit.kept) == set(np.argsort(-scores)[:3].tolist())
    assert (by_logit.notes, by_logit.whole) == ((BY_LOGIT,), pytest.approx(top.whole))
    assert not top.notes
    alone = exegesis.predict(model, " ".join(top.words))[label]
    rest = " ".join(word for n, word in enumerate(top.text.word_strings()) if n not in top.kept)
    assert top.alone == pytest.approx(alone, abs=1e-6)
    assert top.rest == pytest.approx(exegesis.predict(model, rest)[label], abs=1e-6)
    assert top.whole == pytest.approx(top.explained)
    whole = exegesis.rationale(model, text, "leave-one-out", share=1.0)
    assert whole.sufficiency == pytest.approx(0.0, abs=1e-6)
    assert whole.notes == ("Every word is in the rationale.",)
    other = exegesis.rationale(model, text, "leave-one-out", "negative")
    assert other.target == "probability:negative"
    assert other.whole == pytest.approx(exegesis.predict(model, text)["negative"], abs=1e-6)


@pytest.mark.parametrize(("bias", "note"), [(-50.0, NOTHING), (50.0, EVERYTHING)])
def test_nothing_and_everything_kept_are_answered_and_said(bias: float, note: str) -> None:
    model = toys.model("lei")
    with torch.no_grad():
        model.network.chooser.score.bias.fill_(bias)
    results = exegesis.rationale(model, TEXTS)
    assert all(result.notes == ((note,) if len(result.text.words) > 1 or bias < 0 else ()) for result in results)
    if bias < 0:
        assert all(result.kept == () for result in results)
        assert len({round(result.alone, 12) for result in results}) == 1  # the answer of no words
    else:
        assert all(result.alone == pytest.approx(result.whole) for result in results)
    assert "nothing" in str(results[0]) or "no word" in repr(results[0]) or bias > 0


def test_gates_between_are_said_where_every_word_is_kept() -> None:
    model = toys.model("hardkuma")
    with torch.no_grad():
        model.network.chooser.score.bias.copy_(torch.tensor([3.0, 0.5]))
    result = exegesis.rationale(model, TEXTS[0])
    gates = model.select(model.encode([model.read(TEXTS[0])])).gates[0]
    assert len(result.kept) == len(result.text.words) > 1
    assert result.notes == (WEIGHED.format(float(gates.min()), float(gates.max())),)
    assert 0 < gates.min() < gates.max() <= 1


def test_evaluation_measures_the_own_rationale_beside_controls(model: RationaleClassifier) -> None:
    marks = [[word in (*toys.GOOD, *toys.BAD) for word in text.split()] for text in TEXTS]
    evaluation = exegesis.evaluate(
        model, TEXTS, ["rationale", "leave-one-out"],
        ["aopc-comprehensiveness", "aopc-sufficiency", "plausibility-f1", "plausibility-auprc"],
        marks=marks, samples=50,
    )  # fmt: skip
    assert [method.name for method in evaluation.methods][:2] == ["rationale", "leave-one-out"]
    assert any(method.control for method in evaluation.methods)
    assert np.isfinite(evaluation.values[0]).all()


def test_what_cannot_be_asked_is_named(model: RationaleClassifier) -> None:
    with pytest.raises(UnsupportedError, match="does not select its words"):
        exegesis.rationale(exegesis.load(), "a fine film")
    with pytest.raises(UnsupportedError, match="it selects no words that it reads"):
        exegesis.explain(exegesis.load(), "a fine film", "rationale")
    with pytest.raises(UsageError, match="one label"):
        exegesis.rationale(model, "w1 good", target="all")
    with pytest.raises(UsageError, match="share"):
        exegesis.rationale(model, "w1 good", "leave-one-out", share=0.0)


def test_a_result_checks_itself(model: RationaleClassifier) -> None:
    result = exegesis.rationale(model, TEXTS[0])
    for wrong, match in (
        ({"scores": np.ones(2)}, "need as many scores"),
        ({"scores": np.full(6, 1.5)}, "between 0 and 1"),
        ({"spans": (Span(3, 4), Span(1, 2))}, "no run of words"),
        ({"whole": float("nan")}, "finite"),
    ):
        with pytest.raises((UsageError, SpanError), match=match):
            dataclasses.replace(result, **wrong)
