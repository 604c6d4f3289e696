"""Gradients that are not the slope of the outputs: refused, whatever hides them; slopes at kinks are no excuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import exegesis
from exegesis.core.errors import UnsupportedError
from exegesis.models.modules.wrap import wrap
from exegesis.models.slopes import NO_SLOPE, has_slope
from exegesis.protocols.model import Differentiable, offers
from tests.support.hf_toys import bert, wordpiece

WORDS = ["<pad>", "<unk>", *(f"w{i}" for i in range(18))]
TEXTS = ["w1 w2 w3 w2", "w5"]


class Clamp(torch.autograd.Function):
    """A rounding whose backward pass says that there is none."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.round()

    @staticmethod
    def backward(ctx: Any, *given: Any) -> Any:
        return given[0]


class Net(nn.Module):
    """A GRU over word vectors, with a step of one's own between them."""

    def __init__(self, between: Callable[[Any], Any] = lambda e: e, pool: str = "last") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.rnn = nn.Embedding(len(WORDS), 6), nn.GRU(6, 5, batch_first=True)
        self.out, self.between, self.pool = nn.Linear(5, 3), between, pool

    def forward(self, x: Any) -> Any:
        vectors = self.between(self.embedding(x))
        if self.pool == "largest":
            return self.out(vectors.max(1).values[:, :5])
        if self.pool == "some":
            return self.out(vectors.topk(min(2, x.shape[1]), 1).values.mean(1)[:, :5])
        return self.out(self.rnn(vectors)[0][:, -1])


def half_held(e: Any) -> Any:
    return 0.8 * e + 0.2 * e.detach()


def tripled(net: Net) -> None:
    net.rnn.register_full_backward_hook(lambda _, given, __: tuple(None if g is None else 3 * g for g in given))


def lighter_for_a_call(net: Net) -> None:
    """Weights that a hook changes, and puts back before the backward pass reads them."""
    kept: list[Any] = []

    def before(part: Any, _: Any) -> None:
        kept.append(part.weight_hh_l0.data.clone())
        part.weight_hh_l0.data.mul_(0.2)

    def after(part: Any, *_: Any) -> None:
        part.weight_hh_l0.data.copy_(kept.pop())

    net.rnn.register_forward_pre_hook(before)
    net.rnn.register_forward_hook(after)


NOT: dict[str, Callable[[], Net]] = {
    "a detach": lambda: Net(half_held),
    "a function with a backward pass of its own": lambda: Net(Clamp.apply),
    "a hook on the backward pass": lambda: hung(tripled),
    "weights that change during a call": lambda: hung(lighter_for_a_call),
}


def hung(hang: Callable[[Net], None]) -> Net:
    net = Net()
    hang(net)
    return net


@pytest.mark.parametrize("double", [True, False], ids=["double", "single"])
@pytest.mark.parametrize("name", NOT)
def test_gradients_that_are_no_slopes_are_refused(name: str, double: bool) -> None:
    net = NOT[name]()
    model = wrap(net.double() if double else net, vocabulary=WORDS, labels=["a", "b", "c"])
    assert model.lacks["Differentiable"] == NO_SLOPE
    with pytest.raises(
        UnsupportedError, match=r"^integrated-gradients needs a differentiable model: its gradient is not "
    ):
        exegesis.explain(model, TEXTS, "integrated-gradients")
    assert len(exegesis.explain(model, TEXTS, "leave-one-out")) == 2


@pytest.mark.parametrize("double", [True, False], ids=["double", "single"])
@pytest.mark.parametrize("pool", ["last", "largest", "some"])
def test_kinks_are_slopes_nearly_everywhere(pool: str, double: bool) -> None:
    """A word that stands twice is a tie of a maximum; its gradient goes to one of the two."""
    net = Net(pool=pool)
    model = wrap(net.double() if double else net, vocabulary=WORDS, labels=["a", "b", "c"])
    assert offers(model, Differentiable)
    assert has_slope(model, model.module, model.encode([model.read(text) for text in TEXTS]))


def test_a_module_that_computes_in_bfloat16_by_itself_is_no_rougher_than_that() -> None:
    class Cast(Net):
        def forward(self, x: Any) -> Any:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return super().forward(x).float()

    model = wrap(Cast(), vocabulary=WORDS, labels=["a", "b", "c"])
    assert offers(model, Differentiable)


def test_a_hugging_face_module_with_a_hook() -> None:
    module = bert(2)
    module.classifier.register_full_backward_hook(lambda _, given, __: tuple(30 * g for g in given))  # type: ignore
    model = exegesis.wrap(module, tokenizer=wordpiece())
    assert model.lacks["Differentiable"] == NO_SLOPE
