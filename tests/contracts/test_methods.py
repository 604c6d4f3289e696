"""The contract of every registered method on every kind of model that can serve it.

Pairs of models and methods are chosen so that each method meets each kind of model, and each model each mechanism
(``support.every_model.chosen_pairs``). That a model refuses the other methods is tried for all pairs.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from exegesis.api import explain, methods
from exegesis.core.errors import UnsupportedError
from exegesis.engine.methods import METHODS, cards, make
from exegesis.protocols.target import Target
from exegesis.testing import check_method
from tests.support.every_model import (
    GATED,
    KINDS,
    LENGTHS,
    MECHANISMS,
    MODELS,
    QUICK,
    built,
    chosen_pairs,
    made,
    quick,
    target_of,
)
from tests.support.torch_toys import net, texts

PAIRS = chosen_pairs()


@pytest.mark.parametrize(("name", "method"), quick(PAIRS))
def test_the_contract_is_kept(name, method):
    """Everything that ``exegesis.testing`` demands, with texts of five lengths and one that stands twice."""
    model = built(name)
    if method not in {card.name for card in methods(model)}:
        assert method not in GATED
        pytest.skip("a new method, which the model cannot serve")
    raw = texts(LENGTHS, 1)
    gap = math.inf if method == "integrated-gradients" else None  # three points leave a gap, which is told
    check_method(made(method), model, [*raw, raw[3]], target=target_of(model, method), gap=gap)


def in_turn() -> list[tuple[str, str]]:
    """All methods on the quick models, and on each other kind a method of each mechanism, in turn; and new ones."""
    chosen = set()
    for turn, name in enumerate(KINDS):
        for listed in MECHANISMS.values():
            able = [method for method in listed if method in MODELS[name][0]]
            chosen |= {(name, method) for method in (able if name in QUICK else able[turn % max(1, len(able)) :][:1])}
    return [pair for pair in PAIRS if pair[0] in KINDS and (pair in chosen or pair[1] not in GATED)]


@pytest.mark.parametrize(("name", "method"), quick(in_turn()))
def test_the_result_is_about_the_model(name, method):
    """The label is the model's own, and the predicted label's scores are among those of all labels."""
    model = built(name)
    if method not in {card.name for card in methods(model)}:
        pytest.skip("a new method, which the model cannot serve")
    raw = texts(LENGTHS[:3], 1)
    target = target_of(model, method)
    every = explain(model, raw, made(method), target)
    predicted = explain(model, raw, made(method), "predicted")
    for text, of_all, of_one in zip(raw, every, predicted, strict=True):
        outputs = model.outputs(model.encode([of_all.text]))
        assert of_all.text.raw == text
        assert of_all.prediction.label == model.labels[int(model.link.decide(outputs)[0])]
        if "all" in target and method == "integrated-gradients":
            continue  # whose points depend on all that is asked
        label = model.labels.index(of_all.prediction.label)
        scores = of_all.scores[label] if of_all.scores.ndim == 2 else of_all.scores
        np.testing.assert_allclose(scores, of_one.scores, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", quick([(name,) for name in MODELS]))
def test_what_cannot_be_served_is_refused(name):
    """``methods(model)`` and what really happens agree, for every method."""
    model = built(name)
    able = {card.name for card in methods(model)}
    assert able & GATED == MODELS[name][0]
    needs = r"a (\w+ model|rule for every part): [^\n]+; this model can serve: [^\n]+$"
    for card in cards():
        if card.name in able:
            if (name, card.name) not in PAIRS:
                assert np.isfinite(explain(model, "w1 w2", made(card.name)).scores).all()
            continue
        with pytest.raises(UnsupportedError, match=rf"^{card.name} needs {needs}"):
            explain(model, "w1 w2", made(card.name))


@pytest.mark.quick
def test_each_method_meets_each_kind_and_each_model_each_mechanism():
    assert {method for methods in MECHANISMS.values() for method in methods} == GATED
    for name in KINDS:
        assert {(name, method) for method in MODELS[name][0]} <= set(PAIRS)
    for name, (able, _) in MODELS.items():
        met = {method for other, method in PAIRS if other == name}
        assert met <= able | ({card.name for card in cards()} - GATED)
        assert all(met & set(methods) for methods in MECHANISMS.values() if able & set(methods))


@pytest.mark.parametrize("method", sorted(GATED - {"input-reduction"}))
@pytest.mark.parametrize("name", ["bigru attention", "black box"])
def test_every_text_has_its_own_target(name, method):
    """In one batch texts are asked for different labels; each gets what it gets where all are asked for its label."""
    if method not in MODELS[name][0]:
        assert method not in {card.name for card in methods(built(name))}
        return
    model = built(name)
    batch = model.encode([model.read(text) for text in texts([5, 3, 3, 2], 6)])
    kind = "probability" if name == "black box" else "logit"

    def scores(labels: list[int]) -> torch.Tensor:
        target = Target(kind, torch.tensor(labels)[:, None], None, model.link)
        return made(method)(model, batch, target).values[:, 0]

    alike = [scores([label] * 4) for label in range(3)]
    mixed = [2, 0, 1, 0]
    for row, (found, label) in enumerate(zip(scores(mixed), mixed, strict=True)):
        torch.testing.assert_close(found, alike[label][row], rtol=0, atol=1e-10)
        assert not torch.allclose(alike[0][row], alike[1][row])


VARIED = {
    "contextual-decomposition": [{"variant": "acd", "orderings": "all"}],
    "deeplift": [{"baseline": 'text:it\'s "odd"\n'}],
    "gradient": [{"norm": "squared"}],
    "input-reduction": [{"beam": 2, "how": "pad"}],
    "integrated-gradients": [{"baseline": 'text:it\'s "odd"\n', "tolerance": 1e-5, "points": 3, "limit": 64}],
    "leave-one-out": [{"how": "zero"}],
    "lrp": [{"product": "prop", "stabilizer": 0.3, "rule": "alpha-beta", "alpha": 3.0, "beta": 2.0}],
    "lime": [{"samples": 9, "kernel": 1.5, "ridge": 0.1, "features": 2, "how": "mask", "seed": 4}],
    "shapley": [{"samples": 6, "exact": 3, "how": "pad", "seed": 2}],
    "scd": [{"neighbours": 2, "samples": 3, "language": "bundled", "seed": 1}],
    "soc": [{"neighbours": 2, "samples": 3, "how": "drop", "language": "bundled", "seed": 1}],
    "smoothgrad": [{"samples": 3, "noise": 0.1, "reduce": "x-input", "seed": 9}],
}


@pytest.mark.quick
@pytest.mark.parametrize("card", cards(), ids=lambda card: card.name)
def test_repr_rebuilds_the_method(card):
    for options in ({}, *VARIED.get(card.name, [])):
        value = make(card.name, options)
        assert make(repr(value)) == value
        assert hash(value) == hash(make(card.name, options))
    able = {served.name for served in methods(built("lstm"))}
    own = {"rationale": "selects its words", "concepts": "decides through concepts", "spans": "weighs spans"}
    other = own.get(card.name, "transformer")
    result = explain(built("lstm" if card.name in able else other), "w1 w2", make(card.name))
    assert make(result.method) == make(card.name)
    assert result.name == card.name


def test_draws_belong_to_a_text_and_not_to_the_batch():
    """The same text twice in a batch, and beside others, is drawn for alike; another seed, or text, is not."""
    seen = built("lstm")
    for method in ("lime", "smoothgrad"):
        one, two, three = explain(seen, ["w1 w2 w3", "w4 w5", "w1 w2 w3"], made(method))
        np.testing.assert_array_equal(one.scores, three.scores)
        assert len({tuple(explain(seen, "w1 w2 w3", method, seed=seed).scores) for seed in (0, 1)}) == 2
        assert not np.allclose(one.scores[:2], two.scores)


@pytest.mark.quick
def test_an_example_method_in_one_file():
    path = Path(__file__).parents[2] / "docs" / "example_method.py"
    spec = importlib.util.spec_from_file_location("example_method", path)
    example = importlib.util.module_from_spec(spec)
    try:
        sys.modules["example_method"] = example
        spec.loader.exec_module(example)
        seen = built("lstm")
        result = explain(seen, "w1 w2 w3", "swap", "c0")
        outputs = [seen.outputs(seen.encode([seen.read(text)]))[0, 0] for text in ("w1 w2 w3", "w2 w1 w3", "w1 w3 w2")]
        np.testing.assert_allclose(result.scores, [outputs[0] - outputs[1], outputs[0] - outputs[2], 0], atol=1e-12)
        raw = texts(LENGTHS)
        for text, together in zip(raw, explain(seen, raw, "swap", "all", distance=2), strict=True):
            np.testing.assert_allclose(
                together.scores, explain(seen, text, "swap", "all", distance=2).scores, atol=1e-9
            )
        for result in explain(built("linear bag"), raw, "swap", "all"):
            np.testing.assert_allclose(result.scores, 0, atol=1e-12)
        assert explain(built("black box"), "w1 w2", "swap").scores.shape == (2,)
    finally:
        sys.modules.pop("example_method", None)
        METHODS.remove("swap")


def test_net_is_left_in_training_mode():
    """The toys of this file would not notice a forgotten evaluation mode otherwise."""
    module = net()
    assert module.training
    ids, lengths = torch.tensor([[3, 4, 5]]), torch.tensor([3])
    assert not torch.equal(module(ids, lengths), module(ids, lengths))
