"""What a margin is for each kind of model; what it is not."""

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.errors import SpanError, UnsupportedError, UsageError
from exegesis.protocols.target import Link, ask

LABELS = ("a", "b", "c")
RAW = torch.tensor([[0.3, -1.2, 2.0]], dtype=torch.float64)


@pytest.mark.parametrize(("link", "given"), [(Link.SOFTMAX, Link.PROBABILITY), (Link.SIGMOID, Link.PROBABILITIES)])
def test_logits_and_their_probabilities_have_one_margin(link, given):
    asked = ask("margin:a,c", LABELS, link)
    probabilities = link.probabilities(RAW)
    assert float(asked.of(RAW, link).of(RAW)) == pytest.approx(0.3 - 2.0, abs=1e-12)
    assert float(asked.of(probabilities, given).of(probabilities)) == pytest.approx(0.3 - 2.0, abs=1e-12)


@pytest.mark.parametrize("multilabel", [False, True])
def test_a_certain_black_box_has_no_margin(multilabel):
    box = exegesis.blackbox(lambda texts: [[1.0, 0.0]] * len(texts), ["yes", "no"], multilabel=multilabel)
    with pytest.raises(UnsupportedError, match="probability:LABEL"):
        exegesis.explain(box, "one two", "leave-one-out", "margin:yes,no")
    np.testing.assert_array_equal(exegesis.explain(box, "one two", "leave-one-out").scores, 0)


@pytest.mark.parametrize("spans", [5, [5], [(0.5, 2)], [(0, 1, 2)], ["ab"]])
def test_spans_are_pairs_of_word_numbers(spans):
    box = exegesis.blackbox(lambda texts: [[0.5, 0.5]] * len(texts), ["yes", "no"])
    with pytest.raises(UsageError, match="pairs of word numbers"):
        exegesis.explain(box, "one two", spans=spans)
    with pytest.raises(SpanError, match="outside the text"):
        exegesis.explain(box, "one two", spans=[(0, 3)])


def test_labels_may_be_a_dict_either_way():
    for labels in (["no", "yes"], {0: "no", 1: "yes"}, {1: "yes", 0: "no"}, {"yes": 1, "no": 0}):
        box = exegesis.blackbox(lambda texts: [[0.2, 0.8]] * len(texts), labels)
        assert exegesis.predict(box, "one two") == {"no": 0.2, "yes": 0.8}
        assert exegesis.predict(box, ["one two"]) == [{"no": 0.2, "yes": 0.8}]
    for wrong in ("no", {1: "no", 2: "yes"}, {"no": 0, "yes": 2}, {}):
        with pytest.raises(UsageError):
            exegesis.blackbox(lambda texts: [[0.2, 0.8]] * len(texts), wrong)


def test_methods_of_a_model_by_name():
    assert "reat" in [card.name for card in exegesis.methods("bundled")]


def test_lrp_of_a_margin_is_near_the_difference_and_equal_to_it_without_epsilon():
    model, text = exegesis.load(), "the fight scenes are fun but it grows tedious"

    def apart(epsilon: float) -> float:
        plus, minus, margin = (
            exegesis.explain(model, text, "lrp", target, epsilon=epsilon).scores
            for target in ("positive", "negative", "margin:positive,negative")
        )
        return float(abs(plus - minus - margin).max() / abs(margin).max())

    assert 1e-4 < apart(0.001) < 1e-2
    assert apart(1e-9) < 1e-5
