"""Where a module takes its word vectors: tables that add more than the word, bags that weigh, vectors of any type."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from exegesis.api import explain
from exegesis.core.errors import UnsupportedError
from exegesis.models.modules.lookups import steady
from exegesis.models.modules.wrap import wrap

WORDS = ["<pad>", "<unk>", *(f"w{n}" for n in range(30))]
SIZE = 6
TEXT = "w1 w2 w3 w4 w1"
IDS = [WORDS.index(word) for word in TEXT.split()]


def places(vectors):
    return 0.3 * torch.arange(vectors.shape[1], device=vectors.device)[:, None].to(vectors)


def with_places(vectors):
    return vectors + places(vectors)


def centred(vectors):
    return vectors - vectors.mean(1, keepdim=True)


def with_neighbour(vectors):
    return vectors + 0.5 * pad(vectors[:, :-1], (0, 0, 1, 0))


def far_ones(vectors):
    return vectors * (2 if vectors.shape[1] > 100 else 1)


MORE = {"places": with_places, "centred": centred, "neighbours": with_neighbour, "long texts": far_ones}


class Adds(nn.Embedding):
    """A table that does more to its vectors than look them up."""

    more = staticmethod(with_places)

    def forward(self, x):
        return self.more(super().forward(x))


class Indexed(nn.Embedding):
    """Adds places, and looks its vectors up without torch's function."""

    def forward(self, x):
        return with_places(self.weight[x])


def adding(more):
    table = Adds(len(WORDS), SIZE)
    table.more = more
    return table


def hooked(more):
    table = nn.Embedding(len(WORDS), SIZE)
    table.register_forward_hook(lambda part, given, vectors: more(vectors))
    return table


class Reviews(nn.Module):
    """``more`` is what happens to the vectors in the open, behind the table."""

    def __init__(self, table, more=None):
        super().__init__()
        self.table, self.lstm, self.out = table, nn.LSTM(SIZE, SIZE, batch_first=True), nn.Linear(SIZE, 2)
        self.more = more

    def forward(self, x):
        vectors = self.table(x)
        return self.out(self.lstm(vectors if self.more is None else self.more(vectors))[0][:, -1])


def wrapped(module):
    return wrap(module.eval(), vocabulary=WORDS, tokenizer=str.split, labels=["a", "b"])


def by_hand(module, ids):
    runs = [ids, *(ids[:n] + ids[n + 1 :] for n in range(len(ids)))]
    with torch.no_grad():
        whole, *rest = (float(module(torch.tensor([run]))[0, 0]) for run in runs)
    return [whole - value for value in rest]


@pytest.mark.parametrize("name", MORE)
def test_a_table_that_adds_more_is_not_steady(name):
    ids = torch.tensor([3, 5, 8, 9])
    assert steady(nn.Embedding(len(WORDS), SIZE), ids)
    assert steady(hooked(lambda vectors: vectors / vectors.norm(dim=-1, keepdim=True)), ids)
    for make in (adding, hooked):
        assert not steady(make(MORE[name]), ids)


@pytest.mark.parametrize(("make", "name"), [(adding, "places"), (adding, "neighbours"), (hooked, "centred")])
def test_what_a_table_adds_is_explained_as_if_it_stood_behind(make, name):
    torch.manual_seed(1)
    hidden = Reviews(make(MORE[name])).double()
    openly = Reviews(nn.Embedding(len(WORDS), SIZE), MORE[name]).double()
    openly.load_state_dict(hidden.state_dict())
    one, other = wrapped(hidden), wrapped(openly)
    found = explain(one, TEXT, "leave-one-out", 0)
    np.testing.assert_allclose(found.scores, by_hand(hidden, IDS), atol=1e-12)
    assert abs(explain(one, TEXT, "shapley", 0).gap) < 1e-10
    for method in ("gradient-x-input", "lrp"):
        found, expected = explain(one, TEXT, method, 0), explain(other, TEXT, method, 0)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-10, err_msg=method)
        assert found.account == pytest.approx(expected.account, abs=1e-10)


def test_places_are_counted_along_time_where_it_comes_first():
    class TimeFirst(nn.Embedding):
        def forward(self, x):
            return super().forward(x) + 0.3 * torch.arange(len(x))[:, None, None]

    class Turned(Reviews):
        def forward(self, x):
            return self.out(self.lstm(self.table(x.t()).transpose(0, 1))[0][:, -1])

    torch.manual_seed(2)
    module = Turned(TimeFirst(len(WORDS), SIZE)).double()
    model = wrapped(module)
    np.testing.assert_allclose(explain(model, TEXT, "leave-one-out", 0).scores, by_hand(module, IDS), atol=1e-12)
    long, short = explain(model, [TEXT, "w5 w6"], "integrated-gradients", 0, tolerance=1e-7)
    np.testing.assert_allclose([long.gap, short.gap], 0, atol=1e-6)


def test_vectors_looked_up_in_another_way_are_out_of_sight():
    torch.manual_seed(6)
    module = Reviews(Indexed(len(WORDS), SIZE)).double()
    module.out.bias.data[:] = -1.0
    model = wrapped(module)
    with pytest.raises(UnsupportedError, match=r"vectors of its Indexed depend on more than the word") as refused:
        explain(model, TEXT, "integrated-gradients")
    assert "\n" not in str(refused.value)
    np.testing.assert_allclose(explain(model, TEXT, "leave-one-out", 0).scores, by_hand(module, IDS), atol=1e-12)


class Bag(nn.Module):
    """Words weighted by their frequency, flat with offsets or in rows, the weights maybe shares of their sum."""

    def __init__(self, *, flat, shares=False, **options):
        super().__init__()
        self.bag, self.out = nn.EmbeddingBag(len(WORDS), SIZE, mode="sum", **options), nn.Linear(SIZE, 2)
        self.register_buffer("frequency", torch.rand(len(WORDS)) + 0.3)
        self.flat, self.shares = flat, shares

    def weights(self, ids):
        weights = self.frequency[ids] * (ids != 0)
        return weights / weights.sum(-1, keepdim=True) if self.shares else weights


class FlatBag(Bag):
    def forward(self, text, offsets):
        return self.out(self.bag(text, offsets, per_sample_weights=self.weights(text)))


class RowsBag(Bag):
    def forward(self, text):
        return self.out(self.bag(text, per_sample_weights=self.weights(text)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: FlatBag(flat=True),
        lambda: RowsBag(flat=False),
        lambda: RowsBag(flat=False, shares=True),
        lambda: FlatBag(flat=True, max_norm=0.5),
    ],
)
def test_a_weighted_bag_gives_each_word_its_weighted_vector(make):
    """The module is linear in its weighted vectors, so a word's part of the logit is known."""
    torch.manual_seed(4)
    module = make().double()
    before = copy.deepcopy(module.state_dict())
    model = wrapped(module)
    ids = torch.tensor(IDS)
    rows = module.bag.weight.detach()[ids]
    if module.bag.max_norm is not None:
        rows = rows * (module.bag.max_norm / rows.norm(dim=1, keepdim=True)).clamp(max=1.0)
    expected = (module.weights(ids)[:, None] * rows) @ module.out.weight[0].detach()
    for method in ("gradient-x-input", "deeplift"):
        for found in (explain(model, TEXT, method, 0), explain(model, ["w7 w8", TEXT, "w9"], method, 0)[1]):
            np.testing.assert_allclose(found.scores, expected, rtol=1e-6, err_msg=method)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


class Typed(nn.Module):
    """A table of another type than the rest, cast behind it or behind a layer of the table's type."""

    def __init__(self, dtype, kind, projected):
        super().__init__()
        self.table = nn.Embedding(len(WORDS), SIZE, dtype=dtype)
        self.between = nn.Linear(SIZE, SIZE, dtype=dtype) if projected else nn.Identity()
        self.layer, self.out = kind(SIZE, SIZE, batch_first=True), nn.Linear(SIZE, 2)

    def forward(self, x):
        return self.out(self.layer(self.between(self.table(x)).float())[0][:, -1])


@pytest.mark.parametrize(("dtype", "projected"), [(torch.float64, True), (torch.float16, False)])
def test_a_table_of_another_type_is_explained_in_the_type_of_the_outputs(dtype, projected):
    torch.manual_seed(5)
    module = Typed(dtype, nn.GRU, projected)
    plain = copy.deepcopy(module).float()
    one, other = wrapped(module), wrapped(plain)
    assert one.embed(one.encode([one.read(TEXT)])).dtype == torch.float32
    for method in ("integrated-gradients", "leave-one-out", "deeplift"):
        found, expected = explain(one, TEXT, method, 0), explain(other, TEXT, method, 0)
        size = np.abs(expected.scores).max()
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4 * size, err_msg=method)
