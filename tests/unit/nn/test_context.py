"""Every public function computes in a context of its own: whatever the caller set in torch, the numbers stay."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import exegesis
import exegesis.api
import exegesis.study
import exegesis.testing
from exegesis.engine.methods import make
from exegesis.models.blackbox import BlackBox
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.language_models.bundled import ClozeLanguageModel
from exegesis.models.language_models.masked import MaskedLanguageModel
from exegesis.models.modules.adapter import TorchClassifier
from exegesis.models.trained import randomised, training
from exegesis.nn.context import callers_device, entry
from exegesis.protocols.target import ask

WORDS = ["<pad>", "<unk>", *(f"w{number}" for number in range(20))]
TEXT = "w5 w6 w7"
METHODS = ("deeplift", "lrp", "integrated-gradients", "lime", "shapley", "input-reduction")
WITHOUT_TORCH = {  # public functions that run no model: they look up, read, write or draw
    *("measures", "comparison", "levels", "read", "read_examples", "save", "default_tagger", "spacy_tagger"),
    *("read_synonyms", "as_model", "bar", "best", "bundled_folder", "candidates", "chosen", "each_chosen"),
    *("each_method", "preferred", "read_text", "refuse_best", "bag_of_words", "recurrent_model"),
    *("influence_methods", "lengths_of", "corpus", "card"),
}


class Convolution(nn.Module):
    """A convolution that makes tensors as it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(len(WORDS), 6)
        self.windows, self.output = nn.Conv1d(6, 8, 3, padding=1), nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        vectors = self.words(ids) * (1 + torch.arange(ids.shape[1], dtype=torch.float32)[:, None] / 10)
        outputs: Tensor = self.output(torch.relu(self.windows(vectors.transpose(1, 2))).amax(2))
        return outputs


class Doubling(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        return result * 2 if getattr(function, "__name__", "") == "relu" else result


class DoublingBelow(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        return result * 2 if "relu" in str(function) else result


@contextmanager
def held(change: Callable[[Any], object], now: Callable[[], Any], value: Any) -> Iterator[None]:
    before = now()
    change(value)
    try:
        yield
    finally:
        change(before)


CONTEXTS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "inference mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "gradients off": lambda: held(torch.set_grad_enabled, torch.is_grad_enabled, False),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "double": lambda: held(torch.set_default_dtype, torch.get_default_dtype, torch.float64),
    "half": lambda: held(torch.set_default_dtype, torch.get_default_dtype, torch.float16),
    "device": lambda: torch.device("meta"),
    "default device": lambda: held(torch.set_default_device, lambda: None, "meta"),
    "deterministic": lambda: held(torch.use_deterministic_algorithms, torch.are_deterministic_algorithms_enabled, True),
    "saved tensors": lambda: torch.autograd.graph.saved_tensors_hooks(lambda saved: saved * 2, lambda saved: saved),
    "a function mode": Doubling,
    "a dispatch mode": DoublingBelow,
    "fake tensors": FakeTensorMode,
    "forward derivatives": forward_ad.dual_level,
    "functions not overridden": torch._C.DisableTorchFunction,
}


@pytest.fixture(scope="module")
def module() -> Convolution:
    torch.manual_seed(0)
    return Convolution()


@pytest.fixture(scope="module")
def right(module: Convolution) -> dict[str, np.ndarray]:
    model = exegesis.wrap(module, vocabulary=WORDS, labels=["a", "b", "c"])
    return {name: np.array(exegesis.explain(model, TEXT, name).scores) for name in METHODS}


def state() -> list[object]:
    """What torch keeps for this thread, and for the process."""
    return [
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_default_dtype(),
        torch.are_deterministic_algorithms_enabled(),
        torch._C._len_torch_function_stack(),
        torch._C._len_torch_dispatch_stack(),
        torch._C._autograd._top_saved_tensors_default_hooks(True),
        torch._C._is_fwd_grad_enabled(),
        torch._C._is_torch_function_all_disabled(),
    ]


@pytest.mark.parametrize("name", CONTEXTS)
def test_scores_are_the_same_in_every_context_and_the_context_is_left(
    name: str, module: Convolution, right: dict[str, np.ndarray]
) -> None:
    with CONTEXTS[name]():
        before = state()
        model = exegesis.wrap(module, vocabulary=WORDS, labels=["a", "b", "c"])
        scores = {method: np.array(exegesis.explain(model, TEXT, method).scores) for method in METHODS}
        chances = exegesis.predict(model, TEXT)
        with pytest.raises(exegesis.UsageError):
            exegesis.explain(model, TEXT, "lrp", target="none")
        assert state() == before
    assert isinstance(model, TorchClassifier)
    assert set(model.lacks) == {"Recurrent", "Gated"}
    for method in METHODS:
        np.testing.assert_allclose(scores[method], right[method], rtol=1e-5, atol=1e-6, err_msg=method)
    assert sum(chances.values()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", ["inference mode", "autocast", "device", "a function mode", "fake tensors"])
def test_the_abilities_of_a_model_are_the_same_in_every_context(name: str, module: Convolution) -> None:
    model = exegesis.wrap(module, vocabulary=WORDS, labels=["a", "b", "c"])
    batch = model.encode([model.read(TEXT)])
    expected = model.outputs(batch)
    with CONTEXTS[name]():
        batch = model.encode([model.read(TEXT)])
        found = [model.outputs(batch), model.outputs_from(model.embed(batch), batch)]
    for outputs in found:
        assert not outputs.is_inference()
        torch.testing.assert_close(outputs, expected)


def test_the_callers_gradients_stay_off_or_on_for_an_ability(module: Convolution) -> None:
    model = exegesis.wrap(module, vocabulary=WORDS, labels=["a", "b", "c"])
    batch = model.encode([model.read(TEXT)])
    vectors = model.embed(batch).requires_grad_(True)
    assert model.outputs_from(vectors, batch).requires_grad
    with torch.no_grad():
        assert not model.outputs_from(vectors, batch).requires_grad


def test_a_method_may_be_called_outside_a_public_function(module: Convolution, right: dict[str, np.ndarray]) -> None:
    model = exegesis.wrap(module, vocabulary=WORDS, labels=["a", "b", "c"])
    batch = model.encode([model.read(TEXT)])
    target = ask(None, model.labels, model.link).of(model.outputs(batch), model.link)
    scores = make("deeplift")(model, batch, target).values
    np.testing.assert_allclose(scores[0, 0].detach().numpy(), right["deeplift"], rtol=1e-5, atol=1e-6)


def test_every_public_function_is_an_entry() -> None:
    """A new public function computes in its own context, or stands among those that run no model."""
    homes: list[Any] = [exegesis, exegesis.api, exegesis.study, exegesis.testing]
    named = {name: getattr(home, name) for home in homes for name in home.__all__}
    found = {name: value for name, value in named.items() if callable(value) and not inspect.isclass(value)}
    parts: list[Any] = [exegesis.api.Plan, exegesis.api.Growth]
    found |= {f"{part.__name__}.{name}": getattr(part, name) for part in parts for name in ("of", "explain")}
    found |= {"train": training.train, "trained_on_shuffled": randomised.trained_on_shuffled}
    outside = {name for name, value in found.items() if not getattr(value, "is_entry", False)}
    assert outside == WITHOUT_TORCH
    within = [value for name, value in found.items() if name not in outside]
    assert not any(inspect.isgeneratorfunction(inspect.unwrap(value)) for value in within)  # their body runs later


def test_every_ability_of_a_model_is_an_entry() -> None:
    running = ("encode", "outputs", "embed", "outputs_from", "unroll", "sample")
    models = (TorchClassifier, HuggingFaceClassifier, BlackBox, ClozeLanguageModel, MaskedLanguageModel)
    members = [(model, name) for model in models for name in running if hasattr(model, name)]
    assert len(members) == 13
    assert [pair for pair in members if not getattr(getattr(*pair), "is_entry", False)] == []


def test_a_module_made_in_inference_mode_has_no_gradients_and_says_so() -> None:
    with torch.inference_mode():
        torch.manual_seed(0)
        made = Convolution()
    model = exegesis.wrap(made, vocabulary=WORDS, labels=["a", "b", "c"])
    assert np.isfinite(exegesis.explain(model, TEXT, "leave-one-out").scores).all()
    with pytest.raises(exegesis.UnsupportedError, match=r"made inside torch\.inference_mode"):
        exegesis.explain(model, TEXT, "deeplift")
    assert all(weight.requires_grad for weight in made.parameters())
    texts = [TEXT, "w1 w2 w3"]
    assert exegesis.randomisation(model, texts, ["leave-one-out"], samples=10).texts
    assert made.output.weight.is_inference()


def test_anomaly_detection_makes_a_gradient_that_is_no_number_one_line() -> None:
    @entry
    def wrong() -> None:
        root = torch.zeros(1, requires_grad=True)
        (root.sqrt() * 0).sum().backward()

    wrong()
    noted = pytest.warns(UserWarning, match="Error detected")
    refused = pytest.raises(exegesis.ModelError, match="anomaly detection forbids")
    watched = held(torch.autograd.set_detect_anomaly, torch.is_anomaly_enabled, True)
    with noted, watched, refused:
        wrong()


def test_the_callers_own_code_keeps_the_callers_device() -> None:
    @entry
    def kept(module: nn.Module | None) -> tuple[torch.device, torch.device]:
        outside = torch.empty(1).device
        with callers_device(module):
            return outside, torch.empty(1).device

    elsewhere = nn.Linear(1, 1, device="meta")
    with torch.device("cpu"):
        assert kept(None) == (torch.device("cpu"), torch.device("cpu"))
    with torch.device("meta"):
        assert kept(nn.Linear(1, 1, device="cpu"))[1] == torch.device("cpu")
        assert kept(elsewhere) == (torch.device("cpu"), torch.device("cpu"))
