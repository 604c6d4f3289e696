"""Every mechanism on every kind of model gives on another device what it gives on the CPU.

The other device is always the simulated one of ``second_device``, and a GPU if there is one. On a GPU every method runs
on every model. On the simulated device every method does on one model, every mechanism on a second one, and the others
take the mechanisms in turn; models that differ from others in their labels, or in a part that others have, are left
out there.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import exegesis
import tests.support.every_model as every_model
import tests.support.torch_toys as torch_toys
from exegesis.api import explain, methods
from exegesis.data.examples import Example
from exegesis.models.huggingface import wrap as hf_wrapping
from exegesis.models.modules.wrap import wrap
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import TrainResult, train
from exegesis.nn.rounding import product_error
from exegesis.protocols.model import Classifier
from tests.support.every_model import GATED, MECHANISMS, MODELS, built, made, target_of
from tests.support.second_device import NAME, OTHERS, without_doubles
from tests.support.torch_toys import WORDS, texts

FEW = [3, 1, 4]  # words of the texts
ON = [name for name in MODELS if name != "black box"]
EVERY = [(name, method) for name in ON for method in sorted(GATED & MODELS[name][0])]
FULL, SECOND = "two bilstms max", "text cnn"  # with every method, and with every one of ONE_EACH
LIKE = {  # others have the same parts
    "one output",
    "regression",
    "multi-label",
    "probabilities",
    "lstm",
    "bending bag",
    "gru with a bent head",
}
ONE_EACH = ("lime", "soc", "integrated-gradients", "deeplift", "lrp", "reat", "contextual-decomposition")


def in_turn() -> list[tuple[str, str]]:
    """Further models, each with two mechanisms: those tried least so far, of equals the one that fewer models have."""
    pairs = [(SECOND, method) for method in ONE_EACH]
    tried = Counter(method for method in ONE_EACH if method in MODELS[SECOND][0])
    further = [name for name in ON if name not in {FULL, SECOND, *LIKE}]
    common = Counter(method for name in further for method in MODELS[name][0])
    for name in further:
        able = [method for method in ONE_EACH if method in MODELS[name][0]]
        for method in sorted(able, key=lambda method: (tried[method], common[method]))[:2]:
            pairs.append((name, method))
            tried[method] += 1
    return pairs


PAIRS = [
    (name, method, device)
    for device in OTHERS
    for name, method in EVERY
    if device != NAME or name == FULL or (name, method) in in_turn()
]


def moved(device: str | torch.dtype, build: Callable[[], Classifier]) -> Classifier:
    """A model that is built as ever, but that its module stands there, or is of that type, before it is wrapped."""
    with pytest.MonkeyPatch.context() as patch:
        for place, name in ((every_model, "wrap"), (torch_toys, "wrap"), (hf_wrapping, "wrap_huggingface")):
            patch.setattr(place, name, _moving(getattr(place, name), device))
        return build()


def _moving(wrapping: Callable[..., Classifier], device: str | torch.dtype) -> Callable[..., Classifier]:
    return lambda module, *given, **named: wrapping(module.to(device), *given, **named)


here = built
there = lru_cache(None)(lambda name, device: moved(device, MODELS[name][1]))


@pytest.mark.parametrize(("name", "method", "device"), PAIRS)
def test_scores(name: str, method: str, device: str) -> None:
    one, other = here(name), there(name, device)
    assert next(other.module.parameters()).device.type == device
    assert methods(one) == methods(other)
    target = target_of(one, method)
    pairs = zip(*(explain(seen, texts(FEW, 1), made(method), target) for seen in (one, other)), strict=True)
    for first, second in pairs:
        np.testing.assert_allclose(second.scores, first.scores, rtol=0, atol=1e-9)
        np.testing.assert_allclose(second.gap, first.gap, rtol=0, atol=1e-9)
        assert second.prediction.label == first.prediction.label
        assert second.spans == first.spans


@pytest.mark.parametrize("device", OTHERS)
@pytest.mark.parametrize(("cell", "readout"), [("lstm", "max"), ("gru", "mean"), ("rnn", "last")])
def test_float32_where_recurrent_layers_round_more(cell: str, readout: str, device: str) -> None:
    """cuDNN's recurrent kernels round to TF32 unless told otherwise; the module is seen through all the same."""
    torch.manual_seed(0)
    plain = Wide(cell, readout).eval()
    seen = [wrap(copy.deepcopy(plain).to(where), vocabulary=WORDS, tokenizer=str.split) for where in ("cpu", device)]
    assert methods(seen[0]) == methods(seen[1])
    for method in sorted({"reat", "lrp", "contextual-decomposition"} & {card.name for card in methods(seen[0])}):
        one, other = (explain(model, "w1 w2 w3 w4 w1 w5", method, "all") for model in seen)
        size = np.abs(one.scores).max()
        np.testing.assert_allclose(other.scores, one.scores, rtol=0, atol=0.2 * size)
        np.testing.assert_allclose(other.gap, 0, atol=2e-5)


class Wide(nn.Module):
    """Units enough for the rounding of products to be seen."""

    def __init__(self, cell: str, readout: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 200)
        self.rnn = getattr(nn, cell.upper())(200, 150, 2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(300, 2)
        self.readout = readout
        with torch.no_grad():
            for weight in self.parameters():
                weight.mul_(2.5)

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        states, last = self.rnn(
            nn.utils.rnn.pack_padded_sequence(self.embedding(ids), lengths.cpu(), True, enforce_sorted=False)
        )
        last = last[0] if isinstance(last, tuple) else last
        states, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
        outside = torch.arange(states.shape[1], device=ids.device) >= lengths.to(ids.device)[:, None]
        if self.readout == "last":
            return self.out(torch.cat([last[-2], last[-1]], 1))
        if self.readout == "max":
            return self.out(states.masked_fill(outside[..., None], -2.0).max(1).values)
        return self.out(states.sum(1) / lengths.to(ids.device)[:, None])


def test_each_mechanism_is_tried_on_several_models_on_the_simulated_device() -> None:
    assert all(set(ONE_EACH) & set(methods) for methods in MECHANISMS.values())
    tried = [(name, method) for name, method, device in PAIRS if device == NAME]
    for method in ONE_EACH:
        assert sum(other == method for _, other in tried) >= 4
    for name in set(ON) - LIKE:
        assert sum(other == name for other, _ in tried) >= 2


def test_the_simulated_device_rounds_as_cudnn_does() -> None:
    where = torch.device(NAME)
    assert product_error(torch.device("cpu")) < 1e-6 < 3e-5 < product_error(where) < 1e-3
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        assert product_error(where) < 1e-6


def test_the_simulated_device_keeps_its_tensors_apart() -> None:
    """What goes wrong on a GPU goes wrong there."""
    value = torch.ones(2, 3, device=NAME)
    for wrong in (
        lambda: value + torch.ones(2, 3),
        lambda: torch.ones(2)[torch.tensor([0], device=NAME)],
        lambda: torch.cat([value, torch.ones(2, 3)]),
        lambda: torch.where(torch.ones(2, 3, dtype=torch.bool), value, value),
        lambda: torch.rand(2, device=NAME, generator=torch.Generator()),
        lambda: nn.utils.rnn.pack_padded_sequence(value[..., None], torch.tensor([3, 2], device=NAME), True),
    ):
        with pytest.raises(RuntimeError):
            wrong()
    with pytest.raises(TypeError, match="to numpy"):
        np.asarray(value)
    layer = nn.LSTM(3, 4).to(NAME).eval()
    with pytest.raises(RuntimeError, match="only be called in training mode"):
        layer(value)[0].sum().backward()
    layer.train()(value)[0].sum().backward()
    assert layer.weight_hh_l0.grad.device.type == NAME


PHRASES = "w1 w2 w3 w4 w5"
CALLS: dict[str, Callable[[Classifier], list[object]]] = {
    "spans": lambda seen: [explain(seen, PHRASES, "reat", "all", spans="all").scores],
    **{
        f"tree by {search}": lambda seen, search=search, more=more: [
            np.array([part.score for part in exegesis.hierarchy(seen, PHRASES, search, **more).parts])
        ]
        for search, more in {
            "acd": {},
            "hedge": {},
            "soc": {"samples": 2, "neighbours": 1, "language": every_model.writer()},
            "scd": {"samples": 2, "neighbours": 1, "language": every_model.writer()},
            "owen": {"tree": [(0, 2), (2, 5)]},
        }.items()
    },
    **{
        f"{kind} of pairs": lambda seen, kind=kind: [exegesis.interactions(seen, PHRASES, kind).values]
        for kind in ("shapley", "removal", "alone")
    },
    "relevance": lambda seen: list(exegesis.relevance(seen, PHRASES).states.values()),
    "evaluation": lambda seen: [
        exegesis.evaluate(
            seen, texts([5, 3, 4], 2), ["reat", "lrp"], how=["drop", "zero", "resample"], samples=50
        ).values
    ],
    "shuffled weights": lambda seen: [
        exegesis.randomisation(seen, texts([5, 3, 4], 2), ["reat", "gradient"], samples=50).values
    ],
}


@pytest.mark.parametrize("device", OTHERS)
@pytest.mark.parametrize("call", CALLS)
def test_everything_else(call: str, device: str) -> None:
    seen = (here("two bilstms max"), there("two bilstms max", device))
    for one, other in zip(*map(CALLS[call], seen), strict=True):
        np.testing.assert_allclose(np.asarray(other), np.asarray(one), rtol=0, atol=1e-9)


@pytest.mark.parametrize("device", OTHERS)
def test_training_there_is_resumed_to_the_same_bits(device: str, tmp_path: Path) -> None:
    """What a device draws is kept with the rest, and the trained model comes back to the CPU."""
    words = ["good", "bad", "film", "plot"]
    examples = [Example.of(f"{words[i % 2]} {words[2 + i % 3 % 2]}", "no" if i % 2 else "yes") for i in range(24)]
    config = RecurrentConfig(embedding=4, hidden=4, dropout=0.3, embedding_dropout=0.3)
    options = TrainOptions(epochs=3, batch=8, lr=0.05, device=device, word_dropout=0.2, average=0.5)

    def run(**more: object) -> TrainResult:
        given = {"config": config, "options": options, **more}
        return train(examples, examples[:8], **given)

    before = torch.get_rng_state()
    whole = run()
    run(options=replace(options, epochs=1), checkpoint=tmp_path / "c")
    resumed = run(checkpoint=tmp_path / "c", resume=True)
    assert torch.equal(before, torch.get_rng_state())
    for one, other in zip(*(found.model.module.state_dict().values() for found in (whole, resumed)), strict=True):
        assert one.device.type == "cpu"
        assert torch.equal(one, other)


@pytest.mark.parametrize("device", OTHERS)
def test_the_bundled_model_there(device: str) -> None:
    text = "The fight scenes are fun but it grows tedious"
    one, other = (explain(exegesis.load(device=where), text, "reat") for where in ("cpu", device))
    np.testing.assert_allclose(other.scores, one.scores, rtol=0, atol=5e-3)
    np.testing.assert_allclose(other.gap, 0, atol=1e-5)


SINGLE = {"two bilstms max", "text cnn", "transformer"}


@pytest.mark.parametrize("name", sorted(SINGLE))
def test_a_device_without_float64(name: str) -> None:
    """As Apple's: what needs float64 is computed on the CPU."""
    one = moved(torch.float32, MODELS[name][1])
    with without_doubles(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        other = moved(NAME, lambda: moved(torch.float32, MODELS[name][1]))
        chosen = set(ONE_EACH)
        for method in sorted(chosen & MODELS[name][0]):
            first, second = (explain(seen, PHRASES, made(method), target_of(seen, method)) for seen in (one, other))
            np.testing.assert_allclose(second.scores, first.scores, rtol=0, atol=1e-3, err_msg=method)
        if name == "two bilstms max":
            for call in ("spans", "tree by scd", "shapley of pairs", "relevance", "evaluation"):
                for first, second in zip(CALLS[call](one), CALLS[call](other), strict=True):
                    np.testing.assert_allclose(np.asarray(second), np.asarray(first), rtol=0, atol=1e-2)
