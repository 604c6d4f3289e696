"""A module that ends in a log-softmax gives log-probabilities, and they are called so everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import exegesis
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.protocols.target import Link

WORDS = ["<pad>", "<unk>", *["a", "fine", "film", "not", "bad", "dull", "the", "plot", "is"]]
TEXT = "a fine film is not bad"


class Bag(nn.Module):
    """Means of word vectors, a linear layer, and what the module ends in."""

    def __init__(self, end: str = "") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(len(WORDS), 6, padding_idx=0)
        self.rnn = nn.LSTM(6, 5, batch_first=True)
        self.output = nn.Linear(5, 3)
        self.end = end

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
        raw = 3 * self.output(self.rnn(packed)[1][0][-1])
        if self.end == "log":
            return nn.functional.log_softmax(raw, -1)
        return raw.softmax(-1) if self.end == "softmax" else raw


def wrapped(end: str, **options):
    return exegesis.wrap(Bag(end), vocabulary=WORDS, labels=["no", "so-so", "yes"], **options)


@pytest.mark.parametrize("method", ["leave-one-out", "integrated-gradients", "gradient", "lime"])
def test_the_number_is_called_what_it_is(method):
    model, plain = wrapped("log"), wrapped("")
    assert (model.link, plain.link) == (Link.LOG_SOFTMAX, Link.SOFTMAX)
    label = max(said := exegesis.predict(model, TEXT), key=said.__getitem__)
    found = exegesis.explain(model, TEXT, method)
    assert found.target == f"log-probability:{label}"
    assert found.explained == pytest.approx(np.log(said[label]), abs=1e-5)
    assert found.prediction.probabilities == pytest.approx(exegesis.predict(plain, TEXT), abs=1e-6)
    assert "logit" not in found._repr_html_()
    assert f"log-probability of {label}" in found._repr_html_()
    assert exegesis.explain(plain, TEXT, method).target == f"logit:{label}"


def test_a_target_is_read_by_the_name_that_the_result_has():
    model, plain = wrapped("log"), wrapped("")
    names = [exegesis.explain(model, TEXT, "leave-one-out", target).target
             for target in ("yes", "log-probability:yes", 2)]  # fmt: skip
    assert names == ["log-probability:yes"] * 3
    for target in ("logit:yes", "logit:all", "logit:predicted"):
        with pytest.raises(UnsupportedError, match="has no logits: take the target log-probability:LABEL"):
            exegesis.explain(model, TEXT, "leave-one-out", target)
    every = exegesis.explain(model, TEXT, "leave-one-out", "all")
    assert every.targets == ("log-probability:no", "log-probability:so-so", "log-probability:yes")
    assert every.for_target("yes").target == "log-probability:yes"
    margins = [exegesis.explain(one, TEXT, "leave-one-out", "margin:yes,no").scores for one in (model, plain)]
    np.testing.assert_allclose(*margins, atol=1e-5)
    shares = [exegesis.explain(one, TEXT, "leave-one-out", "probability:yes").scores for one in (model, plain)]
    np.testing.assert_allclose(*shares, atol=1e-6)
    with pytest.raises(UnsupportedError, match="does not give log-probabilities"):
        exegesis.explain(plain, TEXT, "leave-one-out", "log-probability:yes")


def test_saved_evaluated_and_studied(tmp_path):
    model = wrapped("log")
    found = exegesis.explain(model, TEXT, "leave-one-out", trust=True)
    assert exegesis.read(found.save(tmp_path / "r.json")).target == found.target
    trust = exegesis.evaluate(model, [TEXT, "the plot is dull"], [], ["deletion"], explanations=[found])
    assert np.isfinite(trust.of("deletion", "leave-one-out")[0])
    classes = exegesis.study.words(model, [TEXT, "the plot is dull"], "leave-one-out")
    assert classes.asked.target == "log-probability:predicted"
    assert "logit" not in classes.table()
    tree = exegesis.hierarchy(model, TEXT, "hedge")
    assert tree.target.startswith("log-probability:")


def test_no_method_takes_the_log_softmax_for_a_linear_layer():
    model = wrapped("log")
    for one, given in ((model, "log-probabilities"), (wrapped("softmax", outputs="probabilities"), "probabilities")):
        for method in ("reat", "contextual-decomposition"):
            with pytest.raises(UnsupportedError, match=rf"^{method} needs a \w+ model: its outputs are {given}, "):
                exegesis.explain(one, TEXT, method)
        with pytest.raises(UnsupportedError, match=r"^lrp needs a rule for every part: .* without its last step; this"):
            exegesis.explain(one, TEXT, "lrp")
    found = exegesis.explain(model, TEXT, "deeplift")
    assert found.explained == pytest.approx(np.log(max(exegesis.predict(model, TEXT).values())), abs=1e-5)
    assert found.gap == pytest.approx(0, abs=1e-4)


def test_a_softmax_is_a_probability():
    with pytest.raises(UsageError, match="ends in a softmax"):
        wrapped("softmax")
    model = wrapped("softmax", outputs="probabilities")
    assert exegesis.explain(model, TEXT, "integrated-gradients").target.startswith("probability:")
