"""DeepLIFT against plain matrices of multipliers, word by word; its sum; what it is on linear models; its limits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from exegesis.api import explain, wrap
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.mech.deeplift.multipliers import logarithmic_mean, multiplier, of_sigmoid, of_tanh
from exegesis.questions.attributions.deeplift import DeepLift
from tests.reference import cells, toys
from tests.reference import deeplift as slow
from tests.support.second_device import OTHERS
from tests.support.torch_toys import READOUTS, WORDS, Bag, Shape, model, net, texts

LENGTHS = [4, 1, 3]
BASES = ("zero", "pad", "unknown", "text:w3 w4 w5")


def starts(module, ids, baseline):
    """The vectors of the baseline, one by one."""
    table = cells.plain(module.embedding.weight)
    if baseline == "zero":
        return 0 * table[list(ids)]
    if baseline.startswith("text:"):
        other = [WORDS.index(word) for word in baseline.removeprefix("text:").split()]
        return table[[*other, *[0] * len(ids)][: len(ids)]]
    return table[[{"pad": 0, "unknown": 1, "mask": 2}[baseline]] * len(ids)]


def plainly(shape, module, ids, baseline):
    """Shares [outputs, words], and the outputs at the baseline."""
    x, base = toys.vectors(module, ids), starts(module, ids, baseline)
    weights, first = toys.layers(shape, module)
    found = slow.states(shape.cell, weights, slow.words(x, base), first)
    attend = cells.plain(module.attend.weight), cells.plain(module.attend.bias)
    read = slow.pooled(shape.readout, found, attend)
    if shape.bends:
        read = slow.relu(slow.linear(cells.plain(module.bend[0].weight), read, cells.plain(module.bend[0].bias)))
    output = slow.linear(cells.plain(module.out.weight), read, toys.bias(module))
    return slow.shares(output, x, base), output.base


def check(shape, baseline="zero", lengths=None, tolerance=1e-10):
    seen = model(shape)
    for result in explain(seen, texts(lengths or LENGTHS, shape.seed), DeepLift(baseline), "all"):
        shares, first = plainly(shape, seen.module, result.text.ids, baseline)
        np.testing.assert_allclose(result.scores, shares, rtol=0, atol=tolerance)
        np.testing.assert_allclose(result.account["value at the baseline"], first, rtol=0, atol=tolerance)
        np.testing.assert_allclose(result.gap, 0, rtol=0, atol=tolerance)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "relu"])
def test_layers_and_directions(cell):
    for seed, (layers, both, begun) in enumerate(
        [(1, False, True), (1, True, False), (2, False, True), (2, True, True)]
    ):
        check(Shape(cell, layers, both, starts=begun, seed=seed), BASES[seed])


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_readouts_and_heads(cell, readout):
    both = cell == "lstm" or readout in ("summed", "averaged")
    check(Shape(cell, 1, both, readout, bends=cell == "lstm", seed=3), "text:w3 w4 w5")


@pytest.mark.parametrize("cell", ["lstm", "gru", "relu"])
def test_three_layers_large_weights_and_no_biases(cell):
    check(Shape(cell, 3, True, "mean", seed=5), "pad", [3, 2])
    check(Shape(cell, 1, True, "max", bias=False, head_bias=False, outputs=5, hidden=3, size=2), "unknown", [4])
    if cell != "relu":
        check(Shape(cell, 1, True, "attention", scale=5.0, seed=6), "pad", [4, 2], 1e-8)


def same(first, second, tolerance=1e-9):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=tolerance)


@pytest.mark.parametrize("baseline", BASES)
def test_on_a_linear_model(baseline):
    """Integrated gradients, and for zero vectors gradient times input."""
    seen, raw = wrap(Bag(), vocabulary=WORDS, tokenizer=str.split), texts([5, 2, 1])
    found = explain(seen, raw, DeepLift(baseline), "all")
    same(found, explain(seen, raw, "integrated-gradients", "all", baseline=baseline))
    if baseline == "zero":
        same(found, explain(seen, raw, "gradient-x-input", "all"))


def test_a_unit_of_one_argument_is_integrated_gradients():
    """Where every unit sees one path alone, Δy / Δx is the mean slope: a head of one bending unit over a sum."""

    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.one, self.out = nn.Embedding(20, 3), nn.Linear(3, 1), nn.Linear(1, 2)

        def forward(self, ids, mask):
            return self.out(torch.tanh(self.one((self.embedding(ids) * mask[..., None]).sum(1))))

    torch.manual_seed(0)
    seen = wrap(One().double(), vocabulary=WORDS, tokenizer=str.split)
    raw = texts([4, 2])
    exact = explain(seen, raw, "integrated-gradients", "all", tolerance=1e-10)
    same(explain(seen, raw, DeepLift(), "all"), exact)


def test_the_baseline_itself():
    """Words at which the text is the baseline score exactly zero, and nothing is divided by zero."""
    for shape in (Shape("lstm", 2, True, "attention"), Shape("gru", 1, True, "max", bends=True), Shape("relu")):
        result = explain(model(shape), "w3 w4 w5", DeepLift("text:w3 w4 w5"), "all")
        np.testing.assert_array_equal(result.scores, 0)
        np.testing.assert_allclose(result.account["value at the baseline"], result.explained, atol=1e-12)
        partly = explain(model(shape), "w3 w9 w5", DeepLift("text:w3 w4 w5"), "all")
        np.testing.assert_array_equal(partly.scores[:, [0, 2]], 0)
        np.testing.assert_allclose(partly.gap, 0, atol=1e-12)


def test_targets():
    seen, raw = model(Shape("gru", 1, True, "concat", seed=8)), texts(LENGTHS)
    every = explain(seen, raw, DeepLift(), "all")
    for one, margin, own in zip(
        every, explain(seen, raw, DeepLift(), "margin:c2,c0"), explain(seen, raw, DeepLift()), strict=True
    ):
        np.testing.assert_allclose(margin.scores, one.scores[2] - one.scores[0], atol=1e-12)
        np.testing.assert_allclose(own.scores, one.scores[seen.labels.index(own.prediction.label)], atol=1e-12)
    for result in explain(seen, raw, DeepLift(), "probability:c1"):
        np.testing.assert_allclose(result.gap, 0, atol=1e-12)
        assert abs(result.scores.sum()) > 1e-6


class Parts(nn.Module):
    """Any function of word vectors [b, t, 4], under a linear layer."""

    def __init__(self, function, size=4):
        super().__init__()
        draws = torch.Generator().manual_seed(1)
        self.embedding, self.out = nn.Embedding(20, 4), nn.Linear(size, 2)
        self.conv, self.norm, self.one = nn.Conv1d(4, 4, 2, padding=1), nn.LayerNorm(4), nn.Linear(4, 4)
        self.layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True)
        self.heads = nn.MultiheadAttention(4, 2, kdim=4, vdim=4, batch_first=True)
        self.cell, self.lstm = nn.LSTMCell(4, 4), nn.LSTM(4, 4, batch_first=True)
        for weight in self.parameters():
            weight.data = torch.randn(weight.shape, generator=draws)
        self.function = function

    def forward(self, ids, mask):
        return self.out(self.function(self, self.embedding(ids), mask[..., None]))


def masked(values, mask):
    return values.masked_fill(~mask, -torch.inf)


def attended(m, v, mask):
    scores = (m.one(v) @ v.transpose(1, 2)).masked_fill(~mask.transpose(1, 2), -torch.inf)
    return ((scores.softmax(-1) @ v) * mask).sum(1)


def by_sdpa(m, v, mask):
    found = F.scaled_dot_product_attention(m.one(v), v, v, attn_mask=mask.transpose(1, 2).expand(-1, v.shape[1], -1))
    return (found * mask).sum(1)


def by_layer(m, v, mask):
    return (m.layer(v, src_key_padding_mask=~mask[..., 0]) * mask).sum(1)


def by_heads(m, v, mask):
    """Queries, keys and values of their own; the weights are read too."""
    found, weights = m.heads(v, v.tanh(), m.one(v), key_padding_mask=~mask[..., 0])
    return (found * mask).sum(1) + (weights.square() * mask).sum((1, 2))[:, None]


def cell_states(m, v, mask):
    """Last cell states of packed texts, and initial states that depend on the words."""
    start = (v * mask).sum(1)[None].tanh()
    packed = pack_padded_sequence(v, mask.sum((1, 2)).cpu(), batch_first=True, enforce_sorted=False)
    _, (_, c) = m.lstm(packed, (start, 2 * start))
    return c[0]


def by_cells(m, v, mask):
    """A loop over nn.LSTMCell, of which both states are read."""
    h, c = torch.zeros(len(v), 4, dtype=v.dtype), (v * mask).sum(1)
    for t in range(v.shape[1]):
        new = m.cell(v[:, t], (h, c))
        h, c = (torch.where(mask[:, t], one, old) for one, old in zip(new, (h, c), strict=True))
    return h + c


PARTS = {
    "text cnn": lambda m, v, mask: m.conv((v * mask).transpose(1, 2)).relu().amax(2),
    "max pool": lambda m, v, mask: F.max_pool1d(m.conv(F.pad((v * mask).transpose(1, 2), (0, 3))), 2).sum(2),
    "adaptive pool": lambda m, v, mask: F.adaptive_max_pool1d((v * mask).transpose(1, 2), 1)[..., 0],
    "min": lambda m, v, mask: (-masked(-v, mask)).min(1).values,
    "maximum": lambda m, v, mask: (torch.maximum(v, m.one(v).tanh()) * mask).sum(1),
    "minimum with a constant": lambda m, v, mask: (torch.minimum(v, torch.ones(4, dtype=v.dtype)) * mask).sum(1),
    "layer norm": lambda m, v, mask: (m.norm(v) * mask).sum(1),
    "attention": attended,
    "sdpa": by_sdpa,
    "transformer layer": by_layer,
    "many heads": by_heads,
    "cell states": cell_states,
    "a loop over cells": by_cells,
    "einsum": lambda m, v, mask: torch.einsum("btd,bte->be", v * mask, m.one(v).sigmoid()),
    "quotient": lambda m, v, mask: ((v * mask).sum(1)) / (1 + (v * mask).square().sum(1, keepdim=True).sqrt()[:, 0]),
    "square by itself": lambda m, v, mask: (v * v * mask).sum(1),
    "lerp": lambda m, v, mask: (torch.lerp(v, m.one(v), v.sigmoid()) * mask).sum(1),
    "gelu, power": lambda m, v, mask: ((F.gelu(v) ** 3 + 2.0 ** v) * mask).sum(1),
    "addcmul": lambda m, v, mask: (torch.addcmul(v, v.tanh(), m.one(v), value=0.5) * mask).sum(1),
    "log softmax": lambda m, v, mask: (F.log_softmax(m.one(v), -1) * mask).sum(1),
    "written": lambda m, v, mask: _written(v * mask),
    "in place": lambda m, v, mask: F.relu(m.one(v * mask), inplace=True).mul_(v).sum(1),
}  # fmt: skip


def _written(v):
    found = torch.zeros_like(v)
    found[:, :, :2] = v[:, :, 2:].tanh()
    found[:, :, 2:] = v[:, :, :2]
    return found.square().sum(1)


def parts(name, function=None):
    module = Parts(function or PARTS[name]).double()
    return wrap(module, vocabulary=WORDS, tokenizer=str.split)


@pytest.mark.parametrize("name", PARTS)
def test_the_sum_of_other_parts(name):
    """And the scores of a text alone."""
    seen, raw = parts(name), texts([5, 2, 3], 4)
    for baseline in ("zero", "text:w3 w4 w5"):
        if baseline == "zero" and name == "quotient":
            continue  # the root of zero has no slope
        together = explain(seen, raw, DeepLift(baseline), "all")
        np.testing.assert_allclose([result.gap for result in together], 0, atol=1e-9)
        assert max(np.abs(result.scores).max() for result in together) > 1e-3
        same(together[1:2], [explain(seen, raw[1], DeepLift(baseline), "all")])


def test_a_text_cnn_plainly():
    seen, raw = parts("text cnn"), texts([5, 1, 3], 2)
    m = seen.module
    W, b = cells.plain(m.conv.weight), cells.plain(m.conv.bias)
    for result in explain(seen, raw, DeepLift("pad"), "all"):
        x, base = toys.vectors(m, result.text.ids), starts(m, result.text.ids, "pad")
        none = slow.constant(np.zeros(4), x.size)
        padded = [none, *slow.words(x, base), none]
        seen_by = [slow.relu(slow.linear(W[:, :, 0], one) + slow.linear(W[:, :, 1], two, b))
                   for one, two in pairwise(padded)]  # fmt: skip
        longest = 6 - len(seen_by)  # the batch's padding is seen as zeros
        seen_by += [slow.relu(slow.constant(b, x.size))] * longest
        output = slow.linear(cells.plain(m.out.weight), slow.highest(seen_by), cells.plain(m.out.bias))
        np.testing.assert_allclose(result.scores, slow.shares(output, x, base), rtol=0, atol=1e-10)


def test_maxima_are_between_nothing_and_all():
    """A word's share of a maximum has the sign of the difference and is no larger."""
    seen = parts("", lambda m, v, mask: masked(v, mask).amax(1))
    with torch.no_grad():
        seen.module.out.weight[:] = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])
    for result in explain(seen, texts([5, 2], 7), DeepLift("text:w8 w2 w5 w6 w4"), "all"):
        rise = np.asarray(result.explained) - result.account["value at the baseline"]
        np.testing.assert_allclose(result.scores.sum(1), rise, atol=1e-12)
        assert (np.count_nonzero(result.scores, axis=1) <= 1).all()


@pytest.mark.parametrize("step", [1e-12, 1e-9, 3e-6, 1e-3])
def test_a_kink_between_text_and_baseline(step):
    """The quotient, whatever the slope in the middle is."""
    x, x0 = (torch.tensor([value], dtype=torch.float64) for value in (2 * step / 3, -step / 3))
    found = multiplier(torch.relu, x, x0, x.relu(), x0.relu())
    torch.testing.assert_close(found * (x - x0), x, rtol=1e-12, atol=0)


@pytest.mark.parametrize("step", [0.0, 1e-15, 1e-12, 1e-9, 3e-6, 1e-5, 1e-3, 1.0])
def test_multipliers_of_small_differences(step):
    """Δy / Δx to ten digits however small Δx is, beside a kink too."""
    for at in (-0.3, 0.0, 2.0):
        x, x0 = (torch.tensor([value], dtype=torch.float64) for value in (at + step, at))
        for function, exact in ((torch.tanh, slow.of_tanh), (torch.relu, None)):
            found = float(multiplier(function, x, x0, function(x), function(x0)))
            moved = float(x - x0)
            if exact is not None:
                np.testing.assert_allclose(found, exact(float(x), float(x0)), rtol=2e-10)
                plain = exact(float(x), float(x0)), exact(float(x) / 2, float(x0) / 2) / 4
                ours = of_tanh(x, x0, x.tanh(), x0.tanh()), of_sigmoid(x, x0, x.sigmoid(), x0.sigmoid())
                np.testing.assert_allclose([float(one) for one in ours], plain, rtol=1e-14)
            elif moved:
                assert found == float((function(x) - function(x0)) / moved)
            rise = float(function(x) - function(x0))
            np.testing.assert_allclose(found * moved, rise, rtol=0, atol=1e-15)


def test_logarithmic_means():
    logs = torch.tensor([0.0, -1e-12, -0.5, -3.0, -40.0, -800.0, -torch.inf], dtype=torch.float64)
    one, two = torch.meshgrid(logs, logs, indexing="ij")
    found = logarithmic_mean(one, two)
    torch.testing.assert_close(found, found.t(), rtol=1e-9, atol=1e-300)
    torch.testing.assert_close(found.diagonal()[:-1], logs[:-1].exp(), rtol=1e-12, atol=0)
    steps = torch.where(one == two, 0.0, one - two)[:-1, :-1]
    torch.testing.assert_close(found[:-1, :-1] * steps, (one.exp() - two.exp())[:-1, :-1], rtol=1e-9, atol=1e-15)
    assert (found[-1] == 0).all()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda m, v, mask: (v * mask).topk(1, 1).values[:, 0], r"topk, which has no rule"),
        (lambda m, v, mask: (v * mask).median(1).values, r"median, which has no rule"),
        (lambda m, v, mask: (v * mask).std(1, correction=0), r"std, which has no rule"),
        (lambda m, v, mask: ((v.abs() + 1) ** v.sigmoid() * mask).sum(1), "parameters depend"),
        (lambda m, v, mask: F.linear(v * mask, v[0]).sum(1)[:, :4].repeat(1, 4)[:, :4], "weights depend|has no rule"),
    ],
)
def test_parts_without_a_rule_are_refused_by_name(function, message):
    with pytest.raises(UnsupportedError, match=message):
        explain(parts("", function), "w3 w4 w5 w6", "deeplift")


def test_a_module_that_looks_at_its_vectors_is_refused():
    """Vectors of zeros are taken for padding: at a baseline of zeros another module would be explained."""
    seen = parts("", lambda m, v, mask: (v.tanh() * (v.abs().sum(-1, keepdim=True) > 0)).sum(1) + (v != 0).sum(1))
    with pytest.raises(UnsupportedError, match=r"^the module computes differently at the baseline [^\n]+$"):
        explain(seen, "w3 w4", DeepLift("zero"))
    np.testing.assert_allclose(explain(seen, "w3 w4", DeepLift("unknown"), "all").gap, 0, atol=1e-12)


@pytest.mark.parametrize("device", OTHERS)
def test_another_device_gives_what_the_cpu_gives(device):
    """Of a GRU; tests/contracts/test_devices.py has LSTMs and other readouts."""
    module = net(Shape("gru", 2, True, "attention"))
    results = []
    for where in ("cpu", device):
        seen = wrap(module.to(where), vocabulary=WORDS, tokenizer=str.split)
        results.append(explain(seen, texts(LENGTHS), DeepLift("pad"), "all"))
    same(*results, tolerance=1e-8)


def test_wrong_baselines():
    with pytest.raises(UsageError, match=r"baseline must be zero, .*, not 'mean'"):
        DeepLift("mean")
    words = [word for word in WORDS if word != "<mask>"]
    seen = wrap(Bag(), vocabulary=words, tokenizer=str.split)
    with pytest.raises(UnsupportedError, match="no mask token"):
        explain(seen, "w1 w2", DeepLift("mask"))


def test_what_gives_no_vectors_is_refused():
    from exegesis.api import blackbox

    with pytest.raises(UnsupportedError, match=r"^deeplift needs a differentiable model: [^\n]+$"):
        explain(blackbox(lambda rows: np.full((len(rows), 2), 0.5), ["a", "b"]), "w1", "deeplift")


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_batch_is_its_texts_alone(cell):
    for shape in (Shape(cell, 2, True, "attention"), Shape(cell, 1, True, "max", bends=True)):
        seen, raw = model(shape), texts([4, 1, 6])
        for one, text in zip(explain(seen, raw, DeepLift("pad"), "all"), raw, strict=True):
            same([one], [explain(seen, text, DeepLift("pad"), "all")], 1e-12)


def test_long_texts():
    seen = model(Shape("lstm", 1, True, "mean", scale=0.5))
    for result in explain(seen, texts([2000, 1]), DeepLift(), "all"):
        np.testing.assert_allclose(result.gap, 0, atol=1e-9)


def test_single_precision_is_near():
    shape = Shape("lstm", 2, True, "mean", seed=4)
    double = model(shape)
    single = wrap(double.module.__class__(shape), vocabulary=WORDS, tokenizer=str.split)
    single.module.load_state_dict(double.module.state_dict())
    for raw in texts(LENGTHS):
        one, two = (explain(seen, raw, DeepLift("pad"), 0) for seen in (single, double))
        np.testing.assert_allclose(one.scores, two.scores, rtol=1e-3, atol=1e-4)
