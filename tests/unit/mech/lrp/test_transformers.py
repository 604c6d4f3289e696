"""LRP through transformers: every rule against its definition, the account on every family, what is refused."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
import transformers
from torch import nn

import exegesis
from exegesis.core.errors import UnsupportedError
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.questions.attributions.lrp import Lrp
from tests.reference import attnlrp
from tests.reference.cells import plain
from tests.support.hf_architectures import small
from tests.support.hf_toys import UNTYPED, drawn, wordpiece
from tests.support.plain_models import Plain
from tests.support.text_cnns import made
from tests.support.torch_toys import WORDS, texts

ATTENTION = ("propagated", "constant")
SHORT = "a fine film, isn't it?"
FAMILIES = (
    "bert", "distilbert", "roberta", "xlm-roberta", "electra", "albert", "deberta-v2", "mpnet", "modernbert", "gpt2",
    "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "t5", "bart",
)  # fmt: skip
SINGLE = {"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "modernbert"}  # parts of which compute in float32


@functools.cache
def family(kind):
    return wrap_huggingface(small(kind).double(), wordpiece(inputs=UNTYPED), name=kind)


class Encoder(nn.Module):
    """A user's own encoder: positions, torch's layers, the mean over the words."""

    def __init__(self, layers=2, bias=True):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 12, activation="gelu", batch_first=True, bias=bias)
        self.embedding, self.place = nn.Embedding(len(WORDS), 8), nn.Embedding(12, 8)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.out = nn.Linear(8, 3, bias=bias)

    def run(self, vectors, mask):
        placed = vectors + self.place(torch.arange(vectors.shape[1]))
        states = self.encoder(placed, src_key_padding_mask=~mask)
        return self.out((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


def weights_of(layer):
    attend = layer.self_attn
    parts = {
        "in_w": attend.in_proj_weight, "in_b": attend.in_proj_bias, "out_w": attend.out_proj.weight,
        "out_b": attend.out_proj.bias, "l1_w": layer.linear1.weight, "l1_b": layer.linear1.bias,
        "l2_w": layer.linear2.weight, "l2_b": layer.linear2.bias, "n1_w": layer.norm1.weight,
        "n1_b": layer.norm1.bias, "n2_w": layer.norm2.weight, "n2_b": layer.norm2.bias,
    }  # fmt: skip
    return {name: plain(part) for name, part in parts.items()}


@pytest.mark.parametrize("attention", ATTENTION)
def test_an_encoder_of_torch_is_the_definition(attention):
    """Words, positions, biases and what softmax absorbs, number by number; batched as alone."""
    module = made(Encoder(), 1)
    for result in exegesis.explain(Plain(module, alone=True), texts([4, 6]), Lrp(attention=attention), "all"):
        vectors = plain(module.embedding.weight)[list(result.text.ids)]
        places = plain(module.place.weight)[: len(vectors)]
        states, backs = vectors + places, []
        for layer in module.encoder.layers:
            states, back = attnlrp.encoder_layer(states, weights_of(layer), 2)
            backs.append(back)
        pooled = states.mean(0, keepdims=True)
        W, b = plain(module.out.weight), plain(module.out.bias)
        for label in range(3):
            rule, R = attnlrp.AttnLrp(attention == "propagated"), np.zeros((1, 3))
            R[0, label] = (pooled @ W.T + b)[0, label]
            np.testing.assert_allclose(result.explained[label], R[0, label], atol=1e-12)
            R = states / len(states) / pooled * rule.linear(pooled, W, b, R)
            for back in reversed(backs):
                R = back(rule, R)
            words, kept = rule.total([vectors, places], R)
            rule.keep("positions", kept.sum())
            np.testing.assert_allclose(result.scores[label], words.sum(1), rtol=0, atol=1e-9)
            for name in ("biases", "positions", "absorbed by softmax"):
                found = result.account[name][label] if name in result.account else 0.0
                np.testing.assert_allclose(found, rule.account.get(name, 0.0), rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("attention", ATTENTION)
def test_a_llama_is_the_definition(attention):
    """Grouped queries, rotary positions, RMS norms and a gated map; a padded batch, and alone."""
    model = family("llama")
    module, config = model.module, model.module.config
    assert config.num_key_value_heads == 2
    asked = (["good", SHORT], [SHORT])
    for result in (one for some in asked for one in exegesis.explain(model, some, Lrp(attention=attention), target=1)):
        x = plain(module.model.embed_tokens.weight)[list(result.text.ids)]
        backs, states = [], x
        for layer in module.model.layers:
            w = {name: plain(getattr(layer.self_attn, f"{name}_proj").weight) for name in "qkvo"}
            w |= {name: plain(getattr(layer.mlp, f"{name}_proj").weight) for name in ("gate", "up", "down")}
            w |= {"n1": plain(layer.input_layernorm.weight), "n2": plain(layer.post_attention_layernorm.weight)}
            states, back = attnlrp.decoder_layer(states, w, 2, 2, config.rms_norm_eps, 10000.0)
            backs.append(back)
        W = plain(module.score.weight)
        last = attnlrp.rms(states, plain(module.model.norm.weight), config.rms_norm_eps)[-1:]
        rule, R = attnlrp.AttnLrp(attention == "propagated"), np.zeros((len(x), 3))
        R[-1, 1] = (last @ W.T)[0, 1]
        top = np.zeros_like(x)
        top[-1:] = rule.linear(last, W, 0.0, R[-1:])
        R = top
        for back in reversed(backs):
            R = back(rule, R)
        of_pieces = R.sum(1)
        expected = [of_pieces[word.start : word.stop].sum() for word in result.text.words]
        np.testing.assert_allclose(result.scores, expected, rtol=0, atol=1e-6)
        kept = rule.account.get("absorbed by softmax", 0.0)
        np.testing.assert_allclose(result.account.get("absorbed by softmax", 0.0), kept, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_account_of_every_family_closes(kind):
    """In a batch of texts of several lengths, as alone; and by the constant rule the softmax absorbs nothing."""
    near = 1e-6 if kind in SINGLE else 1e-9
    model = family(kind)
    results = exegesis.explain(model, [SHORT, "good"], "lrp", target=0)
    assert any(abs(result.account["absorbed by softmax"]) > 1e-3 for result in results)
    held = exegesis.explain(model, [SHORT], Lrp(attention="constant"), target=0)
    alone = exegesis.explain(model, SHORT, "lrp", target=0)
    np.testing.assert_allclose(alone.scores, results[0].scores, rtol=0, atol=near)
    assert alone.account == pytest.approx(dict(results[0].account), abs=near)
    assert "absorbed by softmax" not in held[0].account
    for result in (*results, *held):
        assert abs(result.gap) <= near * max(1.0, abs(result.explained))
        assert "absorbed by epsilon" not in result.account
    names = set(results[0].account)
    assert ("positions" in names) == (kind not in SINGLE)
    assert ("segments" in names) == (kind in {"bert", "roberta", "xlm-roberta", "electra", "albert"})


@pytest.mark.parametrize("kind", ["bert", "llama", "t5"])
def test_attention_written_out_is_attention_of_torch(kind):
    """Eager and scaled_dot_product_attention, to 1e-9 (1e-6 where the written one computes its softmax in float32)."""
    model = family(kind)
    found = {}
    for name in ("eager", "sdpa"):
        model.module.set_attn_implementation(name)
        found[name] = exegesis.explain(model, SHORT, "lrp", target=0)
    one, other = found.values()
    np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-6 if kind == "llama" else 1e-9)
    assert one.account == pytest.approx(dict(other.account), abs=1e-6 if kind == "llama" else 1e-9)


def test_nothing_comes_from_behind_the_explained_place():
    """Under a causal mask the words after the one whose state is read receive exactly nothing."""
    model = family("gpt2")
    batch = model.encode([model.read(SHORT)])

    def third(module, args, output):
        output["last_hidden_state"] = output[0][:, 2:3].expand_as(output[0])

    handle = model.module.transformer.register_forward_hook(third)
    values, _, _ = Lrp().propagated(model, batch, torch.eye(3, dtype=torch.float64)[None, :1])
    handle.remove()
    assert bool((values[0, 0, 3:] == 0).all())
    assert bool((values[0, 0, :3] != 0).any())


class Composed(nn.Module):
    """Activations and norms written out, or of the library."""

    def __init__(self, written):
        super().__init__()
        self.embedding, self.out, self.written = nn.Embedding(len(WORDS), 4), nn.Linear(4, 3), written
        self.inner = nn.Linear(4, 4)

    def run(self, vectors, mask):
        x = self.inner(vectors)
        if self.written:
            mean = x.mean(-1, keepdim=True)
            x = (x - mean) / torch.sqrt((x - mean).pow(2).mean(-1, keepdim=True) + 1e-5)
            x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
            x = 0.5 * x * (1.0 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * torch.pow(x, 3.0))))
            x = x * torch.sigmoid(x)
        else:
            x = nn.functional.layer_norm(x, (4,))
            x = nn.functional.rms_norm(x, (4,), eps=1e-6)
            x = nn.functional.silu(nn.functional.gelu(x, approximate="tanh"))
        return self.out((x * mask[..., None]).sum(1))


def test_norms_and_activations_written_out_are_those_of_torch():
    """The ones in 1 + tanh and in a norm's root are no biases."""
    one, other = (Plain(made(Composed(written), 3), alone=True) for written in (True, False))
    for first, second in zip(*(exegesis.explain(m, texts([4, 2]), "lrp", "all") for m in (one, other)), strict=True):
        np.testing.assert_allclose(first.scores, second.scores, rtol=0, atol=1e-10)
        np.testing.assert_allclose(first.account["biases"], second.account["biases"], rtol=0, atol=1e-10)
        assert set(first.account) == set(second.account) == {"biases"}
        np.testing.assert_allclose(first.gap, 0, atol=1e-10)


class Linear(nn.Module):
    """One head of attention with constant weights, and linear maps: nothing bends."""

    def __init__(self):
        super().__init__()
        self.embedding, self.value = nn.Embedding(len(WORDS), 4), nn.Linear(4, 4, bias=False)
        self.out = nn.Linear(4, 3, bias=False)

    def run(self, vectors, mask):
        seen = torch.softmax(torch.arange(vectors.shape[1], dtype=torch.float64).masked_fill(~mask, -torch.inf), -1)
        return self.out(vectors[:, 0] + torch.bmm(seen[:, None], self.value(vectors))[:, 0])


def test_without_anything_that_bends_it_is_gradient_times_input_and_leave_one_out():
    seen = Plain(made(Linear(), 2), alone=True)
    ours, *others = (
        exegesis.explain(seen, "w1 w2 w3", method, "all")
        for method in (Lrp(0.0), "gradient-x-input", "leave-one-out:how=zero")
    )
    for other in others:
        np.testing.assert_allclose(ours.scores, other.scores, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.scores.sum(1), ours.explained, rtol=0, atol=1e-12)


class Hidden(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, slope):
        return 2 * slope


@pytest.mark.parametrize(
    "before", [lambda m, x: m.inner(x), lambda m, x: x + x, lambda m, x: x * 2, lambda m, x: x + 1]
)
def test_what_is_out_of_sight_is_refused_of_one_text_too(before):
    module = made(Composed(False), 3)
    module.run = lambda vectors, mask: module.out(before(module, Hidden.apply(nn.functional.silu(vectors))).mean(1))
    with pytest.raises(UnsupportedError, match="out of sight"):
        exegesis.explain(Plain(module, alone=True), "w1 w2", Lrp(0.0))


def test_layers_and_heads_hold_the_number():
    """Without biases, by the constant rule: every layer's output has all of it; heads have what their output has."""
    module = made(Encoder(bias=False), 2)
    seen = Plain(module, alone=True)
    found = exegesis.relevance(seen, "w1 w2 w3 w4", 1, attention="constant")
    for layer in ("layer 1", "layer 2"):
        assert found.states[layer].shape == (4, 8)
        np.testing.assert_allclose(found.states[layer].sum(), found.explained, rtol=1e-9)
    heads = [found.states[f"attention 1 head {head}"] for head in (1, 2)]
    assert heads[0].shape == (4, 4)
    own = [name for name in found.states if str(name).startswith("attention")]
    assert len(own) == 4
    model = family("bert")
    found = exegesis.relevance(model, SHORT, 0)
    pieces = len(found.text)
    assert found.states["attention 2 head 2"].shape == (pieces, pieces)
    assert found.states["layer 2"].shape == (pieces, 16)
    np.testing.assert_allclose(found.scores.sum(), exegesis.explain(model, SHORT, "lrp", target=0).scores.sum())


def test_a_transformer_in_single_precision_is_near():
    double = family("bert")
    single = wrap_huggingface(small("bert"), double.tokenizer, name="bert")
    one, two = (exegesis.explain(model, SHORT, "lrp", target=0) for model in (single, double))
    np.testing.assert_allclose(one.scores, two.scores, rtol=1e-3, atol=1e-5)


def test_the_model_is_left_as_it_was():
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=100, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    module = drawn(transformers.BertForSequenceClassification(config)).train()
    model = wrap_huggingface(module, wordpiece(), name="bert")
    weights = {name: value.clone() for name, value in module.state_dict().items()}
    exegesis.relevance(model, SHORT)
    assert module.training
    assert all(weight.requires_grad and weight.grad is None for weight in module.parameters())
    assert not any(part._forward_hooks for part in module.modules())
    assert all(torch.equal(weights[name], value) for name, value in module.state_dict().items())
