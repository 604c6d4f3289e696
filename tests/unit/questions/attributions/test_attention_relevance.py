"""Gradient-weighted attention relevance against the module's own maps, and what is refused."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.errors import UnsupportedError
from exegesis.models.huggingface.wrap import wrap_huggingface
from tests.reference.attention_relevance import relevance
from tests.support.hf_architectures import small
from tests.support.hf_toys import UNTYPED, wordpiece
from tests.support.torch_toys import Shape, model

SHORT = "a fine film, isn't it?"


@functools.cache
def family(kind):
    return wrap_huggingface(small(kind).double(), wordpiece(inputs=UNTYPED), name=kind)


def by_hand(seen, text, label, implementation):
    """R by maps and gradients that the module itself returns."""
    seen.module.set_attn_implementation("eager")
    ids = torch.tensor([list(text.ids)])
    answer = seen.module(ids, attention_mask=torch.ones_like(ids), output_attentions=True)
    slopes = torch.autograd.grad(answer.logits[0, label], answer.attentions)
    seen.module.set_attn_implementation(implementation)
    return relevance([a[0].detach().numpy() for a in answer.attentions], [s[0].numpy() for s in slopes])


@pytest.mark.parametrize(("kind", "row"), [("bert", 0), ("gpt2", -1)])
def test_it_is_the_definition(kind, row):
    """In a batch, for every label, with attention of torch; [CLS] reads in an encoder, the last piece in a decoder."""
    seen = family(kind)
    for result in exegesis.explain(seen, ["good", SHORT], "attention-relevance", "all"):
        for label in range(3):
            R = by_hand(seen, result.text, label, "sdpa")[row]
            expected = [R[word.start : word.stop].sum() for word in result.text.words]
            np.testing.assert_allclose(result.scores[label], expected, rtol=0, atol=1e-10)
            assert (result.scores[label] >= 0).all()


def test_what_has_no_rule_is_refused():
    for seen, reason in ((family("bart"), "decoder"), (model(Shape("lstm")), "shows no attention")):
        with pytest.raises(UnsupportedError, match=rf"^attention-relevance needs a transformer model: [^\n]*{reason}"):
            exegesis.explain(seen, "w1 w2", "attention-relevance")
