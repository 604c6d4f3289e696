"""LRP against the chapter's formulas, text by text, number by number and neuron by neuron; its account; its limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from exegesis.api import blackbox, explain, wrap
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.mech.lrp.shares import away
from exegesis.protocols.budget import limited
from exegesis.protocols.target import ask
from exegesis.questions.attributions.lrp import Lrp
from tests.reference import cells
from tests.reference import lrp as slow
from tests.support.torch_toys import READOUTS, WORDS, Shape, model, texts

LENGTHS = [5, 1, 7, 2]
PRODUCTS = ("all", "prop", "abs", "half")


def readout(shape, module, states):
    """The pooling as (direction, columns of the output layer, weights [T, n]), over states in the order of the text."""
    W, n, T = cells.plain(module.out.weight), shape.hidden, len(states[0])

    def at(place):
        return np.repeat(np.eye(T)[place][:, None], n, 1)

    def last(way):
        return at(0 if way else T - 1)

    def mean(way):
        return np.full((T, n), 1 / T)

    def highest(way):
        return 1.0 * (np.arange(T)[:, None] == states[way].argmax(0))

    def attended(way):
        score = np.tanh(np.concatenate(states, 1)) @ cells.plain(module.attend.weight)[0]
        score = np.exp(score + cells.plain(module.attend.bias)[0])
        return np.repeat((score / score.sum())[:, None], n, 1)

    ways = range(len(states))
    if shape.readout == "summed":
        return [(way, W, last(way)) for way in ways]
    if shape.readout == "averaged":
        return [(way, W / 2, at(0)) for way in ways]
    kinds = {
        "last": [last], "first": [lambda way: at(0)], "mean": [mean], "sum": [lambda way: T * mean(way)],
        "max": [highest], "attention": [attended], "concat": [last, highest, mean],
    }[shape.readout]  # fmt: skip
    blocks = [(way, kind(way)) for kind in kinds for way in ways]
    return [(way, W[:, k * n : (k + 1) * n], weights) for k, (way, weights) in enumerate(blocks)]


def plainly(seen, shape, ids, target, rule, activation=np.tanh):
    """Relevance of each word and the account by the slow version, filled into ``rule``; ``target`` over raw outputs."""
    module = seen.module
    rnn, ways = module.rnn, 2 if shape.both else 1
    layers = [[cells.Weights.of(rnn, k, way == 1) for way in range(ways)] for k in range(shape.layers)]
    first = [[(np.zeros(shape.hidden), np.zeros(shape.hidden))] * ways for _ in range(shape.layers)]
    if shape.starts:
        h, c = (cells.plain(part)[:, 0] for part in module.start)
        first = [[(h[k * ways + way], c[k * ways + way]) for way in range(ways)] for k in range(shape.layers)]
    options = {"activation": activation} if shape.cell == "rnn" else {}
    x = cells.plain(module.embedding.weight)[list(ids)]
    states, inputs = [], list(x)
    for weights, start in zip(layers, first, strict=True):
        states = [slow.forward(shape.cell, inputs[:: -1 if way else 1], w, *start[way], **options)[:: -1 if way else 1]
                  for way, w in enumerate(weights)]  # fmt: skip
        inputs = [np.concatenate(each) for each in zip(*states, strict=True)]
    states = [np.array(way) for way in states]
    blocks = readout(shape, module, states)
    bias = np.zeros(shape.outputs) if module.out.bias is None else cells.plain(module.out.bias)
    raw = bias + sum(W @ (weights * states[way]).sum(0) for way, W, weights in blocks)
    R = rule.readout([(way, target @ W, weights) for way, W, weights in blocks], states, target @ bias, target @ raw)
    return rule.words(shape.cell, layers, x, first, R, **options).sum(1)


def check(shape, method, lengths=None, tolerance=1e-10, seed=None, activation=np.tanh):
    """Every word of every text for every class, and the account, in a batch of mixed lengths."""
    seen = model(shape)
    if activation is not np.tanh:
        module = seen.module
        module.rnn = torch.nn.RNN(shape.size, shape.hidden, shape.layers, nonlinearity="relu", batch_first=True,
                                  bidirectional=shape.both).double()  # fmt: skip
        for weight in module.rnn.parameters():
            weight.data = torch.randn(weight.shape, generator=torch.Generator().manual_seed(7)).double()
        seen = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])
    for result in explain(seen, texts(lengths or LENGTHS, shape.seed if seed is None else seed), method, "all"):
        for number in range(shape.outputs):
            default = 0.2 if method.product == "prop" else method.options.epsilon
            stabilizer = default if method.stabilizer is None else method.stabilizer
            rule = slow.Lrp(method.options.epsilon, method.product, stabilizer, method.bias == "spread")
            expected = plainly(seen, shape, result.text.ids, np.eye(shape.outputs)[number], rule, activation)
            atol = tolerance * rule.largest
            np.testing.assert_allclose(result.scores[number], expected, rtol=0, atol=atol)
            for part in ("biases", "absorbed by epsilon", "initial states"):
                np.testing.assert_allclose(
                    result.account.get(part, np.zeros(9))[number], rule.account[part], rtol=0, atol=atol, err_msg=part
                )
            np.testing.assert_allclose(result.gap[number], 0, rtol=0, atol=atol)
            assert ("initial states" in result.account) == (shape.starts or method.bias == "spread")


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_layers_and_directions(cell, product):
    """Each product with a shallow and a deep network, and with both fates of the biases."""
    turn = PRODUCTS.index(product) % 2
    for layers, both, starts, bias in (
        [(1, False, False, "keep"), (3, True, True, "spread")], [(1, True, True, "spread"), (2, True, False, "keep")]
    )[turn]:  # fmt: skip
        check(Shape(cell, layers, both, "last", starts=starts, seed=layers), Lrp(product=product, bias=bias))


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_readouts(cell, readout):
    number = (READOUTS.index(readout) + len(cell)) % 3  # which goes with which is drawn once
    product, bias = [("all", "keep"), ("abs", "spread"), ("half", "spread")][number]
    both = readout in ("summed", "averaged") or number != 1
    shape = Shape(cell, 1 + number % 2, both, readout, seed=number, starts=number == 0)
    check(shape, Lrp(product=product, bias=bias))


@pytest.mark.parametrize("epsilon", [1e-6, 0.01, 1.0])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_epsilon_and_stabilizer_are_two(cell, epsilon):
    for product in ("prop", "abs"):
        check(Shape(cell, 1, True, "mean", seed=4), Lrp(epsilon, product, stabilizer=0.2))
        check(Shape(cell, 1, False, "last", seed=5), Lrp(epsilon, product))


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_large_weights_saturate_gates(cell, product):
    seed = PRODUCTS.index(product)
    check(Shape(cell, 1, True, "last", scale=4.0, seed=seed), Lrp(product=product), lengths=[1, 4, 6])


@pytest.mark.parametrize("bias", ["keep", "spread"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_without_biases_and_other_widths(cell, bias):
    check(Shape(cell, bias=False, head_bias=False), Lrp(product="half", bias=bias))
    check(Shape(cell, 2, True, "concat", outputs=5, hidden=7, size=2, bias=False), Lrp(bias=bias))
    check(Shape(cell, 1, True, "max", outputs=2, hidden=1, size=5), Lrp(product="abs", bias=bias))


@pytest.mark.parametrize("bias", ["keep", "spread"])
@pytest.mark.parametrize("both", [False, True])
def test_relu(both, bias):
    for layers in (1, 2):
        check(Shape("rnn", layers, both, "mean", seed=2), Lrp(bias=bias), activation=lambda a: np.maximum(a, 0))


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_nothing_is_lost_without_biases_and_epsilon(cell, product):
    """Words alone are the number: no bias, no initial state, epsilon 0."""
    for shape in (Shape(cell, bias=False, head_bias=False), Shape(cell, 2, True, "mean", bias=False, head_bias=False)):
        for result in explain(model(shape), texts([1, 3, 5]), Lrp(0.0, product, stabilizer=0.0), "all"):
            np.testing.assert_allclose(result.scores.sum(1), result.explained, rtol=1e-8)
            np.testing.assert_allclose([list(part) for part in result.account.values()], 0, atol=1e-12)


@pytest.mark.parametrize("bias", [False, True])
def test_relu_rnn_without_gates_is_gradient_times_input(bias):
    """LRP-0 with activations that are linear where they are alive; biases take their own shares and change nothing."""
    for both, pooling in ((False, "last"), (True, "sum")):
        shape = Shape("rnn", 2, both, pooling, bias=bias, head_bias=bias, seed=3)
        module = model(shape).module
        module.rnn = torch.nn.RNN(3, 4, 2, nonlinearity="relu", batch_first=True, bias=bias, bidirectional=both)
        module = module.double()
        for weight in module.rnn.parameters():
            weight.data = torch.rand(weight.shape, generator=torch.Generator().manual_seed(1)).double() - 0.3
        seen = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])
        raw = texts([4, 1, 6])
        for ours, theirs in zip(
            explain(seen, raw, Lrp(0.0), "all"), explain(seen, raw, "gradient-x-input", "all"), strict=True
        ):
            np.testing.assert_allclose(ours.scores, theirs.scores, rtol=0, atol=1e-10)


def test_gates_as_constants_give_the_printed_share():
    """Sec. 11.3.3: without a way from h to the cell input, a word keeps a_p times the forget gates that follow."""
    shape = Shape("lstm", bias=False, head_bias=False, seed=6)
    module = model(shape).module
    with torch.no_grad():
        module.rnn.weight_hh_l0[8:12] = 0.0  # the rows of g
    seen = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])
    result = explain(seen, texts([7])[0], Lrp(0.0), "all")
    x = cells.plain(module.embedding.weight)[list(result.text.ids)]
    (steps,) = cells.stack(module.rnn, x)
    W, T = cells.plain(module.out.weight), len(x)
    for t in range(1, T + 1):
        a_p = steps.c[t] - steps.f[t] * steps.c[t - 1]
        forget = np.prod(np.array(steps.f[t + 1 :]).reshape(-1, 4), axis=0)
        c_k = W * steps.h[T] / steps.c[T]
        np.testing.assert_allclose(result.scores[:, t - 1], (c_k * forget * a_p).sum(1), atol=1e-12)


def test_targets():
    """Several at once are each alone; in few rows at a time too; a margin is linear where epsilon is zero."""
    seen = model(Shape("gru", 2, True, "concat", seed=8))
    raw = texts(LENGTHS)
    for product in PRODUCTS:
        for each in explain(seen, raw, Lrp(product=product), "all"):
            for label in range(3):
                alone = explain(seen, each.text.raw, Lrp(product=product), label)
                size = max(1.0, np.abs(alone.scores).max())
                np.testing.assert_allclose(alone.scores, each.scores[label], rtol=0, atol=1e-11 * size)
    exact = explain(seen, raw, Lrp(0.0), "all")
    for one, margin in zip(exact, explain(seen, raw, Lrp(0.0), "margin:c2,c0"), strict=True):
        np.testing.assert_allclose(margin.scores, one.scores[2] - one.scores[0], rtol=1e-6, atol=1e-8)
    margin = explain(seen, raw, "lrp", "margin:c2,c0")
    np.testing.assert_allclose([result.gap for result in margin], 0, atol=1e-9)
    with pytest.raises(UnsupportedError, match="decomposes a logit"):
        explain(seen, raw, "lrp", "probability:c1")
    single = model(Shape("lstm", outputs=1), ["no", "yes"])
    yes, no = (explain(single, raw[0], "lrp", label) for label in ("yes", "no"))
    np.testing.assert_allclose(yes.scores, -no.scores, atol=1e-12)


def test_targets_wait_for_their_turn():
    seen = model(Shape("lstm", 2, True, "mean", seed=1))
    raw = texts(LENGTHS)
    whole = explain(seen, raw, "lrp", "all")
    with limited("relevance", numbers=1):
        parted = explain(seen, raw, "lrp", "all")
    for one, other in zip(whole, parted, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-11)
        assert one.account.keys() == other.account.keys()
        np.testing.assert_allclose(list(one.account.values()), list(other.account.values()), atol=1e-11)


def dead(**changes):
    """An LSTM whose first unit's cell input is exactly zero, and with it its state, unless it is changed."""
    module = model(Shape("lstm", seed=2)).module
    with torch.no_grad():
        for name, value in module.rnn.named_parameters():
            if name in changes:
                value[changes[name]] = 0.0
    return wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])


def test_zero_denominators():
    """A unit that is zero receives nothing and stops nobody; one that must share what it cannot is named."""
    cell_input = {name: [8] for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")}
    for product in ("all", "half"):
        result = explain(dead(**cell_input), texts([5, 2]), Lrp(0.0, product), "all")[0]
        np.testing.assert_allclose(result.gap, 0, atol=1e-9)
    gate = {name: [4] for name in cell_input}  # the forget gate's value before activation is zero, half of R arrives
    assert np.isfinite(explain(dead(**gate), texts([5])[0], Lrp(0.0)).scores).all()
    with pytest.raises(UsageError, match=r"exactly zero and cannot share it: take epsilon > 0"):
        explain(dead(**gate), texts([5])[0], Lrp(0.0, "half"))
    np.testing.assert_allclose(explain(dead(**gate), texts([5])[0], Lrp(0.001, "half")).gap, 0, atol=1e-9)
    seen = dead(**{name: [8, 12] for name in cell_input})  # c and the output gate before activation are both zero
    with pytest.raises(UsageError, match=r"take epsilon > 0 and stabilizer > 0$"):
        explain(seen, texts([5])[0], Lrp(0.001, "abs", 0.0, "spread"))
    np.testing.assert_allclose(explain(seen, texts([5])[0], Lrp(0.0, "abs")).gap, 0, atol=1e-9)
    with torch.no_grad():
        seen.module.out.weight[:] = 0.0
        seen.module.out.bias[:] = 0.0
    np.testing.assert_array_equal(explain(seen, texts([5])[0], Lrp(0.0, "prop")).scores, 0)


def test_sign_of_zero_is_plus():
    for zero in (0.0, -0.0):
        assert float(away(torch.tensor([zero], dtype=torch.float64), 0.001)) == 0.001


@pytest.mark.parametrize(
    "options",
    [{"epsilon": -1}, {"epsilon": float("nan")}, {"stabilizer": -0.1}, {"product": "most"}, {"bias": "lose"}],
)
def test_wrong_parameters(options):
    with pytest.raises(UsageError, match=r"^[^\n]+$"):
        Lrp(**options)


def test_a_model_that_gives_no_gradient_is_refused():
    with pytest.raises(UnsupportedError, match=r"^lrp needs a differentiable model: [^\n]+$"):
        explain(blackbox(lambda rows: np.ones((len(rows), 2)) / 2, ["a", "b"]), "w1 w2", "lrp")


def test_long_texts_and_one_word():
    """2,000 words: finite, and the account closes."""
    for cell in ("lstm", "gru"):
        seen = model(Shape(cell, 1, True, "mean", scale=0.5))
        for result in explain(seen, texts([2000, 1]), "lrp", "all"):
            np.testing.assert_allclose(result.gap, 0, atol=1e-9)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_pad_vector_that_is_no_number(cell):
    """What stands behind a text's end is never read, whatever it is."""
    seen = model(Shape(cell, 2, True, "last", seed=4))
    raw = texts([5, 2, 1])
    batch = seen.encode([seen.read(text) for text in raw])
    asked = ask("c1", seen.labels, seen.link).of(seen.outputs(batch), seen.link)
    clean = Lrp(product="abs")(seen, batch, asked)
    unrolled = seen.unroll(batch)
    outside = (torch.arange(5) >= batch.lengths[:, None])[..., None]
    layers = tuple(
        tuple(
            replace(way, inputs=way.inputs.masked_fill(outside, torch.nan),
                    hidden=way.hidden.masked_fill(outside, torch.nan)) for way in layer
        ) for layer in unrolled.layers
    )  # fmt: skip
    seen.unroll = lambda _: replace(unrolled, layers=layers)
    spoilt = Lrp(product="abs")(seen, batch, asked)
    torch.testing.assert_close(spoilt.values, clean.values, rtol=0, atol=1e-12)
    assert (clean.values.masked_fill(~outside[:, None, :, 0], 0) == 0).all()


def test_overflow_is_said():
    """Gates and signals that nearly cancel multiply relevance at every step of a long text."""
    with pytest.raises(UsageError, match=r"take a larger epsilon or stabilizer$"):
        explain(model(Shape("gru", hidden=8, scale=2.0, seed=1)), texts([2000])[0], Lrp(1e-12, "prop", 1e-3))


def test_single_precision_is_near():
    shape = Shape("lstm", 2, True, "mean", seed=4)
    double = model(shape)
    single = wrap(double.module.__class__(shape), vocabulary=WORDS, tokenizer=str.split)
    single.module.load_state_dict(double.module.state_dict())
    for raw in texts(LENGTHS):
        one, two = (explain(seen, raw, Lrp(0.1), 0) for seen in (single, double))
        np.testing.assert_allclose(one.scores, two.scores, rtol=1e-3, atol=1e-3)
