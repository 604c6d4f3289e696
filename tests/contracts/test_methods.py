"""What holds for every registered method on every kind of model that can take it."""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from exegesis.api import explain, methods
from exegesis.core.errors import ModelError, UnsupportedError, UsageError
from exegesis.engine.methods import METHODS, cards, make
from exegesis.protocols.model import Classifier, members
from exegesis.protocols.target import Target
from exegesis.results.attribution import Attribution
from exegesis.results.result import save
from exegesis.results.saved import read
from tests.support.every_model import GATED, LENGTHS, MODELS, made, target_of
from tests.support.torch_toys import net, texts

PAIRS = [(name, card.name) for name in MODELS for card in cards()]
KNOWN = GATED  # a method that is new to this table is tried on every model
SERVED = [pair for pair in PAIRS if pair[1] not in KNOWN or pair[1] in MODELS[pair[0]][0]]
built = lru_cache(None)(lambda name: MODELS[name][1]())


def able(name: str, method: str) -> Classifier:
    seen = built(name)
    if method not in KNOWN and method not in {card.name for card in methods(seen)}:
        pytest.skip("a new method, which the model cannot serve")
    return seen


@lru_cache(None)
def results(name: str, method: str) -> list[Attribution]:
    seen = built(name)
    return explain(seen, texts(LENGTHS, 1), made(method), target_of(seen, method))


@pytest.mark.parametrize(("name", "method"), PAIRS)
def test_what_cannot_be_served_is_refused(name, method):
    """``methods(model)`` and what really happens agree, for every method."""
    seen = built(name)
    assert {card.name for card in methods(seen)} & KNOWN == MODELS[name][0]
    if method in {card.name for card in methods(seen)}:
        assert all(np.isfinite(result.scores).all() for result in results(name, method))
        return
    needs = r"a (\w+ model|rule for every part)"
    with pytest.raises(UnsupportedError, match=rf"^{method} needs {needs}: [^\n]+; this model can serve: [^\n]+$"):
        explain(seen, "w1 w2", made(method))


@pytest.mark.parametrize(("name", "method"), SERVED)
def test_batched_is_alone_in_any_order_and_again(name, method):
    """Neighbours, padding, order and repetition change nothing; the predicted label's scores are among all labels'."""
    seen = able(name, method)
    raw = texts(LENGTHS, 1)
    target = target_of(seen, method)
    together = results(name, method)
    for row in (1, 2):
        alone = explain(seen, raw[row], made(method), target)
        np.testing.assert_allclose(together[row].scores, alone.scores, rtol=0, atol=1e-9)
        assert together[row].targets == alone.targets
    one_label = "all" not in target or method != "integrated-gradients"  # whose points depend on all that is asked
    back = explain(seen, raw[::-1], made(method), "predicted" if one_label else target)[::-1]
    again = explain(seen, raw, made(method), target)
    for one, turned, second in zip(together, back, again, strict=True):
        label = seen.labels.index(one.prediction.label)
        of_label = one.scores[label] if one.scores.ndim == 2 and one_label else one.scores
        np.testing.assert_allclose(of_label, turned.scores, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(one.scores, second.scores)
        assert one.details == second.details


@pytest.mark.parametrize("method", sorted(GATED - {"input-reduction"}))
@pytest.mark.parametrize("name", ["lstm", "bigru attention", "black box"])
def test_every_text_has_its_own_target(name, method):
    """In one batch texts are asked for different labels; each gets what it gets where all are asked for its label."""
    if method not in MODELS[name][0]:
        assert method not in {card.name for card in methods(built(name))}
        return
    seen = built(name)
    batch = seen.encode([seen.read(text) for text in texts([5, 3, 3, 2], 6)])
    kind = "probability" if name == "black box" else "logit"

    def scores(labels: list[int]) -> torch.Tensor:
        target = Target(kind, torch.tensor(labels)[:, None], None, seen.link)
        return made(method)(seen, batch, target).values[:, 0]

    alike = [scores([label] * 4) for label in range(3)]
    mixed = [2, 0, 1, 0]
    for row, (found, label) in enumerate(zip(scores(mixed), mixed, strict=True)):
        torch.testing.assert_close(found, alike[label][row], rtol=0, atol=1e-10)
        assert not torch.allclose(alike[0][row], alike[1][row])


@pytest.mark.parametrize(("name", "method"), SERVED)
def test_the_account(name, method):
    """The result says what was explained, and what words leave over is accounted for where that is promised."""
    seen = able(name, method)
    for text, result in zip(texts(LENGTHS, 1), results(name, method), strict=True):
        assert result.text.raw == text
        assert len(result.scores.T) == len(result.spans) == len(result.words)
        batch = seen.encode([result.text])
        raw = seen.outputs(batch)
        probability = seen.link.probabilities(raw)[0]
        assert result.prediction.label == seen.labels[int(seen.link.decide(raw)[0])]
        np.testing.assert_allclose(list(result.prediction.probabilities.values()), probability, atol=1e-9)
        np.testing.assert_allclose(
            np.asarray(result.residual), np.asarray(result.explained) - result.scores.sum(-1), atol=1e-12
        )
        if result.complete and method != "integrated-gradients":
            np.testing.assert_allclose(result.gap, 0, atol=1e-9)
        assert result.complete == next(card.complete for card in cards() if card.name == method)


@pytest.mark.parametrize(("name", "method"), SERVED)
def test_a_result_is_read_back_to_the_last_bit(name, method, tmp_path):
    able(name, method)
    for ending in (".json", ".jsonl"):
        path = save(results(name, method), tmp_path / f"r{ending}")
        for one, other in zip(results(name, method), read(path), strict=True):
            np.testing.assert_array_equal(one.scores, other.scores)
            assert one.spans == other.spans
            assert one.targets == other.targets
            assert one.method == other.method
            assert one.text == other.text
            np.testing.assert_array_equal(one.gap, other.gap)


def photograph(module):
    """Weights, flags, gradients, hooks, attributes, random state."""
    parts = list(module.modules())
    return {
        "flags": [part.training for part in parts],
        "grads": [(weight.requires_grad, weight.grad) for weight in module.parameters()],
        "hooks": [
            [len(value) for key, value in sorted(vars(part).items()) if key.endswith("_hooks")] for part in parts
        ],
        "attributes": [{key: id(value) for key, value in vars(part).items()} for part in parts],
        "random": torch.random.get_rng_state().tolist(),
        "grad mode": torch.is_grad_enabled(),
    }


@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
@pytest.mark.parametrize(("name", "method"), [pair for pair in SERVED if pair[0] != "black box"])
def test_the_model_is_left_as_it_was(name, method, fails):
    seen = able(name, method)
    module = seen.module
    weights = {key: value.clone() for key, value in module.state_dict().items()}
    np.random.seed(5)  # noqa: NPY002 - the state that must not move
    mixed = np.random.get_state()[1].tolist()  # noqa: NPY002
    handle, calls = None, []
    if fails:

        def fail(*_):
            calls.append(1)
            if len(calls) > 1:
                raise RuntimeError("midway")

        linear = [part for part in module.modules() if isinstance(part, torch.nn.Linear)][-1]
        before_hook = photograph(module)
        handle = linear.register_forward_hook(fail)
    before = photograph(module)
    if fails:
        with pytest.raises((ModelError, RuntimeError), match="midway"):
            explain(seen, texts(LENGTHS, 2), made(method))
        assert photograph(module) == before
        handle.remove()
        assert photograph(module) == before_hook
    else:
        explain(seen, texts(LENGTHS[:2], 2), made(method))
        assert photograph(module) == before
    assert all(torch.equal(value, weights[key]) for key, value in module.state_dict().items())
    assert np.random.get_state()[1].tolist() == mixed  # noqa: NPY002


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


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.name)
def test_repr_rebuilds_the_method(card):
    for options in ({}, *VARIED.get(card.name, [])):
        value = make(card.name, options)
        assert make(repr(value)) == value
        assert hash(value) == hash(make(card.name, options))
    result = explain(built("lstm"), "w1 w2", make(card.name))
    assert make(result.method) == make(card.name)
    assert result.name == card.name


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.name)
def test_a_card_tells_the_truth(card):
    assert members(card.needs) >= members(Classifier)
    assert card.cls.__doc__
    assert 1990 < card.year < 2030
    assert "\n" not in card.summary
    for parameter in ("nonsense", "nrom"):
        with pytest.raises(UsageError, match="unknown parameter"):
            make(card.name, {parameter: 1})


def test_draws_belong_to_a_text_and_not_to_the_batch():
    """The same text twice in a batch, and beside others, is drawn for alike; another seed, or text, is not."""
    seen = built("lstm")
    for method in ("lime", "smoothgrad"):
        one, two, three = explain(seen, ["w1 w2 w3", "w4 w5", "w1 w2 w3"], made(method))
        np.testing.assert_array_equal(one.scores, three.scores)
        assert len({tuple(explain(seen, "w1 w2 w3", method, seed=seed).scores) for seed in (0, 1)}) == 2
        assert not np.allclose(one.scores[:2], two.scores)


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
