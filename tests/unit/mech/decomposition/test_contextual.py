"""Contextual decomposition against the papers' formulas, phrase by phrase and step by step; its account; its limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from exegesis.api import explain, wrap
from exegesis.core.errors import SpanError, UnsupportedError, UsageError
from exegesis.core.text import Span
from exegesis.mech.decomposition import cells as split_cells
from exegesis.mech.decomposition import contextual as split
from exegesis.protocols.budget import limited
from exegesis.protocols.target import ask
from exegesis.questions.attributions.decomposition import ContextualDecomposition as Method
from tests.reference import decomposition as slow
from tests.reference import toys
from tests.support.second_device import OTHERS
from tests.support.torch_toys import READOUTS, WORDS, Bag, Shape, model, net, texts

LENGTHS = [4, 1, 5]
SHARES = {"bias-first": slow.bias_first, "all": slow.all_orderings}


def plainly(seen, shape, ids, start, stop, method):
    """Relevant and irrelevant parts of the raw outputs by the slow version."""
    module = seen.module
    weights, first = toys.layers(shape, module)
    options = {"variant": method.variant, "share": SHARES[method.orderings]}
    x = toys.vectors(module, ids)
    whole = [r + i for r, i in slow.states(shape.cell, weights, x, first, 0, len(x))]
    return slow.parts(shape.cell, weights, x, first, toys.blocks(shape, module, whole), start, stop, **options)


def asked(seen, raw, target="all"):
    batch = seen.encode([seen.read(text) for text in raw])
    return batch, ask(target, seen.labels, seen.link).of(seen.outputs(batch), seen.link)


def every_span(text):
    return [Span(q, r) for q in range(len(text)) for r in range(q + 1, len(text) + 1)]


def check(shape, method=None, lengths=None, tolerance=1e-10):
    """Every phrase of every text for every class, both parts, in a batch of mixed lengths; and the identity."""
    method, seen = method or Method(), model(shape)
    batch, target = asked(seen, texts(lengths or LENGTHS, shape.seed))
    spans = [every_span(text) for text in batch.texts]
    numbers = target.of(seen.outputs(batch)).numpy()
    bias = toys.bias(seen.module)
    for text, some, (relevant, rest), number in zip(
        batch.texts, spans, method.parts(seen, batch, target, spans), numbers, strict=True
    ):
        relevant, rest = relevant.numpy(), rest.numpy()
        for column, span in enumerate(some):
            beta, gamma = plainly(seen, shape, text.ids, *span, method)
            np.testing.assert_allclose(relevant[:, column], beta, rtol=0, atol=tolerance)
            np.testing.assert_allclose(rest[:, column], gamma, rtol=0, atol=tolerance)
            np.testing.assert_allclose(beta + gamma + bias, number, rtol=0, atol=tolerance)
            np.testing.assert_allclose(relevant[:, column] + rest[:, column] + bias, number, rtol=0, atol=tolerance)


OPTIONS = [Method(variant, orderings) for variant in split.VARIANTS for orderings in split_cells.ORDERINGS]


@pytest.mark.parametrize("method", OPTIONS, ids=repr)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "relu"])
def test_layers_and_directions(cell, method):
    shapes = [(2, True, True), (1, False, False), (2, False, True)]
    for seed, (layers, both, starts) in enumerate(shapes if method.orderings == "bias-first" else shapes[:1]):
        check(Shape(cell, layers, both, starts=starts, seed=seed), method)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_three_layers(cell):
    check(Shape(cell, 3, True, "mean", seed=5), Method("acd"), [4, 2])
    check(Shape(cell, 3, False, "last", seed=6), Method("original"), [4, 2])


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_readouts(cell, readout):
    number = (READOUTS.index(readout) + (cell == "gru")) % 2
    both = readout in ("summed", "averaged", "attention", "concat") or number == 1
    check(Shape(cell, 2 - number, both, readout, seed=number), Method(split.VARIANTS[number]), [4, 1, 3])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("orderings", split_cells.ORDERINGS)
def test_large_weights_saturate_gates(cell, orderings):
    check(Shape(cell, 1, True, scale=6.0, seed=1), Method("acd", orderings), [1, 5, 4], tolerance=1e-9)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "relu"])
def test_without_biases_and_other_widths(cell):
    check(Shape(cell, bias=False, head_bias=False), lengths=[4])
    if cell in ("lstm", "gru"):
        check(Shape(cell, 2, True, "max", outputs=5, hidden=7, size=2, bias=False), Method("acd", "all"), [3])
        check(Shape(cell, 1, True, "concat", outputs=2, hidden=1, size=5, seed=3), lengths=[3])


def results(shape, method, lengths=LENGTHS, **options):
    return explain(model(shape), texts(lengths, shape.seed), method, "all", **options)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_words_spans_and_the_account(cell):
    """``explain`` gives the same parts, and its account is what the method says."""
    shape = Shape(cell, 2, True, "mean", starts=True, seed=4)
    seen = model(shape)
    bias = toys.bias(seen.module)
    for result in explain(seen, texts(LENGTHS, 4), "contextual-decomposition", "all", spans="all"):
        method, ids, T = Method(), result.text.ids, len(result.text)
        for level in ("word", "span"):
            some = result.at(level)
            for span, scores in zip(some.spans, some.scores.T, strict=True):
                expected = plainly(seen, shape, ids, *span, method)[0]
                np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-10)
        whole, rest = plainly(seen, shape, ids, 0, T, method)
        words = sum(plainly(seen, shape, ids, t, t + 1, method)[0] for t in range(T))
        for part, expected in {"output bias": bias, "inner biases": rest, "interactions": whole - words}.items():
            np.testing.assert_allclose(result.account[part], expected, rtol=0, atol=1e-10, err_msg=part)
        np.testing.assert_allclose(result.gap, 0, atol=1e-12)
        assert result.complete


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_batch_is_its_texts_alone(cell):
    """Neighbours, padding and the number of phrases that step together change nothing."""
    for shape in (Shape(cell, 1, True, "concat"), Shape(cell, 2, True, "attention")):
        seen, raw = model(shape), texts([4, 1, 3])
        together = explain(seen, raw, Method(), "all", spans="all")
        for one, text in zip(together, raw, strict=True):
            alone = explain(seen, text, Method(), "all", spans="all")
            np.testing.assert_allclose(one.scores, alone.scores, rtol=0, atol=1e-12)
        with limited("phrases", **({"rows": 3} if shape.layers == 1 else {"numbers": 100})):
            for one, other in zip(together, explain(seen, raw, Method(), "all", spans="all"), strict=True):
                np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-12)


def test_where_the_variants_differ():
    """Only in bias x bias at the last word: nowhere without biases, and nowhere for the cell's part without one."""
    for cell in ("lstm", "gru", "rnn"):
        pairs = zip(results(Shape(cell), Method("original")), results(Shape(cell), Method("acd")), strict=True)
        assert all(np.abs(one.scores - two.scores).min() > 1e-6 for one, two in pairs)
        bare = Shape(cell, bias=False)
        pairs = zip(results(bare, Method("original")), results(bare, Method("acd")), strict=True)
        assert all(np.array_equal(one.scores, two.scores) for one, two in pairs)


def test_the_last_word_is_the_one_that_a_direction_reads_last():
    """Over one LSTM step by hand: a word's part, by both variants, is the printed one."""
    shape = Shape("lstm", hidden=1, size=1, outputs=1, seed=3)
    seen = model(shape, ["stars"])
    result = {v: explain(seen, "w1", Method(v)).scores[0] for v in split.VARIANTS}
    (w,), _ = toys.layers(shape, seen.module)
    x, W, b = toys.vectors(seen.module, [4])[0, 0], toys.cells.plain(seen.module.out.weight)[0, 0], w[0].bx + w[0].bh
    i_b, g_b = slow.sigma(b[0]), np.tanh(b[2])
    a = w[0].x[:, 0] * x + b
    i, g, o = slow.sigma(a[0]), np.tanh(a[2]), slow.sigma(a[3])
    c = i * g
    part = c - i_b * g_b
    for variant, mine in (("original", part), ("acd", c)):
        h = o * (np.tanh(mine) + np.tanh(c) - np.tanh(c - mine)) / 2
        np.testing.assert_allclose(result[variant], W * h, rtol=1e-12)
    mirrored = model(replace(shape, both=True), ["stars"])
    batch, target = asked(mirrored, ["w1 w2 w3"])
    for variant in split.VARIANTS:
        back, _ = plainly(mirrored, replace(shape, both=True), batch.texts[0].ids, 0, 2, Method(variant))
        (found, _), = Method(variant).parts(mirrored, batch, target, [[Span(0, 2)]])  # fmt: skip
        np.testing.assert_allclose(found[0, 0], back[0], rtol=1e-10)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_whole_text_without_biases_is_the_number(cell):
    """Nothing is irrelevant where all words are relevant and there is neither bias nor start."""
    for result in results(Shape(cell, 2, True, "mean", bias=False, head_bias=False), Method(), spans=[(0, 1)]):
        np.testing.assert_allclose(result.account["inner biases"], 0, atol=1e-14)
    shape = Shape(cell, bias=False, head_bias=False)
    result = explain(model(shape), texts([5])[0], Method(), "all", spans=[(0, 5)])
    np.testing.assert_allclose(result.at("span").scores[:, 0], result.explained, atol=1e-14)


def test_targets():
    seen = model(Shape("gru", 2, True, "concat", seed=8))
    raw = texts(LENGTHS)
    for one, margin in zip(
        explain(seen, raw, Method(), "all"), explain(seen, raw, Method(), "margin:c2,c0"), strict=True
    ):
        np.testing.assert_allclose(margin.scores, one.scores[2] - one.scores[0], atol=1e-12)
        np.testing.assert_allclose(explain(seen, one.text.raw, Method(), 1).scores, one.scores[1], atol=1e-12)
        np.testing.assert_allclose(margin.gap, 0, atol=1e-12)
    own = explain(seen, raw, Method(), spans="all")
    assert len({result.prediction.label for result in own}) > 1
    for one, alone in zip(explain(seen, raw, Method(), "all", spans="all"), own, strict=True):
        row = seen.labels.index(alone.prediction.label)
        np.testing.assert_allclose(alone.scores, one.scores[row], atol=1e-12)
        np.testing.assert_allclose(alone.account["interactions"], one.account["interactions"][row], atol=1e-12)
    with pytest.raises(UnsupportedError, match="decomposes a logit"):
        explain(seen, raw, Method(), "probability:c1")
    single = model(Shape("lstm", outputs=1), ["no", "yes"])
    yes, no = (explain(single, raw[0], Method(), label) for label in ("yes", "no"))
    np.testing.assert_allclose(yes.scores, -no.scores, atol=1e-14)


def test_spans_outside_the_text():
    seen = model(Shape())
    batch, target = asked(seen, texts([3, 5]))
    for span in (Span(2, 4), Span(-1, 2), Span(2, 2), Span(3, 4)):
        with pytest.raises(SpanError, match=r"^pieces -?\d+ to \d+ lie outside the text of 3 pieces$"):
            Method().spans(seen, batch, target, [[span], []])
    with pytest.raises(UsageError):
        explain(seen, "w1 w2", Method(), spans=[(1, 3)])
    none = Method().spans(seen, batch, target, [[], []])
    assert [part.shape for part in none] == [(3, 0), (3, 0)]


@pytest.mark.parametrize("options", [{"variant": "newest"}, {"orderings": "none"}, {"variant": "orignal"}])
def test_wrong_parameters(options):
    with pytest.raises(UsageError, match=r"^ContextualDecomposition: \w+ must be [\w-]+ or \w+, not [^\n]+$"):
        Method(**options)


def test_what_cannot_be_served_is_refused():
    with pytest.raises(UnsupportedError, match=r"^contextual-decomposition needs a recurrent model: [^\n]+$"):
        explain(wrap(Bag(), vocabulary=WORDS, tokenizer=str.split), "w1 w2", "contextual-decomposition")
    seen = model(Shape())
    batch, target = asked(seen, ["w1 w2"])
    unrolled = seen.unroll(batch)
    odd = replace(unrolled.layers[0][0], cell="peephole")
    seen.unroll = lambda _: replace(unrolled, layers=((odd,),))
    with pytest.raises(UnsupportedError, match="no rule for a cell of kind peephole"):
        Method()(seen, batch, target)


@pytest.mark.parametrize("cell", ["lstm", "gru", "relu"])
def test_what_stands_behind_a_text_is_never_read(cell):
    seen = model(Shape(cell, 2, True, "last", seed=4))
    batch, target = asked(seen, texts([5, 2, 1]))
    clean = Method()(seen, batch, target)
    unrolled = seen.unroll(batch)
    outside = (torch.arange(5) >= batch.lengths[:, None])[..., None]
    layers = tuple(
        tuple(
            replace(way, inputs=way.inputs.masked_fill(outside, torch.nan),
                    hidden=way.hidden.masked_fill(outside, torch.nan)) for way in layer
        ) for layer in unrolled.layers
    )  # fmt: skip
    seen.unroll = lambda _: replace(unrolled, layers=layers)
    spoilt = Method()(seen, batch, target)
    torch.testing.assert_close(spoilt.values, clean.values, rtol=0, atol=1e-12)
    assert (clean.values.masked_fill(~outside[:, None, :, 0], 0) == 0).all()


def test_long_texts():
    """2,000 words: finite, the account closes, and a word's part is the one that it has in the plain version."""
    shape = Shape("lstm", 1, False, "mean", scale=0.5)
    seen = model(shape)
    long, short = explain(seen, texts([2000, 1]), Method(), "all")
    np.testing.assert_allclose(long.gap, 0, atol=1e-10)
    np.testing.assert_allclose(short.gap, 0, atol=1e-12)
    np.testing.assert_allclose(
        long.scores[:, 1000], plainly(seen, shape, long.text.ids, 1000, 1001, Method())[0], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("device", OTHERS)
def test_another_device_gives_what_the_cpu_gives(device):
    """Of a GRU; tests/contracts/test_devices.py has LSTMs and other readouts."""
    module = net(Shape("gru", 2, True, "attention"))
    results = []
    for where in ("cpu", device):
        seen = wrap(module.to(where), vocabulary=WORDS, tokenizer=str.split)
        results.append(explain(seen, texts(LENGTHS), Method("acd"), "all", spans="all"))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-8)


def test_single_precision_is_near():
    shape = Shape("lstm", 2, True, "mean", seed=4)
    double = model(shape)
    single = wrap(double.module.__class__(shape), vocabulary=WORDS, tokenizer=str.split)
    single.module.load_state_dict(double.module.state_dict())
    for raw in texts(LENGTHS):
        one, two = (explain(seen, raw, Method(), 0) for seen in (single, double))
        np.testing.assert_allclose(one.scores, two.scores, rtol=1e-4, atol=1e-5)
