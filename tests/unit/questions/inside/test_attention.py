"""Attention: weights seen without a changed bit, slopes by differences, paths and blocks against plain versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import exegesis
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.mech.attending.blocks import zeroed
from exegesis.mech.attending.layout import layout_of, outputs_with, read
from exegesis.mech.attending.paths import flow, mixed, rollout
from exegesis.mech.attending.watch import Watch
from exegesis.questions.inside.maps import MAPS
from exegesis.results.internals.attention import AttentionMap, AttentionMaps
from tests.reference import attention as plain
from tests.support import matrix_samples
from tests.support.torch_toys import WORDS, texts

transformers = pytest.importorskip("transformers")
hf_toys = pytest.importorskip("tests.support.hf_toys")
TEXT = "a dull film, unbelievable acting"


def bert(kind: str) -> nn.Module:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=100, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
        attn_implementation=kind, initializer_range=0.4,
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config).double().eval()


class Encoder(nn.Module):
    """torch's own encoder, whose attention is nn.MultiheadAttention."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, 0.3, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.output = nn.Linear(8, 3)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self.encoder(self.embedding(ids), src_key_padding_mask=~mask)
        return self.output((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


class Pooled(nn.Module):
    """A recurrent model with attention of its own over time, of two hops: weights [t, b, hops]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 5)
        self.rnn = nn.LSTM(5, 4, bidirectional=True)
        self.score = nn.Linear(8, 2)
        self.output = nn.Linear(16, 3)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        states, _ = self.rnn(self.embedding(text))
        weights = torch.softmax(self.score(states), 0)
        return self.output(torch.einsum("tbr,tbh->brh", weights, states).flatten(1)).softmax(-1).log()


@pytest.fixture(scope="module")
def models() -> dict[str, object]:
    torch.manual_seed(1)
    own = {name: cls().double().eval() for name, cls in (("encoder", Encoder), ("pooled", Pooled))}
    tokenizer = hf_toys.wordpiece()
    return {
        **{kind: exegesis.wrap(bert(kind), tokenizer=tokenizer) for kind in ("sdpa", "eager")},
        **{name: exegesis.wrap(module, vocabulary=WORDS, labels=["a", "b", "c"]) for name, module in own.items()},
    }


def batch_of(model, name: str):
    return model.encode([model.read(texts([6])[0] if name in ("encoder", "pooled") else TEXT)])


@pytest.mark.parametrize("name", ["sdpa", "eager", "encoder", "pooled"])
def test_weights_are_seen_and_slopes_are_differences(models, name: str) -> None:
    model = models[name]
    batch = batch_of(model, name)
    before = model.outputs(batch)
    with Watch() as watch, torch.no_grad():
        seen = model.outputs(batch)
    assert watch.seen
    found = read(model, batch, lambda raw: raw[:, 0])
    near = 1e-14 if name == "encoder" else 0.0  # torch's fused layer gives way to the plain one
    assert float((seen - before).abs().max()) <= near
    assert torch.equal(model.outputs(batch), before)
    assert [tuple(weights.shape) for weights in found.weights] == {
        "sdpa": [(3, 12, 12)] * 2, "eager": [(3, 12, 12)] * 2, "encoder": [(2, 6, 6)] * 2, "pooled": [(2, 1, 6)],
    }[name] or name in ("sdpa", "eager")  # fmt: skip
    for number, (weights, by_scores) in enumerate(zip(found.weights, found.by_scores, strict=True)):
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights.sum(-1)), rtol=0, atol=1e-12)
        assert float(by_scores.sum(-1).abs().max()) < 1e-12  # a softmax does not see what is added to a row
        assert float(by_scores.abs().max()) > 1e-9
        cell = (weights.shape[0] - 1, weights.shape[1] - 1, 2)
        for slopes, step in ((found.by_weights, _weight), (found.by_scores, _score)):
            ends = []
            for sign in (1, -1):

                def change(place, rows, given, number=number, step=step, sign=sign, cell=cell):
                    return step(given, cell, sign * 1e-5) if place == number else None

                ends.append(outputs_with(model, batch, found.layout, change)[0, 0])
            assert float((ends[0] - ends[1]) / 2e-5) == pytest.approx(float(slopes[number][cell]), rel=1e-5, abs=1e-9)


def _weight(weights, cell, step):
    moved = weights.clone()
    moved[(0, *cell)] += step
    return moved


def _score(weights, cell, step):
    moved = weights.log()
    moved[(0, *cell)] += step
    return torch.softmax(moved, -1)


def test_kernels_give_the_weights_of_plain_code(models) -> None:
    pair = [read(models[name], batch_of(models[name], name), lambda raw: raw[:, 1]) for name in ("sdpa", "eager")]
    for one, other in zip(*(found.weights + found.by_weights + found.by_scores for found in pair), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_changed_weights_of_copies_reach_their_rows(models) -> None:
    """Uniform weights in one of three copies: the mean of the states there, nothing elsewhere."""
    for name in ("pooled", "encoder", "sdpa"):
        model = models[name]
        batch = batch_of(model, name)
        copies = batch.take(torch.zeros(3, dtype=torch.long))

        def uniform(place, rows, weights):
            changed = weights.clone()
            changed[[row for row in range(*rows.indices(3)) if row == 1]] = 1.0 / weights.shape[-1]
            return changed

        layout = layout_of(model, batch)
        outputs = outputs_with(model, copies, layout, uniform)
        torch.testing.assert_close(outputs[[0, 2]], model.outputs(copies)[[0, 2]], rtol=0, atol=1e-12)
        assert float((outputs[1] - outputs[0]).abs().max()) > 1e-6
    module = models["pooled"].module
    batch = batch_of(models["pooled"], "pooled")
    with torch.no_grad():
        states, _ = module.rnn(module.embedding(batch.ids.T))
        mean = module.output(states.mean(0).repeat(1, 2)).log_softmax(-1)
    outputs = outputs_with(models["pooled"], batch, layout_of(models["pooled"], batch), lambda n, r, w: w * 0 + 1 / 6)
    torch.testing.assert_close(outputs, mean, rtol=0, atol=1e-12)


@pytest.mark.quick
def test_rollout_and_flow() -> None:
    first, second = np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([[0.0, 1.0], [0.5, 0.5]])
    np.testing.assert_allclose(rollout([first, second])[-1], [[0.0, 1.0], [0.25, 0.75]])  # worked by hand
    np.testing.assert_allclose(flow([first, second], [0, 1]), [[0.0, 1.0], [0.5, 1.0]], atol=1e-7)
    rng = np.random.default_rng(0)
    drawn = rng.random((3, 2, 5, 5)) ** 8
    weights = list(drawn / drawn.sum(-1, keepdims=True))
    for residual in (True, False):
        layers = [mixed(one, residual) for one in weights]
        np.testing.assert_allclose(rollout(layers)[-1], plain.rollout(weights, residual), rtol=1e-12)
        np.testing.assert_allclose(rollout(layers)[-1].sum(-1), 1.0, rtol=1e-12)
        expected = [[plain.max_flow(layers, i, j) for j in range(5)] for i in range(5)]
        np.testing.assert_allclose(flow(layers, range(5)), expected, atol=1e-6)
    assert np.abs(np.array(expected) - np.minimum(1, layers[0].sum(0))).max() > 1e-3  # not all at their bound


def test_blocks_against_plain_versions(models) -> None:
    for name in ("sdpa", "eager"):
        model = models[name]
        batch = batch_of(model, name)
        module, text = model.module, batch.texts[0]
        got = {method: exegesis.attention(model, text.raw, method, pieces=True, **more)
               for method, more in {"value-zeroing": {}, "norm-weighted": {"by_head": True},
                                    "globenc": {"rolled": False}}.items()}  # fmt: skip
        for layer in range(2):
            expected = plain.zeroed(module, batch.ids, layer)
            np.testing.assert_allclose(got["value-zeroing"].map(layer + 1).values, expected, rtol=1e-6, atol=1e-10)
            vectors, behind = plain.carried(module, batch.ids, layer)
            norms = behind.norm(dim=-1)
            np.testing.assert_allclose(
                got["globenc"].map(layer + 1).values, norms / norms.sum(-1, keepdim=True), rtol=1e-8
            )
            for head in range(3):
                found = got["norm-weighted"].map(layer + 1, head + 1).values
                np.testing.assert_allclose(found, vectors[head].norm(dim=-1), rtol=1e-8)


def test_no_value_is_felt_behind_a_causal_mask() -> None:
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=330, n_embd=12, n_layer=2, n_head=2, n_positions=64, num_labels=2, pad_token_id=0
    )
    model = exegesis.wrap(
        transformers.GPT2ForSequenceClassification(config).double().eval(), tokenizer=hf_toys.byte_bpe()
    )
    batch = model.encode([model.read("a fine film")])
    for cells in zeroed(model, batch):
        assert float(cells.triu(1).abs().max()) < 1e-12 < float(cells.tril().abs().max())
    found = exegesis.attention(model, "a fine film", "norm-weighted")
    assert found.map(1).values[0, 1:].max() == 0.0
    with pytest.raises(UnsupportedError, match="blocks that end in a norm"):
        exegesis.attention(model, "a fine film", "globenc")


@pytest.mark.quick
def test_words_are_put_together(models) -> None:
    model = models["sdpa"]
    whole, pieces = (exegesis.attention(model, TEXT, pieces=on) for on in (False, True))
    text = whole.text
    assert (len(text.words) < len(text) - 2, whole.layers, whole.heads(1)) == (True, (1, 2), (1, 2, 3))
    one, apart = whole["attention 2 head 3"], pieces.map(2, 3)
    np.testing.assert_allclose(one.values.sum(-1), 1.0, rtol=1e-12)
    word = next(span for span in text.words if span.width > 1)
    at = one.rows.index(word)
    cell = apart.values[word.start : word.stop, word.start : word.stop].sum(1).mean()
    assert one.values[at, at] == pytest.approx(float(cell))
    signed = exegesis.attention(model, TEXT, "attention-saliency", form="signed", layer=1, head=2)
    np.testing.assert_allclose(signed.maps[0].values.sum(-1), 0.0, atol=1e-12)
    assert [one.place for one in signed.maps] == ["attention 1 head 2"]


def test_every_method_is_saved_and_drawn(models, tmp_path) -> None:
    for name in MAPS.names:
        result = exegesis.attention(models["sdpa"], TEXT, name, "LABEL_1")
        assert exegesis.read(result.save(tmp_path / f"{name}.json")) == result
        for one in result.maps if result.weights else ():
            np.testing.assert_allclose(one.values.sum(-1), 1.0, rtol=1e-9)
    assert result.target == "logit:LABEL_1"


class Elsewhere(Pooled):
    """Reads the vectors of the text from its end, or moved by one place."""

    def __init__(self, moved: bool) -> None:
        super().__init__()
        self.moved = moved

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        vectors = self.embedding(text)
        states, _ = self.rnn(vectors.roll(1, 0) if self.moved else vectors.flip(0))
        weights = torch.softmax(self.score(states), 0)
        return self.output(torch.einsum("tbr,tbh->brh", weights, states).flatten(1))


@pytest.mark.parametrize("moved", [False, True])
def test_words_at_other_places_are_refused(moved: bool) -> None:
    torch.manual_seed(1)
    model = exegesis.wrap(Elsewhere(moved).double().eval(), vocabulary=WORDS, labels=["a", "b", "c"])
    with pytest.raises(UnsupportedError, match="other places"):
        exegesis.attention(model, texts([8])[0])


def test_refusals(models) -> None:
    with pytest.raises(UnsupportedError, match="pools them"):
        exegesis.attention(models["pooled"], texts([6])[0], "rollout")
    black = exegesis.blackbox(lambda texts: [[0.5, 0.5]] * len(texts), labels=["a", "b"])
    with pytest.raises(UnsupportedError, match="black box"):
        exegesis.attention(black, "a b")
    with pytest.raises(UnsupportedError, match="gradients"):
        exegesis.attention(black, "a b", "attention-saliency")
    bag = exegesis.load()
    with pytest.raises(UnsupportedError, match="no softmax over the pieces"):
        exegesis.attention(bag, "a fine film")
    with pytest.raises(UsageError, match="layer of attention"):
        exegesis.attention(models["sdpa"], TEXT, layer=7)
    with pytest.raises(UsageError, match="did you mean 'rollout'"):
        exegesis.attention(models["sdpa"], TEXT, "roll-out")


def test_a_decoder_reads_moved_words_and_is_left_out() -> None:
    model = exegesis.wrap(hf_toys.bart().double().eval(), tokenizer=hf_toys.wordpiece(inputs=hf_toys.UNTYPED))
    found = exegesis.attention(model, "a fine film")
    assert found.layers == (1,)  # of the encoder, before the two of the decoder
    assert found.heads(1) == (1, 2)


def test_a_page_unfolds_the_heads_of_a_layer(tmp_path) -> None:
    sample = matrix_samples.attention_of_pair()
    words = sample.text.words
    maps = tuple(
        AttentionMap(layer, head, words, words, np.full((len(words),) * 2, 1 / len(words)))
        for layer in (1, 2) for head in (1, 2, 3, 4)
    )  # fmt: skip
    found = AttentionMaps(sample.subject, sample.origin, maps, "attention", True, False)
    page, figure = (Path(found.save(tmp_path / f"a.{end}")).read_text() for end in ("html", "svg"))
    assert page.count("<details name=") == 2  # eight heads: a layer is drawn by its mean, and its heads are folded
    for layer in (1, 2):
        fold = page.split(f"The heads of layer {layer}</summary>")[1].split("</details>")[0]
        assert [f"attention {layer} head {head}" in fold for head in (1, 2, 3, 4)] == [True] * 4
        assert f"attention {3 - layer} head" not in fold
    assert "head 3" not in figure
