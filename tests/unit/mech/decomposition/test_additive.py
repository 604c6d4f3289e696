"""REAT and naive REAT against the paper's formulas, for every phrase, over shapes, lengths and saturated gates."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch

from exegesis.api import explain, wrap
from exegesis.core.errors import UnsupportedError
from exegesis.mech.decomposition.additive import all_spans
from tests.reference import cells, reat
from tests.support.torch_toys import READOUTS, WORDS, Shape, model, texts

LENGTHS = [6, 1, 9, 2, 4, 9, 3]


def pooled(shape, steps, outputs, module):
    """The readout's blocks: for each a direction, a matrix over its states, and weights over (reading step, unit)."""
    T = len(steps[0].h) - 1
    W, n = cells.plain(outputs.weight), shape.hidden
    states = [np.array(way.h[1:], dtype=float) for way in steps]
    last, first = np.eye(T)[-1], np.eye(T)[0]
    ones = np.ones(T)
    word_states = np.concatenate([states[0], *(s[::-1] for s in states[1:])], 1)

    def spread(weights):  # one number a step -> one a step and unit
        return np.repeat(weights[:, None], n, 1)

    def highest(way):
        return (np.arange(T)[:, None] == states[way].argmax(0)).astype(float)

    def attended():
        scores = np.tanh(word_states) @ cells.plain(module.attend.weight)[0] + cells.plain(module.attend.bias)[0]
        weights = np.exp(scores - scores.max())
        return weights / weights.sum()

    ways = range(len(steps))
    match shape.readout:
        case "last":
            kinds = [[spread(last) for _ in ways]]
        case "first":
            kinds = [[spread(last if way else first) for way in ways]]
        case "mean":
            kinds = [[spread(ones / T) for _ in ways]]
        case "sum":
            kinds = [[spread(ones) for _ in ways]]
        case "max":
            kinds = [[highest(way) for way in ways]]
        case "attention":
            kinds = [[spread(attended()[::-1] if way else attended()) for way in ways]]
        case "concat":
            kinds = [[make(way) for way in ways] for make in (
                lambda way: spread(last), highest, lambda way: spread(ones / T))]  # fmt: skip
        case "summed":
            return [(0, W, spread(last)), (1, W, spread(last))]
        case "averaged":
            return [(0, W / 2, spread(first)), (1, W / 2, spread(last))]
    blocks = [(way, weights) for kind in kinds for way, weights in enumerate(kind)]
    return [(way, W[:, i * n : (i + 1) * n], weights) for i, (way, weights) in enumerate(blocks)]


def paper_score(shape, steps, blocks, q, r, naive):
    """Words q to r by Eq. 14 (its alpha by Eq. 16 or 18) in every state that is read, in all directions."""
    T = len(steps[0].h) - 1
    total = 0.0
    for way, W, weights in blocks:
        h, alpha = steps[way].h, None
        if naive:
            alpha = [None] + [np.ones(shape.hidden)] * T
        elif shape.cell == "lstm":
            h, alpha = reat.state_17(h, cells.tanh(steps[way].c[0])), reat.alpha_18(steps[way].f, steps[way].o)
        else:
            alpha = steps[way].u
        first, last = (T + 1 - r, T + 1 - q) if way else (q, r)
        for end in range(1, T + 1):
            if weights[end - 1].any():
                total = total + reat.phrase_in_state(W * weights[end - 1], h, alpha, first, last, end)
    return total


def start_of(module, shape):
    if not shape.starts:
        return None
    return tuple(cells.plain(part)[:, 0] for part in module.start)


def check(shape, lengths=None, naive=False, tolerance=1e-10):
    seen = model(shape)
    module = seen.module
    results = explain(
        seen, texts(lengths or LENGTHS, shape.seed), "naive-reat" if naive else "reat", "all", spans="all"
    )
    bias = 0.0 if module.out.bias is None else cells.plain(module.out.bias)
    for result in results:
        x = cells.plain(module.embedding.weight)[list(result.text.ids)]
        steps = cells.stack(module.rnn, x, start_of(module, shape))
        blocks = pooled(shape, steps, module.out, module)
        size = max(1.0, max(np.abs(W).sum() * np.abs(w).sum() for _, W, w in blocks))
        spans = [(span, score) for span, level, score in zip(result.spans, result.levels, result.scores.T, strict=True)
                 if level == "span"]  # fmt: skip
        T = len(x)
        assert len(spans) == T * (T + 1) // 2
        for span, score in spans:
            expected = paper_score(shape, steps, blocks, span.start + 1, span.stop, naive)
            np.testing.assert_allclose(score, expected, rtol=0, atol=tolerance * size)
        words = result.at("word").scores
        start = result.account.get("initial states", 0.0)
        np.testing.assert_allclose(words.sum(1) + bias + start, result.explained, rtol=0, atol=tolerance * size)
        np.testing.assert_allclose(result.gap, 0, rtol=0, atol=tolerance * size)
        assert ("initial states" in result.account) == shape.starts


SHAPES = [
    Shape(cell, layers, both, "last", seed=layers + 3 * both, starts=starts)
    for cell in ("lstm", "gru")
    for layers in (1, 2, 3)
    for both in (False, True)
    for starts in (False, True)
]
POOLED = [
    Shape(cell, 1 + (number % 2), both, readout, seed=number, starts=bool(number % 3 == 0))
    for cell in ("lstm", "gru")
    for number, readout in enumerate(READOUTS[1:])
    for both in (readout in ("summed", "averaged") or (number + (cell == "gru")) % 2 == 1,)
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_phrase_is_the_papers(shape):
    check(shape)


@pytest.mark.parametrize("shape", POOLED, ids=str)
def test_every_phrase_of_other_readouts(shape):
    check(shape)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize(("both", "readout"), [(False, "last"), (True, "last"), (True, "mean"), (True, "max")])
def test_naive_is_equation_9(cell, both, readout):
    starts = readout in ("mean", "max") if cell == "lstm" else readout == "last"
    check(Shape(cell, 2, both, readout, starts=starts, seed=5), naive=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_large_weights_saturate_gates(cell, seed):
    """Gates at 0 and 1 to the last bits. Recurrences this steep amplify rounding, hence few words and 1e-9."""
    check(Shape(cell, 1, True, "last", scale=4.0, seed=seed), lengths=[1, 4, 6], tolerance=1e-9)


@pytest.mark.parametrize("shape", [Shape("lstm", bias=False), Shape("gru", both=True, bias=False, head_bias=False)])
def test_without_biases(shape):
    check(shape)


@pytest.mark.parametrize("outputs", [1, 2, 5])
@pytest.mark.parametrize("hidden", [1, 7])
def test_widths(outputs, hidden):
    if outputs > 1:
        check(Shape("gru", 1, True, "last", outputs=outputs, hidden=hidden, size=hidden + 1))
    check(Shape("lstm", 1, False, "mean", outputs=outputs + 1, hidden=hidden, size=1))


@pytest.mark.parametrize("both", [False, True])
def test_equations_16_20_21_22_by_name(both):
    """The equations as the paper numbers them, not through the general form."""
    for cell in ("lstm", "gru"):
        seen = model(Shape(cell, 1, both, "last", seed=9))
        W = cells.plain(seen.module.out.weight)
        result = explain(seen, texts([6], 3)[0], "reat", "all", spans="all")
        steps = cells.stack(seen.module.rnn, cells.plain(seen.module.embedding.weight)[list(result.text.ids)])
        T = 6
        if both:
            h_n, h_r = steps[0].h, reat.in_words_order(steps[1].h)
            if cell == "gru":
                a_n, a_r = steps[0].u, reat.in_words_order(steps[1].u)
                np.testing.assert_allclose(reat.state_21(h_r, a_r, T), h_r[1], atol=1e-12)
            else:
                a_n = reat.alpha_18(steps[0].f, steps[0].o)
                a_r = reat.in_words_order(reat.alpha_18(steps[1].f, steps[1].o))
        for span, score in zip(result.spans, result.scores.T, strict=True):
            q, r = span.start + 1, span.stop
            if both:
                expected = reat.phrase_22(W, h_n, a_n, h_r, a_r, q, r, T)
            elif cell == "gru":
                expected = reat.phrase_16(W, steps[0].h, steps[0].u, q, r, T)
            else:
                expected = reat.phrase_20(W, steps[0].h, steps[0].f, steps[0].o, np.zeros(4), q, r, T)
            np.testing.assert_allclose(score, expected, rtol=0, atol=1e-10)
            if q == r and not both:
                alpha = steps[0].u if cell == "gru" else reat.alpha_18(steps[0].f, steps[0].o)
                np.testing.assert_allclose(score, reat.word_13(W, steps[0].h, alpha, q, T), rtol=0, atol=1e-10)


@pytest.mark.parametrize("exponent", [-18.0, -276.0, -460.0, -690.0, -714.0, -760.0])
@pytest.mark.parametrize("readout", ["last", "mean"])
@pytest.mark.parametrize("both", [False, True])
def test_output_gates_nearly_shut(exponent, readout, both):
    """Gates of 1e-8 down to 1e-330, which is zero in float64. Eq. 20 divides by them; the truth has 60 digits."""
    shape = Shape("lstm", 1, both, readout, seed=11)
    seen = model(shape)
    module = seen.module
    n = shape.hidden
    with torch.no_grad():
        module.embedding.weight[:, 0] = 0.0
        module.embedding.weight[3::3, 0] = 1.0
        for end in ("", "_reverse") if both else ("",):
            weight = getattr(module.rnn, f"weight_ih_l0{end}")
            weight[:, 0] = 0.0
            weight[3 * n :, 0] = exponent
    ids = torch.tensor([[3, 4, 6, 5, 9, 7, 8, 12]])
    text = " ".join(WORDS[i] for i in ids[0].tolist())
    result = explain(seen, text, "reat", "all", spans="all")
    x = cells.plain(module.embedding.weight, exact=True)[ids[0].numpy()]
    steps = cells.stack(module.rnn, x, exact=True)
    shut = min(value for step in steps[0].o[1:] for value in step)
    assert abs(float(mpmath.log(shut)) - exponent) < 5
    W = cells.plain(module.out.weight, exact=True)
    T = len(x)
    read = [mpmath.mpf(0)] * (T - 1) + [mpmath.mpf(1)] if readout == "last" else [mpmath.mpf(1) / T] * T
    weights = np.array(read)[:, None] + 0 * W[:1, :n]
    blocks = [(way, W[:, way * n : (way + 1) * n], weights) for way in range(len(steps))]
    for span, score in zip(result.spans, result.scores.T, strict=True):
        expected = paper_score(shape, steps, blocks, span.start + 1, span.stop, False)
        np.testing.assert_allclose(score, expected.astype(float), rtol=0, atol=1e-10)
    np.testing.assert_allclose(result.gap, 0, atol=1e-10)


def test_all_spans_at_once():
    draws = torch.Generator().manual_seed(0)
    words = torch.randn(2, 3, 7, generator=draws, dtype=torch.float64)
    table = all_spans(words)
    assert table.shape == (2, 3, 7, 7)
    for q in range(7):
        for r in range(7):
            torch.testing.assert_close(table[..., q, r], words[..., q : r + 1].sum(-1), rtol=0, atol=1e-12)


def test_targets_are_linear_in_the_logits():
    seen = model(Shape("gru", both=True))
    raw = texts([6, 3])
    each = explain(seen, raw, "reat", "all")
    margin = explain(seen, raw, "reat", "margin:c2,c0")
    for one, two in zip(each, margin, strict=True):
        np.testing.assert_allclose(two.scores, one.scores[2] - one.scores[0], atol=1e-12)
        np.testing.assert_allclose(two.gap, 0, atol=1e-12)
        np.testing.assert_allclose(explain(seen, one.text.raw, "reat", 1).scores, one.scores[1], atol=1e-12)
    with pytest.raises(UnsupportedError, match="decomposes a logit"):
        explain(seen, raw, "reat", "probability:c1")
    single = model(Shape("lstm", outputs=1), ["no", "yes"])
    yes, no = (explain(single, raw[0], "reat", label) for label in ("yes", "no"))
    np.testing.assert_allclose(yes.scores, -no.scores, atol=1e-14)
    np.testing.assert_allclose([yes.gap, no.gap], 0, atol=1e-12)
    np.testing.assert_allclose(yes.explained, float(single.outputs(single.encode([yes.text]))), atol=1e-12)


def test_a_plain_rnn_has_no_gate():
    seen = model(Shape("rnn"))
    with pytest.raises(UnsupportedError, match="no gate that forgets"):
        explain(seen, "w1 w2", "reat")


def test_a_model_of_single_precision_is_near():
    shape = Shape("lstm", 2, True, "mean", seed=4)
    double = model(shape)
    single = wrap(double.module.__class__(shape), vocabulary=WORDS, tokenizer=str.split)
    single.module.load_state_dict(double.module.state_dict())
    for raw in texts(LENGTHS):
        np.testing.assert_allclose(
            explain(single, raw, "reat", 0).scores, explain(double, raw, "reat", 0).scores, atol=2e-5
        )
