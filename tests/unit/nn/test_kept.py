"""Modules that keep values on themselves: every call begins with what was there at rest, and leaves what it found."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import exegesis
from exegesis.core.errors import ModelError
from exegesis.models.modules.wrap import wrap
from exegesis.nn.kept import SMALL, Watch

WORDS = ["<pad>", "<unk>", *(f"w{i}" for i in range(30))]
TEXTS = ["w5 w6 w7 w8", "w1 w2", "w3 w9 w4 w4"]


class Box:
    """A user's own object on a module."""

    def __init__(self):
        self.state = {"mean": torch.zeros(6, dtype=torch.float64)}


class Keeps(nn.Module):
    """Adds something of the texts before to its word vectors."""

    def __init__(self, start, step):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.out = nn.Embedding(len(WORDS), 6), nn.Linear(6, 3)
        self.step = step
        start(self)

    def forward(self, x):
        vectors = self.embedding(x)
        return self.out(torch.tanh(vectors + self.step(self, vectors.detach().mean((0, 1)))).sum(1))


def counted(module, mean):
    module.calls += 1
    return 0.1 * module.calls


def listed(module, mean):
    before = sum(module.seen)
    module.seen.append(mean)
    return before


def in_a_dict(module, mean):
    before = module.store["state"]["mean"]
    module.store["state"]["mean"] = before * 0.5 + mean
    return before


def in_an_object(module, mean):
    before = module.box.state["mean"].clone()
    module.box.state["mean"] += mean
    return before


def in_a_buffer(module, mean):
    before = module.memory.clone()
    module.memory.mul_(0.5).add_(mean)
    return before


def in_a_weight(module, mean):
    before = module.memory.data.clone()
    module.memory.data.mul_(0.5).add_(mean)
    return before


def in_an_array(module, mean):
    before = torch.from_numpy(module.memory.copy())
    module.memory += mean.numpy()
    return before


def made_by_the_first_call(module, mean):
    before = getattr(module, "before", torch.zeros(()))
    module.before = mean
    return before


def for_as_many_texts(module, mean):
    return 0.0


def buffer(module):
    module.register_buffer("memory", torch.full((6,), 0.3, dtype=torch.float64))


CASES = {
    "a counter": (lambda m: setattr(m, "calls", 0), counted),
    "a list": (lambda m: setattr(m, "seen", []), listed),
    "a dict in a dict": (lambda m: setattr(m, "store", {"state": Box().state}), in_a_dict),
    "an object": (lambda m: setattr(m, "box", Box()), in_an_object),
    "a buffer": (buffer, in_a_buffer),
    "a weight": (lambda m: setattr(m, "memory", nn.Parameter(torch.zeros(6), requires_grad=False)), in_a_weight),
    "an array": (lambda m: setattr(m, "memory", np.zeros(6)), in_an_array),
    "nothing at first": (lambda m: None, made_by_the_first_call),
}


def found(module: nn.Module) -> dict:
    """What a user finds on a module: the objects, and what they hold."""
    parts = {**vars(module), **module._buffers, **module._parameters}
    skipped = ("_modules", "_parameters", "_buffers", "step")
    return {
        name: (id(value), repr(vars(value) if isinstance(value, Box) else value))
        for name, value in parts.items()
        if name not in skipped
    }


@pytest.mark.parametrize("name", CASES)
def test_every_text_begins_with_what_was_there_at_rest(name):
    module = Keeps(*CASES[name]).double()
    fresh = copy.deepcopy(module).eval()
    before = found(module)
    model = wrap(module, vocabulary=WORDS, labels=["a", "b", "c"])

    def logits(words):
        with torch.no_grad():
            return copy.deepcopy(fresh)(torch.tensor([[WORDS.index(word) for word in words]]))[0].numpy()

    def check():
        for method in ("leave-one-out", "gradient"):
            for text, one in zip(TEXTS, exegesis.explain(model, TEXTS, method, "all"), strict=True):
                alone = exegesis.explain(model, text, method, "all")
                words = text.split()
                np.testing.assert_allclose(one.explained, logits(words), rtol=0, atol=1e-12)
                np.testing.assert_allclose(one.scores, alone.scores, rtol=0, atol=1e-12)
                if method == "leave-one-out":
                    drops = [logits(words) - logits(words[:at] + words[at + 1 :]) for at in range(len(words))]
                    np.testing.assert_allclose(one.scores, np.transpose(drops), rtol=0, atol=1e-12)

    check()
    assert found(module) == before
    with torch.no_grad():  # the user looks at other texts
        module(torch.tensor([[9, 10, 11, 12, 13]]))
        module(torch.tensor([[9, 10], [2, 3], [4, 5]]))
    between = found(module)
    assert between != before
    check()
    assert found(module) == between


@pytest.mark.parametrize("rows", [1, 4])
def test_a_state_left_by_so_many_texts(rows):
    """The state of the last batch before wrapping fits batches of that size alone."""

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.embedding, self.rnn = nn.Embedding(len(WORDS), 6), nn.GRU(6, 5, batch_first=True)
            self.out, self.state = nn.Linear(5, 3), None

        def forward(self, x):
            if self.state is not None and self.state.shape[1] != len(x):
                self.state = None
            states, state = self.rnn(self.embedding(x), self.state)
            self.state = state.detach()
            return self.out(states[:, -1])

    module = Recurrent().double().eval()
    module(torch.randint(2, 20, (rows, 5)))
    left = module.state
    model = wrap(module, vocabulary=WORDS, labels=["a", "b", "c"])
    for many in ([*TEXTS, "w9 w8 w7 w6"] * 3, ["w1 w2 w3", "w4 w5 w6", "w7 w8 w9", "w2 w4 w6"]):
        together = exegesis.explain(model, many, "leave-one-out", "all")
        for text, one in zip(many, together, strict=True):
            alone = exegesis.explain(model, text, "leave-one-out", "all")
            np.testing.assert_allclose(one.explained, alone.explained, rtol=0, atol=1e-12)
            np.testing.assert_allclose(one.scores, alone.scores, rtol=0, atol=1e-12)
    assert module.state is left


def test_what_cannot_be_begun_anew_is_refused():
    outside = []

    def start(module):
        pass

    def elsewhere(module, mean):
        outside.append(mean)
        return sum(outside)

    with pytest.raises(ModelError, match=r"^the module gives the same text other outputs each time[^\n]*$"):
        wrap(Keeps(start, elsewhere).double(), vocabulary=WORDS, labels=["a", "b", "c"])
    module = nn.Linear(SMALL + 1, 1)
    with pytest.raises(ModelError, match=r"^the module writes into its weights as it runs \(weight\)[^\n]*$"):
        Watch(module).run(lambda: module.weight.data.requires_grad_(False) is nn.init.zeros_(module.weight))


def test_large_values_are_not_compared_one_by_one():
    module = nn.Module()
    module.register_buffer("memory", torch.zeros(SMALL + 1))
    module.vocabulary = {str(number): number for number in range(20_000)}
    watch = Watch(module)
    watch.run(lambda: None)
    assert not watch.kept.values
    held = module.memory
    watch.run(lambda: module.memory.add_(1))
    assert list(watch.kept.values) == [("", "memory")]
    assert module.memory is held
    assert not bool(held.any())


def test_a_part_that_is_another_during_a_call():
    """Parts that a call puts in the place of others hold nothing at rest."""

    class Swaps(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.kind = nn.Sequential(nn.Identity(), nn.ReLU()), "two parts"

        def forward(self, x):
            self.inner, self.kind = nn.Sequential(nn.Sequential(nn.Linear(3, 3)), nn.Sequential(nn.Tanh())), "others"
            return self.inner(x)

    module = Swaps()
    watch = Watch(module)
    for _ in range(2):
        watch.run(lambda: module(torch.zeros(1, 3)))
    assert list(watch.kept.values) == [("", "kind")]
    assert module.kind == "two parts"
    assert isinstance(module.inner[1], nn.ReLU)
