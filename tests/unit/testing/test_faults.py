"""The public contracts accept what is sound and name what is not: faults planted one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.engine.methods import Scores, method
from exegesis.models.blackbox import BlackBox
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Target
from exegesis.questions.trust.measure import Answers, Case, Given, Score, measure
from exegesis.testing import (
    TEXTS,
    bag_of_words,
    check_measure,
    check_method,
    check_model,
    check_search,
    recurrent_model,
)
from exegesis.testing.toys import WEIGHTS
from tests.support.registries import forgotten

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    with forgotten():
        yield


def registered(fault: str = "", **card: object) -> object:
    """A value of a method with one fault or none, registered anew.

    A word's score is one over its position, times one more than the number of the label; the account holds the rest.
    """
    calls: list[int] = []
    facts = {"question": "Where?", "summary": "By position.", "paper": "None, a test", "year": 2024, "complete": True}

    @method("position", **{**facts, **card})
    @dataclass(frozen=True)
    class Position:
        """One over the position."""

        def __call__(self, model: Classifier, batch: Batch, target: Target) -> Scores:
            calls.append(1)
            if fault == "training mode after an error":
                model.module.eval()
            labels = target.index[:1].expand(target.index.shape) if fault == "neighbour's target" else target.index
            positions = torch.arange(1, batch.ids.shape[1] + 1)
            values = (batch.mask.double() / positions)[:, None] * (1.0 + labels[..., None])
            rest = target.of(model.outputs(batch)).double() - values.sum(-1)
            match fault:
                case "account":
                    rest = rest + 0.01
                case "batch":
                    values, rest = values * batch.ids.shape[1], rest + values.sum(-1) * (1 - batch.ids.shape[1])
                case "own random numbers":
                    drawn = torch.rand(1, generator=torch.Generator().manual_seed(len(calls))).double()
                    values, rest = values * (1 + drawn), rest - values.sum(-1) * drawn
                case "global random numbers":
                    torch.rand(1)
                case "weights":
                    with torch.no_grad():
                        next(model.module.parameters()).add_(1e-12)
                case "training mode":
                    model.module.eval()
                case "training mode after an error":
                    model.module.train()
                case "attribute":
                    model.module.last = len(calls)
            return Scores(values, {"rest": rest})

    return Position()


def test_a_sound_method_passes() -> None:
    check_method(registered())
    check_method("position", bag_of_words())


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("account", "left over"),
        ("batch", "depend on the other texts"),
        ("own random numbers", "depend on the other texts|a second call gives other scores"),
        ("global random numbers", "torch's random state"),
        ("weights", "weights"),
        ("training mode", "training mode"),
        ("training mode after an error", "after an error of the model it leaves the model's training mode"),
        ("attribute", "attributes"),
        ("neighbour's target", "asked for another label"),
    ],
)
def test_a_fault_of_a_method_is_named(fault: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_method(registered(fault))


def test_a_card_that_is_not_true_is_named() -> None:
    with pytest.raises(AssertionError, match="one line"):
        check_method(registered(summary="two\nlines"))


def test_what_is_not_registered_or_not_served_is_refused() -> None:
    with pytest.raises(UsageError):
        check_method("no-such-method")
    with pytest.raises(UnsupportedError):
        check_method("reat", exegesis.blackbox(lambda texts: np.full((len(texts), 2), 0.5), ["a", "b"]))


def graded(fault: str = "") -> object:
    """A value of a measure, registered anew: the probability with the best word less that without it."""
    asked: list[int] = []

    @measure("best-word", question="Is the best word the best?", paper="None, a test", higher=fault != "higher")
    @dataclass(frozen=True)
    class BestWord:
        """The fall of the probability without the best word."""

        how: str = "drop"

        def asks(self, case: Case, given: Given) -> list[int]:
            asked.append(1)
            best = given.order()[-1 if fault == "reversed" else 0]
            if fault == "random":
                best = len(asked) % case.count
            return [case.full & ~(1 << best)] if fault != "outside" else [1 << case.count]

        def score(self, case: Case, given: Given, answers: Answers) -> Score:
            value = case.chance - float(answers.chance[0])
            if fault == "state":
                value += 1e-3 * len(asked)
            return Score(np.inf if fault == "infinite" else 0.5 if fault == "constant" else value)

    return BestWord()


def test_a_sound_measure_passes() -> None:
    check_measure(graded())


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("reversed", "perfect explanations are not better than random ones"),
        ("higher", "although a lower number is better"),
        ("constant", "not better"),
        ("random", "other words on a second call"),
        ("outside", "words that the text does not have"),
        ("state", "depends on the texts measured before"),
        ("infinite", "infinite"),
    ],
)
def test_a_fault_of_a_measure_is_named(fault: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_measure(graded(fault))


class Faulty:
    """A recurrent model that does one thing wrong."""

    def __init__(self, fault: str) -> None:
        self.model, self.fault, self.calls = recurrent_model(), fault, 0

    name = property(lambda self: "faulty")
    labels = property(lambda self: ("a", "a", "b") if self.fault == "labels" else self.model.labels)
    link = property(lambda self: self.model.link)
    tokens = property(lambda self: {} if self.fault == "pad" else self.model.tokens)
    module = property(lambda self: self.model.module)

    def read(self, raw):
        text = self.model.read(raw)
        if self.fault == "reading":
            self.calls += 1
            text = replace(text, ids=tuple(self.calls % 5 for _ in text.ids))
        return text

    def encode(self, texts):
        batch = self.model.encode(texts)
        return replace(batch, ids=batch.ids.flip(1)) if self.fault == "left" else batch

    def outputs(self, batch):
        self.calls += 1
        outputs = self.model.outputs(batch)
        match self.fault:
            case "state":
                outputs = outputs + 1e-3 * self.calls
            case "width":
                outputs = outputs[:, :2]
            case "neighbours":
                outputs = outputs - outputs.mean(0)
            case "padding":
                outputs = outputs + batch.ids.shape[1]
            case "nan":
                outputs = outputs / 0
            case "gradient":
                outputs = outputs.requires_grad_()
            case "weights":
                with torch.no_grad():
                    next(self.module.parameters()).add_(1e-9)
            case "random":
                torch.rand(1)
        return outputs

    def embed(self, batch):
        return self.model.embed(batch)

    def outputs_from(self, embeds, batch):
        outputs = self.model.outputs_from(embeds, batch)
        match self.fault:
            case "vectors":
                outputs = outputs + 1
            case "slopes":
                outputs = outputs.detach() + 2 * (outputs - outputs.detach())
            case "mode":
                self.module.eval()
        return outputs

    def unroll(self, batch):
        unrolled = self.model.unroll(batch)
        return replace(unrolled, bias=unrolled.bias + 1) if self.fault == "terms" else unrolled


def test_sound_models_pass() -> None:
    for model in (recurrent_model(), bag_of_words(), Faulty("")):
        check_model(model)
    check_model(exegesis.load(), tolerance=1e-5)


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("labels", "not distinct"),
        ("pad", "no id for padding"),
        ("reading", "read differently on a second call"),
        ("left", "ids are not the text's"),
        ("width", "outputs of shape"),
        ("nan", "not finite"),
        ("gradient", "carry a gradient"),
        ("neighbours", "depend on the other texts"),
        ("padding", "depend on the other texts"),
        ("state", "depend on|a second call"),
        ("weights", "depend on|a second call|weights"),
        ("random", "torch's random state"),
        ("vectors", "are not the outputs"),
        ("slopes", "not slopes"),
        ("mode", "training mode"),
        ("terms", "do not sum"),
    ],
)
def test_a_fault_of_a_model_is_named(fault: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_model(Faulty(fault))


def test_what_is_no_model_is_named() -> None:
    with pytest.raises(AssertionError, match="offers no encode, labels"):
        check_model(object())


def test_a_sound_search_passes() -> None:
    check_search("acd")


@pytest.mark.parametrize("fault", ["neighbours", "growth"])
def test_a_fault_of_a_model_is_found_through_a_search(fault: str) -> None:
    calls: list[int] = []

    class Faulty(BlackBox):  # a function of lists alone would be tried, and asked one text a call
        def outputs(self, batch: Batch) -> torch.Tensor:
            calls.append(1)
            texts = self.write(batch)
            factor = 0.01 * (max(map(len, texts)) if fault == "neighbours" else len(calls))
            sums = torch.tensor([float(sum(WEIGHTS.get(word, 0.0) for word in text.split())) for text in texts])
            positive = torch.sigmoid(factor * sums.double())
            return torch.stack([1 - positive, positive], 1)

    with pytest.raises(AssertionError, match="the tree depends on the other texts in the batch"):
        check_search("acd", Faulty(len, ["bad", "good"]), method="leave-one-out")


def test_the_texts_are_of_different_lengths_with_one_twice() -> None:
    assert len({len(text.split()) for text in TEXTS}) >= 4
    assert len(set(TEXTS)) == len(TEXTS) - 1
