"""Gradients of single texts at once equal those taken one text at a time, for every kind of layer and layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.mech.curvature.passes import Passes
from exegesis.models.modules.wrap import wrap
from exegesis.nn.weights import weights_in
from exegesis.protocols.loss import loss, slope
from tests.reference import influence
from tests.support import torch_toys
from tests.support.torch_toys import WORDS, Shape

TEXTS = [*torch_toys.texts([5, 3, 4, 3, 7, 1]), "w1 w1 w2 w1"]  # rows that repeat


class Base(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 4, padding_idx=0)
        self.out = nn.Linear(4, 3)


class TimeFirst(Base):
    """Two recurrent layers that read time first, and a mean over real steps."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(4, 4, 2)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        states, _ = self.rnn(self.embedding(ids.t()))
        real = torch.arange(len(states), device=ids.device)[:, None] < lengths.to(ids.device)
        return self.out((states * real[..., None]).sum(0) / lengths.to(ids.device)[:, None])


class Cells(Base):
    """A cell called step by step; its table is also its output layer."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(4, 4)
        self.out = nn.Linear(4, len(WORDS), bias=False)
        self.out.weight = self.embedding.weight
        self.scale = nn.Parameter(torch.ones(4))
        self.few = nn.Linear(len(WORDS), 3)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        hidden = memory = self.embedding.weight.new_zeros(len(ids), 4)
        for step, vectors in enumerate(self.embedding(ids).unbind(1)):
            real = (step < lengths.to(ids.device))[:, None]
            new, kept = self.cell(vectors, (hidden, memory))
            hidden, memory = torch.where(real, new, hidden), torch.where(real, kept, memory)
        return self.few(self.out(hidden * self.scale))


class Convolved(Base):
    """Convolutions with padding, stride and holes, batch norm, and a maximum over time."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 5, 3, padding=1)
        self.norm = nn.BatchNorm1d(5)
        self.second = nn.Conv2d(1, 4, (2, 5), padding=(2, 0), dilation=(2, 1))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        vectors = self.embedding(ids) * mask[..., None]
        hidden = self.norm(self.first(vectors.transpose(1, 2))).relu() * mask[:, None]
        return self.out(self.second(hidden.transpose(1, 2)[:, None])[..., 0].sum(2))


class Attending(Base):
    """Positions that all texts share, torch's own attention, layer norm."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Embedding(16, 4)
        self.layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True, dropout=0.1)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)[None]
        states = self.layer(self.embedding(ids) + self.positions(places), src_key_padding_mask=~mask)
        return self.out((states * mask[..., None]).sum(1) / mask.sum(1)[:, None])


def wrapped(module: nn.Module, labels: int = 3) -> Any:
    drawn = torch.Generator().manual_seed(1)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=drawn, dtype=torch.float64)
    return wrap(module.double(), vocabulary=WORDS, labels=[str(n) for n in range(labels)])


def bert() -> Any:
    from tests.support import hf_toys

    module = hf_toys.bert(labels=3, layers=1).double()
    return wrap(module, tokenizer=hf_toys.wordpiece())


def gpt2() -> Any:
    from tests.support import hf_toys

    module = hf_toys.gpt2().double()
    return wrap(module, tokenizer=hf_toys.byte_bpe())


def packed(cell: str, **more: object) -> Callable[[], Any]:
    return lambda: torch_toys.model(Shape(cell, readout="attention", **more))


MODELS: dict[str, Callable[[], Any]] = {
    "packed lstm of two layers and directions": packed("lstm", layers=2, both=True),
    "gru without bias": packed("gru", bias=False, starts=True),
    "relu rnn": packed("relu"),
    "time first": lambda: wrapped(TimeFirst()),
    "cells and a tied table": lambda: wrapped(Cells()),
    "convolutions": lambda: wrapped(Convolved()),
    "attention": lambda: wrapped(Attending()),
    "bert": bert,
    "gpt2": gpt2,
}
SLOW = {"attention", "gru without bias"}  # some of their weights have no factors


@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_single_texts(name):
    if name in ("bert", "gpt2"):
        pytest.importorskip("transformers")
    model = MODELS[name]()
    texts = [model.read(text) for text in (TEXTS if name not in ("bert", "gpt2") else ["a film", "a word and a word",
             "some", "a fine plot , and more of them", "dull"])]  # fmt: skip
    gold = torch.arange(len(texts)).double() % len(model.labels)
    passes = Passes(model)
    for rows, batch in passes.batches(texts):
        cotangents = lambda raw, rows=rows: slope(raw, gold[rows], model.link)[None]  # noqa: E731
        outputs, factors = passes.factors(batch, cotangents)
        torch.testing.assert_close(outputs, model.outputs(batch))
        dense = factors.dense()[0]
        for at, row in enumerate(rows.tolist()):
            expected = one_at_a_time(model, texts[row], gold[row : row + 1])
            order = dict(model.module.named_parameters())
            assert list(order) == list(passes.layout.shapes)
            torch.testing.assert_close(dense[at], expected, rtol=1e-9, atol=1e-10)
        drawn = torch.randn(2, passes.layout.size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        torch.testing.assert_close(factors.times(drawn)[:, :, 0], drawn @ dense.t())
        weights = drawn[:, : len(batch), None]
        torch.testing.assert_close(factors.total(weights), weights[..., 0] @ dense)
        torch.testing.assert_close(factors.squares()[0], dense.square().sum(1))
    assert bool(passes.slow or factors.apart) == (name in SLOW)
    assert all(not weight.grad_fn and weight.grad is None for weight in model.module.parameters())


def one_at_a_time(model: Any, text: Any, gold: Tensor) -> Tensor:
    """The gradient of a text's loss by a plain call of the module and autograd."""
    alone = model.encode([text])
    with module_asleep(model.module):
        return influence.gradient(
            model.module, lambda: model_call(model, alone), lambda raw: loss(raw, gold, model.link)
        )


class module_asleep:
    """Evaluation mode with gradients, for the reference."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __enter__(self) -> None:
        self.training = self.module.training
        self.module.eval()

    def __exit__(self, *_: object) -> None:
        self.module.train(self.training)


def model_call(model: Any, batch: Any) -> Tensor:
    """The outputs of a module for a batch, with gradients to its own weights, by a plain call."""
    if hasattr(model, "plan"):
        answer = model.plan(model.module, batch)
        return answer[0] if isinstance(answer, tuple) else answer
    return model.module(batch.ids, attention_mask=batch.mask.long()).logits


def test_chosen_weights_and_errors():
    model = torch_toys.model(Shape("lstm"))
    whole, some = Passes(model), Passes(model, ["rnn.weight_hh_l0", "out"])
    assert list(some.layout.shapes) == ["rnn.weight_hh_l0", "out.weight", "out.bias"]
    texts = [model.read(text) for text in TEXTS]
    for (_, batch), _ in zip(whole.batches(texts), [0], strict=False):
        cotangents = lambda raw: torch.ones_like(raw)[None]  # noqa: E731
        _, every = whole.factors(batch, cotangents)
        _, few = some.factors(batch, cotangents)
        for name in some.layout.shapes:
            torch.testing.assert_close(few.each(name), every.each(name))
    with pytest.raises(UsageError, match=r"no weight of .* is named 'rn'"):
        Passes(model, ["rn"])
    with pytest.raises(UnsupportedError, match=r"type torch.float16.*model.float\(\)"):
        weights_in(nn.Linear(2, 2).half(), "m")
