"""The search for a way of calling a module: texts beside other texts, modules that write into what they receive."""

from __future__ import annotations

import copy
import logging

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import exegesis
from exegesis.core.errors import ModelError
from exegesis.models.modules.calls import plans, tried
from exegesis.models.modules.wrap import wrap

WORDS = ["<pad>", "<unk>", *(f"w{i}" for i in range(30))]
TEXTS = ["w1 w2 w3", "w5 w6 w7", "w8 w9 w10", "w4 w11"]


class Small(nn.Module):
    """Word vectors, a step of one's own on ids or vectors, and a linear layer."""

    def __init__(self, before=lambda x: x, between=lambda e: e):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.out = nn.Embedding(len(WORDS) + 1, 8), nn.Linear(8, 3)
        self.before, self.between = before, between

    def forward(self, x):
        return self.out(self.between(torch.tanh(self.embedding(self.before(x)))).amax(1))


def wrapped(module: nn.Module, labels=("a", "b", "c")):
    return wrap(module.double(), vocabulary=WORDS, labels=list(labels))


def by_hand(module: nn.Module, text: str) -> torch.Tensor:
    with torch.no_grad():
        return copy.deepcopy(module).eval()(torch.tensor([[WORDS.index(word) for word in text.split()]]))[0]


STATISTICS = {
    "the largest of all": lambda e: e / e.abs().max(),
    "the range of all": lambda e: (e - e.min()) / (e.max() - e.min()),
    "a norm over all dimensions": lambda e: functional.layer_norm(e, e.shape),
    "steps of the largest": lambda e: (e / e.abs().max() * 127).round() * e.abs().max() / 127,
    "the first text": lambda e: e - 0.001 * e[:1],
    "large calls": lambda e: e * (0.5 if len(e) > 100 else 1.0),
    "one text alone": lambda e: e,
}


@pytest.mark.parametrize("name", STATISTICS)
def test_every_text_has_the_outputs_that_it_has_alone(name, caplog):
    """What a module takes over the whole call shows beside other texts, not in a text beside itself."""
    module = Small(between=STATISTICS[name])
    with caplog.at_level(logging.WARNING, "exegesis.wrap"):
        model = wrapped(module)
    assert model.plan.rows == (0 if name == "one text alone" else 1)
    assert ("one text a call" in caplog.text) == (model.plan.rows == 1)
    found = model.outputs(model.encode([model.read(text) for text in TEXTS]))
    torch.testing.assert_close(found, torch.stack([by_hand(module, text) for text in TEXTS]), rtol=0, atol=1e-12)
    for method in ("leave-one-out", "gradient"):
        for text, result in zip(TEXTS, exegesis.explain(model, TEXTS, method, "all"), strict=True):
            alone = exegesis.explain(model, text, method, "all")
            np.testing.assert_allclose(result.scores, alone.scores, rtol=0, atol=1e-12, err_msg=method)


class Writes(Small):
    """Writes into everything that it receives."""

    def forward(self, x, lengths, mask):
        x += 1
        vectors = torch.tanh(self.embedding(x)).masked_fill(~mask[..., None], -9.0).amax(1)
        lengths.mul_(0)
        mask.logical_not_()
        x.zero_()
        return self.out(vectors)


@pytest.mark.parametrize("own", [False, True])
def test_a_module_may_write_into_what_it_receives(own):
    module = Writes().double()
    call = (lambda m, batch: m(batch.ids, batch.lengths, batch.mask)) if own else None
    model = wrap(module, vocabulary=WORDS, labels=["a", "b", "c"], call=call)

    def logits(words):
        ids = torch.tensor([[WORDS.index(word) for word in words]])
        return module(ids, torch.tensor([len(words)]), torch.ones_like(ids).bool())[0].detach().numpy()

    words = ["w5", "w6", "w7", "w8"]
    expected = [logits(words) - logits(words[:at] + words[at + 1 :]) for at in range(4)]
    result = exegesis.explain(model, " ".join(words), "leave-one-out", "all")
    np.testing.assert_allclose(result.scores, np.transpose(expected), rtol=0, atol=1e-12)
    np.testing.assert_allclose(exegesis.explain(model, " ".join(words), "shapley", 0).gap, 0, atol=1e-12)


class TimeFirst(nn.Module):
    """A transformer as torch makes it: ids time first, the mask of padding texts first."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(8, 2, 16)
        self.embedding, self.out = nn.Embedding(len(WORDS), 8), nn.Linear(8, 3)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, src, src_mask=None, src_key_padding_mask=None):
        states = self.encoder(self.embedding(src), mask=src_mask, src_key_padding_mask=src_key_padding_mask)
        return self.out(states[0])


class MaskedToo(TimeFirst):
    def forward(self, src, src_key_padding_mask=None):
        return super().forward(src, None, src_key_padding_mask)


@pytest.mark.parametrize("kind", [TimeFirst, MaskedToo])
def test_ids_time_first_with_masks_texts_first(kind):
    module = kind().double().eval()
    model = wrapped(module)
    assert (model.plan.form, model.plan.masks_turned, model.plan.pads) == ("columns", False, True)
    read = [model.read(text) for text in TEXTS]
    expected = torch.cat([module(torch.tensor([text.ids]).t()) for text in read])
    torch.testing.assert_close(model.outputs(model.encode(read)), expected.detach(), rtol=0, atol=1e-12)
    assert "integrated-gradients" in {card.name for card in exegesis.methods(model)}


def test_it_says_what_was_tried():
    class Never(Small):
        def forward(self, x):
            raise ValueError("no")

    with pytest.raises(ModelError, match=r"ValueError: no.*\(tried: ids \[b, t\], ids \[t, b\], one text's ids"):
        wrapped(Never())

    class Many(nn.Module):
        def forward(self, x, lengths, pad_mask=None): ...

    expected = "ids [b, t], ids [t, b]; lengths as cpu, device; pad_mask [b, t] or [t, b] as bool, int, float"
    assert tried(list(plans(Many(), None)[0])) == expected


def test_a_length_that_fits_by_chance_is_no_way_to_call():
    """Texts of as many pieces as a word vector has numbers would pass for vectors; the module's own fault is said."""

    class Turned(Small):
        def forward(self, x):
            return self.out(torch.tanh(self.embedding(x)).mean(1)).t()

    with pytest.raises(ModelError, match=r"^the module returns shape \[3, 1\] for 1 texts[^\n]*$"):
        wrapped(Turned())
