"""The one engine: batches that fit, headers, predictions of many labels, errors in one line."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.errors import CapacityError, ModelError
from exegesis.core.values import same
from exegesis.engine.answer import predictions
from tests.support import evaluate_toys as toys
from tests.support.every_model import MODELS

TEXTS = ["w1 w2 w3 w4", "w1", "w2 w3", "w4 w1 w3"]
ASKS = {
    "words": lambda model, texts: exegesis.explain(model, texts, "lrp"),
    "phrases": lambda model, texts: exegesis.hierarchy(model, texts, "owen"),
    "interactions": exegesis.interactions,
    "relevance": exegesis.relevance,
    "probabilities": exegesis.predict,
}


class Small:
    """The outputs of a model for which more than ``rows`` texts at a time are too many."""

    def __init__(self, model, rows: int) -> None:
        self.outputs, self.rows, self.sizes = model.outputs, rows, []

    def __call__(self, batch):
        if batch.texts:
            self.sizes.append(len(batch))
            if len(batch) > self.rows:
                raise torch.cuda.OutOfMemoryError("too much")
        return self.outputs(batch)


@pytest.mark.parametrize("name", ASKS)
def test_batches_are_halved_until_they_fit(name) -> None:
    """Also those of relevance, which ran without batches."""
    model = toys.model()
    whole = ASKS[name](model, TEXTS)
    model.outputs = small = Small(model, 1)
    parts = ASKS[name](model, TEXTS)
    assert small.sizes[:3] == [4, 2, 1]
    for one, other in zip(whole, parts, strict=True):
        if name == "probabilities":
            assert one == pytest.approx(other)
        else:
            assert one.text == other.text
            np.testing.assert_allclose(one.explained, other.explained)


@pytest.mark.parametrize("name", ASKS)
def test_a_text_that_is_too_much_alone_is_named_in_one_line(name) -> None:
    model = toys.model()
    ASKS[name](model, TEXTS[0])  # what a method tries on the model beforehand is tried now
    model.outputs = Small(model, 0)
    message = r"needs more memory than there is for a text of 4 words \('w1 w2 w3 w4'"
    with pytest.raises(CapacityError, match=message) as error:
        ASKS[name](model, TEXTS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ASKS)
def test_outputs_that_are_not_finite_are_refused(name) -> None:
    model = toys.model()
    ASKS[name](model, TEXTS[0])
    model.outputs = lambda batch: torch.full((len(batch), 2), torch.nan)
    with pytest.raises(ModelError, match="the outputs of model linear are not finite"):
        ASKS[name](model, TEXTS[0])


@pytest.mark.parametrize("kind", MODELS)
def test_every_result_has_the_same_header(kind) -> None:
    model = MODELS[kind][1]()
    (text, *_), target = ["w1 w2 w3"], None
    words = exegesis.explain(model, text, "leave-one-out", target)
    for result in (exegesis.hierarchy(model, text, "acd", target, method="leave-one-out"),
                   exegesis.interactions(model, text, target=target)):  # fmt: skip
        assert result.subject == words.subject
        assert (result.text, result.model, result.target) == (words.text, words.model, words.target)
        assert same(result.prediction, words.prediction)
        assert result.explained == words.explained
        assert result.seconds > 0
    assert words.prediction.labels == len(model.labels) == len(words.prediction.probabilities)


def test_relevance_of_a_list_is_that_of_each_text() -> None:
    model = exegesis.load()
    texts = ["a fine film", "not a bad film at all", "dull"]
    for text, several in zip(texts, exegesis.relevance(model, texts), strict=True):
        alone = exegesis.relevance(model, text)
        assert alone.text == several.text
        assert several.method == alone.method
        np.testing.assert_allclose(several.dimensions, alone.dimensions, atol=1e-6)
        assert several.states.keys() == alone.states.keys()
        for place, state in several.states.items():
            np.testing.assert_allclose(state, alone.states[place], atol=1e-6)


def test_a_prediction_of_many_labels_names_the_ten_likeliest() -> None:
    def outputs(texts: list[str]) -> np.ndarray:
        return np.arange(1.0, 301.0)[None].repeat(len(texts), 0) / 45150

    model = exegesis.blackbox(outputs, [f"w{n}" for n in range(300)])
    prediction = exegesis.explain(model, "a b", "leave-one-out").prediction
    assert (prediction.label, prediction.labels) == ("w299", 300)
    assert list(prediction.probabilities) == [f"w{n}" for n in range(299, 289, -1)]
    assert prediction.probability == prediction.probabilities["w299"] == pytest.approx(300 / 45150)
    every = predictions(model, torch.from_numpy(outputs(["a"])), most=300)[0]
    assert list(every.probabilities) == list(model.labels)
    assert len(exegesis.predict(model, "a b")) == 300


def test_a_span_score_that_is_not_finite_is_refused() -> None:
    from exegesis.questions.attributions.leave_one_out import LeaveOneOut

    model = toys.model()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            LeaveOneOut,
            "spans",
            lambda self, model, batch, target, spans: [torch.full((1, len(one)), math.nan) for one in spans],
        )
        with pytest.raises(ModelError, match="the scores of leave-one-out of model linear are not finite"):
            exegesis.explain(model, TEXTS[0], "leave-one-out", spans="all")
