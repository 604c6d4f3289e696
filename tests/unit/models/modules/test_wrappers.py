"""Hugging Face models and modules inside wrappers: they keep labels, pairs and numbers if nothing else is changed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import exegesis
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.modules.adapter import TorchClassifier
from exegesis.models.modules.wrap import wrap
from tests.unit.nn.test_kept import WORDS

hf_toys = pytest.importorskip("tests.support.hf_toys")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler, of its own parts
PAIR = ("a fine film", "a film")


class Shards(nn.Module):
    """A wrapper that hands everything on."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)


class Adapted(nn.Module):
    """PEFT's shape: the model two parts deep, its attributes shown through."""

    def __init__(self, module):
        super().__init__()
        self.base_model = Shards(module)

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("base_model").module, name)

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        return self.base_model(input_ids, attention_mask=attention_mask, **kwargs)


class Cooled(Shards):
    """A wrapper that changes the numbers."""

    def forward(self, input_ids, attention_mask=None):
        return self.module(input_ids, attention_mask=attention_mask).logits / 2


AROUND = {
    "compiled": torch.compile,
    "parallel": nn.DataParallel,
    "shards": Shards,
    "adapted": Adapted,
    "compiled, parallel": lambda module: nn.DataParallel(torch.compile(module)),
    "adapted, compiled, parallel": lambda module: torch.compile(nn.DataParallel(Adapted(torch.compile(module)))),
}


@pytest.mark.parametrize("name", AROUND)
def test_a_hugging_face_model_keeps_what_is_its_own(name):
    tokenizer, inside = hf_toys.wordpiece(), hf_toys.bert()
    plain, model = wrap(inside, tokenizer=tokenizer), wrap(AROUND[name](inside), tokenizer=tokenizer)
    assert isinstance(model, HuggingFaceClassifier)
    assert model.module is inside
    assert model.labels == plain.labels
    one, other = (exegesis.explain(m, PAIR, "leave-one-out", "all") for m in (plain, model))
    np.testing.assert_array_equal(one.scores, other.scores)


def test_a_wrapper_that_changes_the_numbers_stays_a_module_of_the_users_own():
    tokenizer, inside = hf_toys.wordpiece(), hf_toys.bert()
    plain, model = wrap(inside, tokenizer=tokenizer), wrap(Cooled(inside), tokenizer=tokenizer)
    assert isinstance(model, TorchClassifier)
    one, other = (exegesis.explain(m, PAIR[0], "leave-one-out", "all") for m in (plain, model))
    np.testing.assert_allclose(other.scores, one.scores / 2, rtol=0, atol=1e-6)


def test_a_module_inside_torchs_wrappers_in_any_order():
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.out = nn.Embedding(len(WORDS), 4), nn.Linear(4, 3)

        def forward(self, x):
            return self.out(self.embedding(x).mean(1))

    inside = Bag()
    for around in (torch.compile(nn.DataParallel(inside)), nn.DataParallel(torch.compile(inside))):
        model = wrap(around, vocabulary=WORDS, labels=["a", "b", "c"])
        assert model.module is inside
        assert abs(exegesis.explain(model, "w1 w2", "lrp", 0).gap) < 1e-6


@pytest.mark.parametrize("kind", ["lora", "prompts"])
def test_peft(kind):
    """Prompts stand beside the model: what it computes with them is the wrapper's, and so is what is explained."""
    peft = pytest.importorskip("peft")
    tokenizer, inside = (
        (hf_toys.wordpiece(), hf_toys.bert()) if kind == "lora" else (hf_toys.byte_bpe(), hf_toys.roberta())
    )
    labels = wrap(inside, tokenizer=tokenizer).labels
    configs = {
        "lora": lambda: peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"], init_lora_weights=False),
        "prompts": lambda: peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=2),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        around = peft.get_peft_model(inside, configs[kind]()).eval()
        model = wrap(around, tokenizer=tokenizer)
        assert model.labels == labels
        batch = model.encode([model.read("a fine film")])
        with torch.no_grad():
            expected = around(batch.ids, attention_mask=batch.mask.long()).logits
        torch.testing.assert_close(model.outputs(batch), expected, rtol=0, atol=1e-5)
        assert (model.module is inside) == (kind == "lora")
        assert isinstance(model, HuggingFaceClassifier)
