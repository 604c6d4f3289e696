"""Recurrent layers whose class or hooks change what torch's own do: seen by their numbers, served without shortcuts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from exegesis.api import explain, predict
from exegesis.core.errors import UnsupportedError
from exegesis.models.modules.wrap import wrap

WORDS = ["<pad>", "<unk>", *(f"w{n}" for n in range(30))]
SIZE = 5
TEXT, LONG = "w1 w2 w3 w4", " ".join(f"w{n}" for n in range(1, 25))


class Gain(nn.LSTM):
    def forward(self, x, hx=None):
        states, last = super().forward(x, hx)
        return 2 * states, last


class Residual(nn.GRU):
    def forward(self, x, hx=None):
        states, last = super().forward(x, hx)
        return states + x, last


class SeldomClamped(nn.LSTM):
    """No state of a word comes near the clamp."""

    def forward(self, x, hx=None):
        states, last = super().forward(x, hx)
        return states.clamp(-0.9, 0.9), last


class Backwards(nn.RNN):
    def forward(self, x, hx=None):
        states, last = super().forward(x.flip(1), hx)
        return states.flip(1), last


class OwnStart(nn.GRU):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.start = nn.Parameter(torch.randn(1, 1, self.hidden_size))

    def forward(self, x, hx=None):
        return super().forward(x, self.start.expand(-1, len(x), -1).contiguous())


class OtherWeights(nn.LSTM):
    """Runs with other weights than those that its attributes name."""

    def forward(self, x, hx=None):
        self._flat_weights = [1.5 * getattr(self, name) for name in self._flat_weights_names]
        return super().forward(x, hx)


class StatesAlone(nn.LSTM):
    def forward(self, x, hx=None):
        return super().forward(x, hx)[0]


class LastAlone(nn.GRU):
    def forward(self, x, hx=None):
        return super().forward(x, hx)[0][:, -1:]


class Added(nn.LSTM):
    def forward(self, x, hx=None):
        states, last = super().forward(x, hx)
        return states[..., :SIZE] + states[..., SIZE:], last


class Packs(nn.LSTM):
    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        states, last = super().forward(packed)
        return pad_packed_sequence(states, batch_first=True)[0], last


class TurnsLast(nn.LSTM):
    def forward(self, x, hx=None):
        states, (hidden, cells) = super().forward(x, hx)
        return states, (hidden.transpose(0, 1), cells.transpose(0, 1))


class Reviews(nn.Module):
    def __init__(self, layer, read=lambda answer: answer[0][:, -1], width=SIZE):
        super().__init__()
        self.table, self.layer, self.read = nn.Embedding(len(WORDS), SIZE), layer, read
        self.out = nn.Linear(width, 2)

    def forward(self, x):
        more = ((x != 0).sum(1).cpu(),) if isinstance(self.layer, Packs) else ()
        return self.out(self.read(self.layer(self.table(x), *more)))


def layer(kind=nn.LSTM, **options):
    return kind(SIZE, SIZE, batch_first=True, **options)


def hooked(kind, hook):
    part = layer(kind)
    part.register_forward_hook(hook)
    return part


def wrapped(make):
    torch.manual_seed(3)
    module = make().double().eval()
    return module, wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["a", "b"])


def by_hand(module, text):
    """The effect of each word on the first logit, when it is left out."""
    ids = [WORDS.index(word) for word in text.split()]
    runs = [ids, *(ids[:n] + ids[n + 1 :] for n in range(len(ids)))]
    with torch.no_grad():
        whole, *rest = (float(module(torch.tensor([run]))[0, 0]) for run in runs)
    return [whole - value for value in rest]


CHANGED = {
    "a gain": lambda: Reviews(layer(Gain)),
    "a residual": lambda: Reviews(layer(Residual), lambda answer: answer[0].mean(1)),
    "a clamp far out": lambda: Reviews(layer(SeldomClamped)),
    "read backwards": lambda: Reviews(layer(Backwards), lambda answer: answer[0].max(1)[0]),
    "a first state of its own": lambda: Reviews(layer(OwnStart)),
    "other weights": lambda: Reviews(layer(OtherWeights)),
    "a hook": lambda: Reviews(hooked(nn.GRU, lambda _, given, answer: (2 * answer[0], answer[1]))),
    "written over": lambda: Reviews(layer(), lambda answer: answer[0].relu_().max(1)[0]),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_layer_is_served_without_its_steps(name):
    module, model = wrapped(CHANGED[name])
    assert "other states than torch makes" in model.lacks["Recurrent"]
    with pytest.raises(UnsupportedError, match="other states than torch makes"):
        explain(model, TEXT, "contextual-decomposition")
    np.testing.assert_allclose(explain(model, TEXT, "leave-one-out", 0).scores, by_hand(module, TEXT), atol=1e-12)
    if name == "a residual":
        found = explain(model, TEXT, "integrated-gradients", 0, tolerance=1e-7)
        assert abs(found.gap) < 1e-6


UNCHANGED = {
    "states alone": lambda: Reviews(layer(StatesAlone), lambda states: states.max(1)[0]),
    "a hook that drops the last state": lambda: Reviews(
        hooked(nn.LSTM, lambda _, given, answer: answer[0]), lambda states: states[:, -1]
    ),
    "a hook of training": lambda: Reviews(
        hooked(nn.GRU, lambda part, given, answer: (2 * answer[0], answer[1]) if part.training else None)
    ),
    "a weight norm": lambda: Reviews(parametrizations.weight_norm(layer(), "weight_hh_l0")),
    "packed inside": lambda: Reviews(layer(Packs, bidirectional=True), lambda answer: answer[0].max(1)[0], 2 * SIZE),
    "the last state turned": lambda: Reviews(
        layer(TurnsLast, bidirectional=True), lambda answer: answer[1][0].flatten(1), 2 * SIZE
    ),
}


@pytest.mark.parametrize("name", [name for name in UNCHANGED if name != "packed inside"])
def test_a_layer_that_steps_as_torch_does_is_decomposed(name):
    module, model = wrapped(UNCHANGED[name])
    assert model.lacks == {}
    assert abs(explain(model, TEXT, "reat", 0).gap) < 1e-10
    np.testing.assert_allclose(explain(model, TEXT, "leave-one-out", 0).scores, by_hand(module, TEXT), atol=1e-12)


ODD = {
    "packed inside": UNCHANGED["packed inside"],
    "the last state alone": lambda: Reviews(layer(LastAlone), lambda states: states[:, 0]),
    "directions added": lambda: Reviews(layer(Added, bidirectional=True), lambda answer: answer[0].max(1)[0]),
}


@pytest.mark.parametrize("name", ODD)
def test_a_layer_of_another_shape_is_served(name):
    module, model = wrapped(ODD[name])
    expected = module(torch.tensor([[3, 4, 5, 6]])).softmax(1)[0].tolist()
    np.testing.assert_allclose(list(predict(model, TEXT).values()), expected, atol=1e-12)
    np.testing.assert_allclose(explain(model, TEXT, "leave-one-out", 0).scores, by_hand(module, TEXT), atol=1e-12)


def test_a_clamp_behind_the_layer_shows_far_out():
    """The words' own states pass it unchanged, so on them alone the readout would be recognised."""
    _, model = wrapped(lambda: Reviews(layer(), lambda answer: answer[0][:, -1].clamp(-0.9, 0.9)))
    assert "not a last, first, mean" in model.lacks["Recurrent"]


def test_a_hook_that_waits_for_long_texts_is_seen_on_them():
    """No trial text is as long; every pass is tried again."""
    hook = lambda _, given, answer: (answer[0] * (3 if answer[0].shape[1] > 20 else 1), answer[1])  # noqa: E731
    module, model = wrapped(lambda: Reviews(hooked(nn.LSTM, hook)))
    assert abs(explain(model, TEXT, "reat", 0).gap) < 1e-10
    with pytest.raises(UnsupportedError, match="other states than torch makes"):
        explain(model, LONG, "reat")
    np.testing.assert_allclose(explain(model, LONG, "leave-one-out", 0).scores, by_hand(module, LONG), atol=1e-12)
    assert abs(explain(model, LONG, "lrp", 0).gap) < 1e-10


def test_logits_of_another_type_than_the_layer():
    """Layers of bfloat16 whose logits are cast: every method has one type to compute in."""

    class Cast(Reviews):
        def forward(self, x):
            return super().forward(x).float()

    torch.manual_seed(0)
    module = Cast(layer()).bfloat16().eval()
    model = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["a", "b"])
    for method in ("reat", "contextual-decomposition", "lrp", "integrated-gradients"):
        found = explain(model, TEXT, method, 0)
        assert abs(found.explained - module(torch.tensor([[3, 4, 5, 6]]))[0, 0].item()) < 1e-2
