"""LRP through any module made of parts: by hand, against the fast path, its account, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.overrides import _len_torch_function_stack

import tests.support.text_cnns as text_cnns
from exegesis.api import explain, methods, relevance, wrap
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.protocols.target import ask
from exegesis.questions.attributions.lrp import Lrp
from tests.reference import cells
from tests.reference import lrp as slow
from tests.reference.lrp_parts import Parts, pooled
from tests.support.plain_models import Plain
from tests.support.text_cnns import made
from tests.support.torch_toys import WORDS, Bag, Shape, model, net, texts
from tests.support.user_modules import ZOO

LENGTHS = [6, 1, 7, 3]
PRODUCTS = ("all", "prop", "abs", "half")
RULES = ({}, {"rule": "gamma"}, {"rule": "gamma", "gamma": 2.0}, {"rule": "alpha-beta"},
         {"rule": "alpha-beta", "alpha": 1.0, "beta": 0.0})  # fmt: skip


def wrapped(module, labels=("c0", "c1", "c2")):
    return wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=list(labels))


def cnn(seed=0, **shape):
    """A text CNN as a model, without the trials of ``wrap``."""
    kind = shape.pop("kind", text_cnns.TextCnn)
    return Plain(made(kind(**shape), seed), shape.get("outputs", 3), alone=True)


def account(result, name, target):
    return result.account.get(name, np.zeros(9))[target]


def generally(seen, raw, method, target="all"):
    """Scores [b, k, t] and the account, by the general path whatever the model."""
    batch = seen.encode([seen.read(text) for text in raw])
    outputs = seen.outputs(batch)
    asked = ask(target, seen.labels, seen.link).of(outputs, seen.link)
    values, kept, _ = method.propagated(seen, batch, asked.linear(outputs.shape[1]).to(outputs))
    gap = asked.of(outputs) - values.sum((-1, -2)) - sum(kept.values())
    return values.sum(-1), kept, gap


# by hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", RULES, ids=str)
@pytest.mark.parametrize("kind", ["relu", "tanh", "two dimensions"])
def test_text_cnns(kind, options):
    small = {"widths": (1, 2), "size": 3, "channels": 2, "outputs": 2}
    for seed, shape in enumerate([{}, small, small]):
        make = text_cnns.FlatCnn if kind == "two dimensions" else text_cnns.TextCnn
        bend = {"bend": torch.tanh} if kind == "tanh" else {}
        seen = cnn(seed, kind=make, **shape, **bend)
        module = seen.module
        if seed == 2:  # contributions of one sign alone
            for part in (module.embedding, *module.convs):
                for weight in part.parameters():
                    weight.data.abs_()
            module.convs[1].weight.data[0].neg_()
            module.convs[1].bias.data.neg_()
        convs = []
        for conv in module.convs:
            K = cells.plain(conv.weight)
            convs.append((K[:, 0].transpose(0, 2, 1) if K.ndim == 4 else K, cells.plain(conv.bias)))
        W, b = cells.plain(module.out.weight), cells.plain(module.out.bias)
        for result in explain(seen, texts([6, 2], seed), Lrp(**options), "all"):
            ids = list(result.text.ids)
            x = cells.plain(module.embedding.weight)[ids + [0] * (module.least - len(ids))]
            for label in range(len(W)):
                parts = Parts(**options)
                R = parts.cnn(x, convs, W, b, label, np.tanh if kind == "tanh" else lambda z: np.maximum(z, 0))
                parts.account["fixed parts"] = R[len(ids) :].sum()
                np.testing.assert_allclose(result.scores[label], R[: len(ids)].sum(1), rtol=0, atol=1e-10)
                for name, part in parts.account.items():
                    np.testing.assert_allclose(account(result, name, label), part, rtol=0, atol=1e-10, err_msg=name)


def heads(module, states, parts, label):
    """Relevance of what a ReLU head reads."""
    layers = [(module.bend[0].weight, module.bend[0].bias), (module.out.weight, module.out.bias)]
    return parts.head(states, [(cells.plain(W), cells.plain(b)) for W, b in layers], label, lambda z: np.maximum(z, 0))


@pytest.mark.parametrize("options", RULES[1::2], ids=str)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_relu_head_over_recurrent_layers(cell, options):
    for seed, product in enumerate(PRODUCTS[:: 2 if options["rule"] == "gamma" else -2]):
        shape = Shape(cell, 2, True, "last", bends=True, starts=True, seed=seed)
        module = net(shape)
        seen = wrapped(module)
        weights = [[cells.Weights.of(module.rnn, k, way == 1) for way in range(2)] for k in range(2)]
        h, c = (cells.plain(part)[:, 0] for part in module.start)
        starts = [[(h[k * 2 + way], c[k * 2 + way]) for way in range(2)] for k in range(2)]
        method = Lrp(product=product, **options)
        for result in explain(seen, texts([4, 1], seed), method, "all"):
            x = cells.plain(module.embedding.weight)[list(result.text.ids)]
            inputs = list(x)
            for layer, start in zip(weights, starts, strict=True):
                ways = [slow.forward(cell, inputs[:: -1 if way else 1], w, *start[way])[:: -1 if way else 1]
                        for way, w in enumerate(layer)]  # fmt: skip
                inputs = [np.concatenate(each) for each in zip(*ways, strict=True)]
            read = np.concatenate([ways[0][-1], ways[1][0]])
            for label in range(3):
                parts = Parts(**options)
                top = heads(module, read, parts, label)
                R = [np.zeros((len(x), 4)), np.zeros((len(x), 4))]
                R[0][-1], R[1][0] = top[:4], top[4:]
                rule = slow.Lrp(0.001, product, method.denominator)
                expected = rule.words(cell, weights, x, starts, R).sum(1)
                size = 1e-10 * rule.largest
                np.testing.assert_allclose(result.scores[label], expected, rtol=0, atol=size)
                for name in ("biases", "absorbed by epsilon", "initial states"):
                    both = parts.account.get(name, 0.0) + rule.account[name]
                    np.testing.assert_allclose(account(result, name, label), both, rtol=0, atol=size, err_msg=name)


class Attending(nn.Module):
    """Attention by torch functions alone, in two spellings."""

    def __init__(self, spelling):
        super().__init__()
        self.embedding, self.rnn = nn.Embedding(len(WORDS), 3), nn.GRU(3, 4, batch_first=True)
        self.attend, self.out = nn.Linear(4, 1), nn.Linear(4, 3)
        self.spelling = spelling

    def run(self, vectors, mask):
        states, _ = self.rnn(vectors)
        scores = self.attend(torch.tanh(states))
        if self.spelling == "bmm":
            context = torch.bmm(scores.softmax(1).transpose(1, 2), states)[:, 0]
        elif self.spelling == "einsum":
            context = torch.einsum("bt,bth->bh", F.softmax(scores.squeeze(-1), -1), states)
        else:
            context = (torch.softmax(scores, 1) * states).sum(1)
        return self.out(context)


@pytest.mark.parametrize("spelling", ["bmm", "einsum", "sum"])
def test_functional_attention(spelling):
    for seed, product in enumerate(PRODUCTS):
        module = made(Attending(spelling), seed)
        seen = Plain(module, alone=True)
        weights, zero = cells.Weights.of(module.rnn, 0, False), np.zeros(4)
        raw = texts([5, 2], seed)
        values, kept, gap = generally(seen, raw, Lrp(product=product))
        np.testing.assert_allclose(gap, 0, atol=1e-9)
        for row, text in enumerate(raw):
            ids = list(seen.read(text).ids)
            x = cells.plain(module.embedding.weight)[ids]
            states = np.array(slow.forward("gru", list(x), weights, zero, zero))
            score = np.tanh(states) @ cells.plain(module.attend.weight)[0] + cells.plain(module.attend.bias)[0]
            attention = np.exp(score) / np.exp(score).sum()
            for label in range(3):
                parts = Parts()
                context = (attention[:, None] * states).sum(0)
                R = parts.head(context, [(cells.plain(module.out.weight), cells.plain(module.out.bias))], label, None)
                rule = slow.Lrp(0.001, product, Lrp(product=product).denominator)
                found = rule.words("gru", [[weights]], x, [[(zero, zero)]], [pooled(states, attention, R)])
                np.testing.assert_allclose(values[row, label, : len(ids)], found.sum(1), atol=1e-10 * rule.largest)
                both = parts.account["biases"] + rule.account["biases"]
                np.testing.assert_allclose(kept["biases"][row, label], both, atol=1e-10 * rule.largest)


# the fast path ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_general_path_is_the_fast_one(cell, product):
    """Where both serve; by the gamma rule with gamma 0 too, which is the epsilon rule."""
    shapes = [(False, "mean", False), (True, "concat", True)]
    for seed, (both, readout, starts) in enumerate(shapes[PRODUCTS.index(product) % 2 :: 2]):
        seen = model(Shape(cell, 2, both, readout, starts=starts, seed=seed))
        raw = texts(LENGTHS, seed)
        general = Lrp(product=product, rule="gamma", gamma=0.0)
        fast = explain(seen, raw, Lrp(product=product), "all")
        values, _, gap = generally(seen, raw, Lrp(product=product))
        np.testing.assert_allclose(gap, 0, atol=1e-9)
        for row, (one, other) in enumerate(zip(fast, explain(seen, raw, general, "all"), strict=True)):
            size = max(1.0, np.abs(one.scores).max())
            np.testing.assert_allclose(other.scores, one.scores, rtol=0, atol=1e-10 * size)
            np.testing.assert_allclose(values[row, :, : len(one.words)], one.scores, rtol=0, atol=1e-10 * size)
            for name in one.account:
                np.testing.assert_allclose(other.account[name], one.account[name], rtol=0, atol=1e-10 * size)


@pytest.mark.parametrize("readout", ["last", "max", "attention"])
def test_readouts_on_the_general_path(readout):
    seen = model(Shape("lstm", 1, True, readout, seed=2))
    raw = texts(LENGTHS)
    values, _, gap = generally(seen, raw, Lrp(product="half"))
    np.testing.assert_allclose(gap, 0, atol=1e-9)
    for row, result in enumerate(explain(seen, raw, Lrp(product="half"), "all")):
        np.testing.assert_allclose(values[row, :, : len(result.words)], result.scores, rtol=0, atol=1e-10)


class ByHand(nn.Module):
    """An LSTM or a GRU written in torch functions, with the weights of a library module."""

    def __init__(self, rnn, spelling=0, reads="h"):
        super().__init__()
        self.embedding, self.rnn, self.out = nn.Embedding(len(WORDS), 3), rnn, nn.Linear(4, 3)
        self.spelling, self.reads = spelling, reads

    def run(self, vectors, mask):
        w = self.rnn
        h = c = torch.zeros(len(vectors), 4, dtype=torch.float64)
        for vector in vectors.unbind(1):
            a, b = F.linear(vector, w.weight_ih_l0, w.bias_ih_l0), F.linear(h, w.weight_hh_l0, w.bias_hh_l0)
            if isinstance(w, nn.LSTM):
                i, f, g, o = (a + b).chunk(4, 1)
                if self.spelling:  # activated before they are taken apart
                    i, f, o = torch.cat([i, f, o], 1).sigmoid().split(4, 1)
                else:
                    i, f, o = torch.sigmoid(i), torch.sigmoid(f), o.clone().sigmoid_()
                c = f * c + i * torch.tanh(g)
                h = o * torch.tanh(c)
            else:
                r, z, n = (a[:, :4] + b[:, :4]).sigmoid(), torch.sigmoid(a[:, 4:8] + b[:, 4:8]), a[:, 8:]
                n = torch.tanh(n + r * b[:, 8:])
                h = (1 - z) * n + z * h
        return self.out(c if self.reads == "c" else h)


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize(("cell", "spelling"), [(nn.LSTM, 0), (nn.LSTM, 1), (nn.GRU, 0)])
def test_cells_written_in_torch_functions(cell, spelling, product):
    """Without epsilon a sum of two maps is one map: the numbers of the library's own layer."""
    module = made(ByHand(cell(3, 4, batch_first=True), spelling), 2)
    library = made(Bag())
    library.run = lambda vectors, mask: module.out(module.rnn(vectors)[0][:, -1])
    library.embedding, library.out, library.rnn = module.embedding, module.out, module.rnn
    method = Lrp(1e-13, product, stabilizer=1e-3)
    raw = texts([4, 2])
    models = [Plain(part, alone=True) for part in (module, library)]
    for one, other in zip(*(explain(seen, raw, method, "all") for seen in models), strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(one.gap, 0, atol=1e-9)
    for result in explain(models[0], raw, Lrp(product=product), "all"):
        np.testing.assert_allclose(result.gap, 0, atol=1e-9)


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_last_cell_state_is_read(product):
    module = made(ByHand(nn.LSTM(3, 4, batch_first=True), reads="c"), 3)
    library = made(Bag())
    library.embedding, library.out, library.rnn = module.embedding, module.out, module.rnn
    library.run = lambda vectors, mask: module.out(module.rnn(vectors)[1][1][-1])
    method = Lrp(1e-13, product, stabilizer=1e-3)
    models = [Plain(part, alone=True) for part in (module, library)]
    for one, other in zip(*(explain(seen, texts([4, 2]), method, "all") for seen in models), strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-6, atol=1e-8)


class Between(nn.Module):
    """A recurrent layer that ``wrap`` sees through, over another that mixes the words."""

    def __init__(self, norm):
        super().__init__()
        self.embedding, self.first = nn.Embedding(len(WORDS), 3), nn.GRU(3, 2, batch_first=True, bidirectional=True)
        self.rnn, self.out, self.norm = nn.LSTM(4, 4, batch_first=True), nn.Linear(4, 3), norm

    def forward(self, x):
        return self.out(self.rnn(self.norm(self.first(self.embedding(x))[0]))[0][:, -1])


def test_what_stands_before_the_recurrent_layer():
    """Relevance goes on to the words, unless what stands there has no rule: then it stays at the word's position."""
    for norm in (nn.Identity(), nn.LayerNorm(4), nn.LogSoftmax(-1)):
        seen = wrapped(made(Between(norm), 1))
        assert "naive-reat" in {card.name for card in methods(seen)}  # it is seen through
        raw = texts([5, 3])
        results = explain(seen, raw, "lrp", "all")
        np.testing.assert_allclose([result.gap for result in results], 0, atol=1e-9)
        if not isinstance(norm, nn.LogSoftmax):
            values, _, _ = generally(seen, raw, Lrp())
            for row, result in enumerate(results):
                np.testing.assert_allclose(values[row, :, : len(result.words)], result.scores, rtol=0, atol=1e-11)
            assert "recurrent 2 layer 1 forward" in relevance(seen, raw[0], 0).states
        else:
            assert "layer 1 forward" in relevance(seen, raw[0], 0).states


class Loops(nn.Module):
    """A cell of the library in a loop, or the layer that has its weights."""

    def __init__(self, cell, layer):
        super().__init__()
        self.embedding, self.cell, self.out = nn.Embedding(len(WORDS), 3), cell(3, 4), nn.Linear(4, 3)
        self.layer, self.loops = layer(3, 4, batch_first=True), True

    def run(self, vectors, mask):
        if not self.loops:
            for name, weight in self.cell.named_parameters():
                getattr(self.layer, f"{name}_l0").data = weight.data
            return self.out(self.layer(vectors)[0][:, -1])
        state = None
        for vector in vectors.unbind(1):
            state = self.cell(vector, state)
        return self.out(state[0] if isinstance(state, tuple) else state)


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize(
    ("cell", "layer"), [(nn.LSTMCell, nn.LSTM), (nn.GRUCell, nn.GRU), (nn.RNNCell, nn.RNN)], ids=["lstm", "gru", "rnn"]
)
def test_cells_in_a_loop_are_a_layer(cell, layer, product):
    module = made(Loops(cell, layer), 1)
    raw = texts([5, 1, 3])
    loop = explain(Plain(module, alone=True), raw, Lrp(product=product), "all")
    module.loops = False
    for one, other in zip(loop, explain(Plain(module, alone=True), raw, Lrp(product=product), "all"), strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-10)
        for name in ("biases", "absorbed by epsilon"):
            np.testing.assert_allclose(one.account[name], other.account[name], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "name",
    [
        "time first with lengths, packed", "sorts its rows behind the embedding", "turns the vectors inside",
        "max with the zeros of padding", "state of a lower layer", "product of states", "a loop over nn.LSTMCell",
        "texts turned round", "a vector put in front", "two encoders side by side", "head with ReLU",
    ],
)  # fmt: skip
def test_modules_as_users_write_them(name):
    """Batched is alone, to the account, for modules that sort, turn, pack and split their batches."""
    seen = wrapped(made(ZOO[name].make().double(), 3))
    raw = texts([2, 5, 1, 5])
    values, kept, gap = generally(seen, raw, Lrp(product="half"))
    np.testing.assert_allclose(gap, 0, atol=1e-9)
    for row in (0, 2):
        alone, own, _ = generally(seen, [raw[row]], Lrp(product="half"))
        np.testing.assert_allclose(values[row, :, : alone.shape[2]], alone[0], rtol=0, atol=1e-10)
        for part in own:
            np.testing.assert_allclose(kept[part][row], own[part][0], rtol=0, atol=1e-10, err_msg=part)


# identities -------------------------------------------------------------------------------------------------------


def test_without_biases_and_gates_it_is_gradient_times_input():
    """LRP-0 of a network of linear maps, ReLU and pooling."""
    for seed, shape in enumerate([{}, {"widths": (1, 2)}, {"kind": text_cnns.TextCnn, "channels": 6}]):
        seen = cnn(seed, bias=False, **shape)
        for raw in texts([7, 6, 5], seed):
            ours, theirs = explain(seen, raw, Lrp(0.0), "all"), explain(seen, raw, "gradient-x-input", "all")
            np.testing.assert_allclose(ours.scores, theirs.scores, rtol=0, atol=1e-10)
            np.testing.assert_allclose(ours.scores.sum(1), ours.explained, rtol=0, atol=1e-10)


@pytest.mark.parametrize("options", RULES, ids=str)
def test_words_alone_are_the_number_without_biases_and_epsilon(options):
    seen = cnn(1, bias=False)
    for result in explain(seen, texts([7, 5]), Lrp(0.0, **options), "all"):
        np.testing.assert_allclose(result.scores.sum(1), result.explained, rtol=1e-9)


def test_targets():
    seen = cnn(1)
    raw = texts([7, 3, 5])
    for each in explain(seen, raw, Lrp(), "all"):
        for label in range(3):
            np.testing.assert_allclose(
                explain(seen, each.text.raw, Lrp(), label).scores, each.scores[label], atol=1e-12
            )
    exact = explain(seen, raw, Lrp(0.0), "all")
    for one, margin in zip(exact, explain(seen, raw, Lrp(0.0), "margin:c2,c0"), strict=True):
        np.testing.assert_allclose(margin.scores, one.scores[2] - one.scores[0], atol=1e-10)
    single = wrapped(made(text_cnns.TextCnn(outputs=1), 1), ["no", "yes"])
    yes, no = (explain(single, raw[0], "lrp", label) for label in ("yes", "no"))
    np.testing.assert_allclose(yes.scores, -no.scores, atol=1e-12)
    with pytest.raises(UnsupportedError, match="decomposes a logit"):
        explain(seen, raw, "lrp", "probability:c1")


# what a module does with its tensors ------------------------------------------------------------------------------


class Does(nn.Module):
    """Word vectors, one function of them [b, t, d] (and their mask) that gives [b, 4], a linear layer."""

    def __init__(self, function):
        super().__init__()
        self.embedding, self.inner, self.out = nn.Embedding(len(WORDS), 4), nn.Linear(4, 4), nn.Linear(4, 3)
        self.conv, self.batch_norm = nn.Conv1d(4, 4, 2, padding=1), nn.BatchNorm1d(4).double()
        self.rnn = nn.LSTM(4, 2, 2, batch_first=True, bidirectional=True)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.batch_norm.running_mean += 0.3
        self.batch_norm.running_var += 0.5
        self.extra = nn.Parameter(torch.randn(4, dtype=torch.float64))
        self.function = function

    def run(self, vectors, mask):
        return self.out(self.function(self, vectors, mask))


def packed(m, x, mask):
    data = pack_padded_sequence(x, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
    data = data._replace(data=m.inner(data.data))
    return pad_packed_sequence(data, batch_first=True)[0].sum(1)


def lowest(m, x, mask):
    data = pack_padded_sequence(x, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
    found = pad_packed_sequence(data._replace(data=m.inner(data.data)), batch_first=True, padding_value=1e3)[0]
    return found.amin(1)


def finals(m, x, mask):
    """The last hidden and cell states of all layers and directions, over packed texts of mixed lengths."""
    data = pack_padded_sequence(x, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
    _, (h, c) = m.rnn(data)
    return h.transpose(0, 1).flatten(1)[:, ::2] + c.transpose(0, 1).flatten(1)[:, 1::2]


def written(m, x, mask):
    found = torch.zeros_like(x)
    for t in range(x.shape[1]):
        found[:, t] = m.inner(x[:, t])
    found[~mask] = 0.0
    return found.sum(1)


def overwritten(m, x, mask):
    found = m.inner(x).clone()
    found[:, 0] = 0.5
    found[:, :, 1:2] *= 2.0
    return (found * mask[..., None]).sum(1)


def sorted_rows(m, x, mask):
    order = mask.sum(1).argsort(descending=True, stable=True)
    return (m.inner(x[order]) * mask[order][..., None]).sum(1)[order.argsort()]


def longest(m, x, mask):
    """The two highest of each unit."""
    return m.inner(x).masked_fill(~mask[..., None], -9.0).topk(1, dim=1).values.mean(1)


def looped(m, x, mask):
    h = x.new_zeros(len(x), 4)
    for vector, keep in zip(x.unbind(1), mask.double().unbind(1), strict=True):
        h = keep[:, None] * torch.tanh(m.inner(vector) + h) + (1 - keep[:, None]) * h
    return h


def masked(x, mask, value=0.0):
    return x.masked_fill(~mask[..., None], value)


DOES = {
    "mean": lambda m, x, mask: masked(m.inner(x), mask).sum(1) / mask.sum(1, keepdim=True),
    "time first": lambda m, x, mask: (m.inner(x.transpose(0, 1)) * mask.t()[..., None]).sum(0),
    "channels first": lambda m, x, mask: masked(m.conv((x * mask[..., None]).mT)[..., 1:].mT, mask, -9.0).amax(1),
    "packed": packed,
    "packed with another padding": lowest,
    "last states of all layers": finals,
    "written into zeros": written,
    "written over": overwritten,
    "sorted rows": sorted_rows,
    "topk": longest,
    "sort": lambda m, x, mask: masked(m.inner(x), mask, -9.0).sort(1, descending=True)[0][:, 0],
    "flip": lambda m, x, mask: masked(m.inner(x), mask).flip(1).flip(-1).sum(1),
    "positions added": lambda m, x, mask: masked(x + torch.arange(x.shape[1])[:, None] * 0.1, mask).sum(1),
    "positions taken away": lambda m, x, mask: masked(0.3 - torch.sub(m.inner(x), m.extra, alpha=2), mask).sum(1),
    "a bias by hand": lambda m, x, mask: masked(x @ m.inner.weight.T + m.extra, mask).sum(1),
    "where": lambda m, x, mask: torch.where(mask[..., None], m.inner(x), 0.0).sum(1),
    "maximum": lambda m, x, mask: masked(torch.maximum(m.inner(x), x), mask).sum(1).clamp(min=-0.3),
    "a floor": lambda m, x, mask: masked(torch.maximum(x, torch.full_like(x, -0.5)), mask).sum(1),
    "put in front": lambda m, x, mask: m.inner(
        torch.cat([m.extra.expand(len(x), 1, 4), masked(x, mask)], 1)
    )[:, :1].sum(1) + masked(x, mask).sum(1),
    "stacked": lambda m, x, mask: torch.stack([masked(x, mask).sum(1), masked(m.inner(x), mask).sum(1)], 2).sum(2),
    "stacked with constants": lambda m, x, mask: torch.stack(
        [masked(m.inner(x), mask).sum(1), m.extra.expand(len(x), 4)], 0
    ).sum(0),
    "iterated": lambda m, x, mask: sum(
        vector * keep for vector, keep in zip(x.transpose(0, 1), mask.t()[..., None], strict=True)
    ),
    "masked by infinity": lambda m, x, mask: (masked(m.inner(x), mask, -torch.inf) + x).amax(1),
    "unbind": lambda m, x, mask: sum((x * mask[..., None]).unbind(1)),
    "einsum": lambda m, x, mask: torch.einsum(
        "btk,bt->bk", torch.einsum("btd,kd->btk", x, m.inner.weight), mask.double()
    ),
    "a loop over masked steps": lambda m, x, mask: looped(m, x, mask),
    "a gate under a mask": lambda m, x, mask: (torch.sigmoid(m.inner(x)) * mask[..., None].double() * x).sum(1),
    "bmm of a mask": lambda m, x, mask: torch.bmm(mask[:, None].double(), m.inner(x))[:, 0],
    "states times states": lambda m, x, mask: torch.bmm(masked(x, mask).mT, masked(m.inner(x), mask)).sum(2),
    "gated": lambda m, x, mask: masked(torch.sigmoid(m.inner(x)) * x, mask).sum(1),
    "highway": lambda m, x, mask: masked(
        torch.sigmoid(m.inner(x)) * torch.tanh(x) + (1 - torch.sigmoid(m.inner(x))) * x, mask
    ).sum(1),
    "residual": lambda m, x, mask: masked(F.gelu(m.inner(x)) + x, mask).sum(1),
    "in place": lambda m, x, mask: F.relu_(m.inner(x).mul_(2.0).add_(1.0)).masked_fill_(~mask[..., None], 0.0).sum(1),
    "several activations": lambda m, x, mask: masked(
        F.silu(m.inner(x)) + F.leaky_relu(x, 0.1) + F.softplus(x) + x.abs() + F.elu(x) + x.square(), mask
    ).sum(1),
    "pooled by windows": lambda m, x, mask: F.avg_pool1d(
        F.max_pool1d(F.pad(masked(m.inner(x), mask, -9.0).mT, (0, 1), value=-0.1), 2, 1), 1
    ).amax(2),
    "dropout and casts": lambda m, x, mask: F.dropout(masked(x, mask), 0.5, False).double().contiguous().sum(1),
    "gathered": lambda m, x, mask: m.inner(x).gather(1, (mask.sum(1) - 1)[:, None, None].expand(-1, 1, 4)).squeeze(1),
    "normalised over batches": lambda m, x, mask: masked(m.batch_norm(m.inner(x).mT).mT, mask).sum(1),
    "gated linear unit": lambda m, x, mask: masked(F.glu(torch.cat([x, m.inner(x)], -1)), mask).sum(1),
    "interpolated": lambda m, x, mask: masked(torch.lerp(x, m.inner(x), torch.sigmoid(x)), mask).sum(1),
    "products added": lambda m, x, mask: masked(torch.addcmul(x, x.sigmoid(), m.inner(x), value=2), mask).sum(1),
    "matrices added": lambda m, x, mask: torch.addmm(m.extra, masked(x, mask).sum(1), m.inner.weight, alpha=0.5),
    "lengths": lambda m, x, mask: masked(
        x / x.norm(dim=-1, keepdim=True) + F.normalize(m.inner(x), dim=-1), mask
    ).sum(1) * F.cosine_similarity(masked(x, mask).sum(1), x[:, 0])[:, None],
    "attention": lambda m, x, mask: (mask[..., None] * F.scaled_dot_product_attention(
        m.inner(x), x, x, attn_mask=mask[:, None].expand(-1, x.shape[1], -1))).sum(1),
    "attention of nn.MultiheadAttention": lambda m, x, mask: masked(
        m.attention(x, x, x, key_padding_mask=~mask)[0], mask).sum(1),
    "cumulative": lambda m, x, mask: masked(m.inner(x), mask).cumsum(1)[:, -1],
    "detached": lambda m, x, mask: masked(x * torch.tanh(x).detach(), mask).sum(1),
    "row by row": lambda m, x, mask: torch.stack(
        [one[keep].sum() * m.extra + m.inner(one[keep]).sum(0) for one, keep in zip(x, mask, strict=True)]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOES)
def test_whatever_a_module_does_with_its_tensors(name):
    """Every text has its own account, which closes, in a batch as alone, whatever the layout."""
    seen = Plain(made(Does(DOES[name]), 4))
    raw = texts([3, 5, 1, 5])
    for method in (Lrp(), Lrp(product="abs", rule="gamma"), Lrp(product="half", rule="alpha-beta")):
        values, kept, gap = generally(seen, raw, method)
        np.testing.assert_allclose(gap, 0, atol=1e-9)
        for row in (2,) if method.rule != "epsilon" else (0, 2):
            alone, own, _ = generally(seen, raw[row : row + 1], method)
            np.testing.assert_allclose(values[row, :, : alone.shape[2]], alone[0], rtol=0, atol=1e-10)
            for part in kept:
                one = own[part][0] if part in own else torch.zeros(3).double()
                np.testing.assert_allclose(kept[part][row], one, rtol=0, atol=1e-10, err_msg=part)


@pytest.mark.parametrize("name", ["positions taken away", "a bias by hand", "residual", "matrices added", "gated"])
def test_without_epsilon_sums_keep_their_own_slopes(name):
    """The account that hooks book is that of the rule with an epsilon too small to count."""
    seen = Plain(made(Does(DOES[name]), 4))
    raw = texts([3, 5, 1])
    exact, near = (generally(seen, raw, Lrp(epsilon)) for epsilon in (0.0, 1e-13))
    np.testing.assert_allclose(exact[0], near[0], rtol=0, atol=1e-8)
    np.testing.assert_allclose(exact[2], 0, atol=1e-9)
    for part, amount in exact[1].items():
        np.testing.assert_allclose(amount, near[1][part], rtol=0, atol=1e-8, err_msg=part)


class Doubling(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, slope):
        return 2 * slope


REFUSED = {
    "cumprod": lambda m, x, mask: x.sum(1).cumprod(1),
    "log_softmax": lambda m, x, mask: F.log_softmax(x, -1).sum(1),
    "logsumexp": lambda m, x, mask: x.logsumexp(1),
    "fft": lambda m, x, mask: torch.fft.fft(x).real.sum(1),
    "divides by a tensor": lambda m, x, mask: x.sum(1) / (1 + x.abs().sum(1)),
    "weights depend on the words": lambda m, x, mask: torch.stack([F.linear(one, one[:4]).sum(0) for one in x]),
    "out of sight": lambda m, x, mask: Doubling.apply(x).sum(1) + 0.0,
    "einsum": lambda m, x, mask: torch.einsum("btd,btd,btd->bd", x, x, x),
    "write what depends|writes what depends": lambda m, x, mask: written_over_ones(x),
}  # fmt: skip


def test_functions_are_taken_apart():
    """The same numbers as what they are made of."""
    pairs = [
        ("gated linear unit", lambda m, x, mask: masked(torch.sigmoid(m.inner(x)) * x, mask).sum(1)),
        ("interpolated", lambda m, x, mask: masked(
            (1 - torch.sigmoid(x)) * x + torch.sigmoid(x) * m.inner(x), mask).sum(1)),
        ("products added", lambda m, x, mask: masked(x + 2 * (torch.sigmoid(x) * m.inner(x)), mask).sum(1)),
        ("matrices added", lambda m, x, mask: 0.5 * (masked(x, mask).sum(1) @ m.inner.weight) + m.extra),
    ]  # fmt: skip
    for name, plain in pairs:
        one, other = (Plain(made(Does(function), 4)) for function in (DOES[name], plain))
        np.testing.assert_allclose(one.outputs(one.encode([one.read("w1 w2")])), other.outputs(
            other.encode([other.read("w1 w2")])), atol=1e-12)  # fmt: skip
        for product in PRODUCTS:
            first, second = (generally(seen, ["w1 w2 w3"], Lrp(product=product)) for seen in (one, other))
            np.testing.assert_allclose(first[0], second[0], rtol=0, atol=1e-10, err_msg=f"{name} {product}")


def written_over_ones(x):
    found = torch.ones_like(x)
    found[:, 0] = x[:, 0]
    return found.sum(1)


@pytest.mark.parametrize("name", REFUSED)
def test_parts_without_a_rule_are_named(name):
    """In one line, before any text is explained; and nothing is left behind."""
    module = made(Does(REFUSED[name]), 4)
    seen = Plain(module)
    flags = [part.training for part in module.modules()]
    assert "lrp" not in {card.name for card in methods(seen)}
    for _ in range(2):
        with pytest.raises(UnsupportedError, match=rf"^lrp needs a rule for every part: [^\n]*({name})[^\n]*$"):
            explain(seen, "w1 w2 w3 w4", "lrp")
        assert _len_torch_function_stack() == 0
    assert [part.training for part in module.modules()] == flags
    assert not any(part._forward_hooks for part in module.modules())


def test_the_module_raises_midway():
    seen = cnn()
    module = seen.module
    assert "lrp" in {card.name for card in methods(seen)}

    def fail(*_):
        raise RuntimeError("midway")

    handle = module.out.register_forward_hook(fail)
    with pytest.raises(Exception, match="midway"):
        Lrp().propagated(seen, seen.encode([seen.read("w1 w2")]), torch.ones(1, 1, 3).double())
    handle.remove()
    assert _len_torch_function_stack() == 0
    assert not any(part._forward_hooks for part in module.modules())


# limits -----------------------------------------------------------------------------------------------------------


def test_zero_denominators():
    """A signal that is exactly zero before its sigmoid received relevance that it cannot share without epsilon."""
    module = made(Does(lambda m, x, mask: torch.sigmoid(masked(m.inner(x), mask).sum(1))), 4)
    with torch.no_grad():
        module.inner.weight[0] = 0.0
        module.inner.bias[0] = 0.0
    with pytest.raises(UsageError, match=r"exactly zero and cannot share it: take epsilon > 0"):
        explain(Plain(module), "w1 w2 w3", Lrp(0.0), "all")
    one = Plain(made(Does(lambda m, x, mask: torch.sigmoid(m.inner(x[:, 0]))), 4))
    one.module.inner = module.inner  # without the sum, whose epsilon is none
    for options in RULES:
        result = explain(one, "w1 w2 w3", Lrp(**options), "all")
        np.testing.assert_allclose(result.gap, 0, atol=1e-9)
        with pytest.raises(UsageError, match="exactly zero"):
            explain(one, "w1 w2 w3", Lrp(0.0, **options), "all")
    for product in ("half", "abs"):
        gated = made(Does(lambda m, x, mask: torch.sigmoid(m.inner(x[:, 0])) * x[:, 0]), 4)
        gated.inner = one.module.inner
        with pytest.raises(UsageError, match="exactly zero"):
            explain(Plain(gated), "w1 w2 w3", Lrp(0.0, "half"))
        np.testing.assert_allclose(explain(Plain(gated), "w1 w2", Lrp(product=product), "all").gap, 0, atol=1e-9)


def test_dead_units_receive_and_stop_nothing():
    seen = cnn(2)
    module = seen.module
    with torch.no_grad():
        module.convs[0].weight[0] = 0.0
        module.convs[0].bias[0] = 0.0
    for options in RULES:
        for epsilon in (0.0, 0.001):
            result = explain(seen, texts([6])[0], Lrp(epsilon, **options), "all")
            np.testing.assert_allclose(result.gap, 0, atol=1e-9)


@pytest.mark.parametrize(
    "options",
    [{"rule": "most"}, {"alpha": 2.0, "beta": 2.0}, {"alpha": 0.5, "beta": -0.5}, {"gamma": -1.0}],
)
def test_wrong_parameters(options):
    with pytest.raises(UsageError, match=r"^[^\n]+$"):
        Lrp(**options)


def test_biases_are_spread_under_the_epsilon_rule_alone():
    with pytest.raises(UnsupportedError, match="take bias='keep'"):
        explain(model(Shape()), "w1 w2", Lrp(bias="spread", rule="gamma"))


def test_single_precision_is_near():
    double = cnn(5)
    single = Plain(text_cnns.TextCnn(), alone=True)
    single.module.load_state_dict(double.module.state_dict())
    for options in RULES[:4]:
        one, two = (explain(each, texts([7])[0], Lrp(**options), "all") for each in (single, double))
        np.testing.assert_allclose(one.scores, two.scores, rtol=1e-3, atol=1e-4)


# components, layers, steps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cell", "product"), [("lstm", "all"), ("lstm", "half"), ("gru", "half"), ("rnn", "all")])
def test_every_cut_of_a_recurrent_network_holds_the_number(cell, product):
    """Nothing is kept: what arrives at a layer, and at a step with the words behind it, is the number."""
    method = {"epsilon": 0.0, "product": product, "stabilizer": 0.0}
    whole = model(Shape(cell, 2, True, "mean", bias=False, head_bias=False, seed=3))
    once = model(Shape(cell, 1, False, "last", bias=False, head_bias=False, seed=3))
    for general in ({}, {"rule": "gamma", "gamma": 0.0}):
        found = relevance(whole, texts([5])[0], 1, **method, **general)
        np.testing.assert_allclose(found.dimensions.sum(), found.explained, rtol=1e-8)
        for layer in (1, 2):
            above = [found.states[f"layer {layer} {way} from above"].sum() for way in ("forward", "reverse")]
            np.testing.assert_allclose(sum(above), found.explained, rtol=1e-8)
        assert found.states["layer 1 reverse"].shape == (5, 4)
        assert ("layer 1 forward cells" in found.states) == (cell == "lstm")
        if product == "half" and cell == "lstm":
            continue  # half of h_t's relevance goes around c_t
        found = relevance(once, texts([5])[0], 1, **method, **general)
        states = found.states["layer 1 forward" + (" cells" if cell == "lstm" else "")]
        np.testing.assert_allclose(np.cumsum(found.scores), states.sum(1), rtol=1e-7)
    if cell == "lstm" and product == "all":
        turned = model(Shape(cell, 1, True, "last", bias=False, head_bias=False, seed=3))
        for general in ({}, {"rule": "gamma", "gamma": 0.0}):
            found = relevance(turned, texts([4])[0], 1, **method, **general)
            ways = [found.states[f"layer 1 {way} cells"] for way in ("forward", "reverse")]
            np.testing.assert_allclose(ways[0][-1].sum() + ways[1][0].sum(), found.explained, rtol=1e-7)


def test_components_and_states_are_those_of_the_scores():
    for seen in (model(Shape("lstm", 2, True, "max", seed=2)), cnn(), wrapped(Bag())):
        for text in texts([6, 2]):
            result, found = explain(seen, text, "lrp", 2), relevance(seen, text, 2)
            np.testing.assert_allclose(found.scores, result.scores, rtol=0, atol=1e-11)
            assert found.dimensions.shape == (len(result.words), seen.embed(seen.encode([result.text])).shape[2])
            assert (found.words, found.target, found.method) == (result.words, result.target, result.method)
            np.testing.assert_allclose(found.gap, 0, atol=1e-9)
            assert found.account == pytest.approx(dict(result.account), abs=1e-11)
    with pytest.raises(ValueError, match="read-only"):
        found.dimensions[0, 0] = 1.0
    with pytest.raises(UsageError, match="take one label"):
        relevance(seen, "w1", "all")
    with pytest.raises(UnsupportedError, match="lrp needs"):
        relevance(Plain(made(Does(REFUSED["cumprod"]))), "w1 w2")


def test_layers_of_a_cnn_hold_the_number():
    seen = cnn(1, bias=False)
    found = relevance(seen, texts([6])[0], 0, epsilon=0.0)
    assert list(found.states) == ["conv1d 1", "conv1d 2", "conv1d 3", "linear 1"]
    assert [found.states[f"conv1d {k}"].shape for k in (1, 2, 3)] == [(4, 4), (4, 3), (4, 2)]
    np.testing.assert_allclose(sum(found.states[f"conv1d {k}"].sum() for k in (1, 2, 3)), found.explained, rtol=1e-9)
    np.testing.assert_allclose(found.states["linear 1"], [found.explained, 0, 0], rtol=1e-9)
    cells_ = relevance(Plain(made(ByHand(nn.LSTM(3, 4, batch_first=True)))), "w1 w2", 0)
    assert {"linear 1", "linear 4", "sum 1", "sum 2"} <= set(cells_.states)
