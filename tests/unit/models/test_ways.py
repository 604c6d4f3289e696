"""Words that reach the outputs by another way than their vectors: gradient methods are refused, removal is served."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import exegesis
from exegesis.core.errors import UnsupportedError
from exegesis.models.modules.wrap import wrap
from exegesis.models.ways import ELSEWHERE, texts_of, tried_words
from exegesis.protocols.model import Differentiable, offers

N = 500
WORDS = ["<pad>", "<unk>", "<eos>", *(f"w{i}" for i in range(N - 3))]
RARE = 431


class Besides(nn.Module):
    """Word vectors and a linear layer, and something of the ids besides."""

    def __init__(self, besides):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.second, self.out = nn.Embedding(N, 6), nn.Embedding(N, 6), nn.Linear(6, 3)
        self.hashed, self.bias = nn.Embedding(7, 3), nn.Parameter(torch.randn(N, 3))
        self.low, self.up = nn.Parameter(torch.randn(N, 2)), nn.Parameter(torch.randn(2, 6))
        self.spelling, self.letters = torch.randint(1, 30, (N, 5)), nn.Embedding(30, 3)
        self.besides = besides

    def vectors(self, x):
        return self.embedding(x)

    def forward(self, x):
        inside = (x != 0)[..., None]
        return self.out((torch.tanh(self.vectors(x)) * inside).sum(1)) + self.besides(self, x)


class Lora(Besides):
    def vectors(self, x):
        return self.embedding(x) + functional.embedding(x, self.low) @ self.up


class Joint(Besides):
    def vectors(self, x):
        return self.embedding(x) + 0.5 * self.second(x)


SECOND = {
    "a bias per word": lambda m, x: m.bias[x].sum(1),
    "a weak bias per word": lambda m, x: 1e-4 * m.bias[x].sum(1),
    "a hashed table": lambda m, x: m.hashed(x % 7).sum(1),
    "a bag of ones": lambda m, x: functional.one_hot(x, N).to(m.bias).sum(1) @ m.bias,
    "letters": lambda m, x: m.letters(m.spelling[x]).amax(2).mean(1),
    "a bare table": lambda m, x: functional.embedding(x, m.bias).amax(1),
    "one rare word": lambda m, x: (x == RARE).sum(1, keepdim=True).to(m.bias) * 0.01,
    "the last word": lambda m, x: 0.01 * m.bias[x[:, -1]],
    "the number of different words": lambda m, x: torch.stack([row.unique().numel() * m.bias[0] for row in x]),
    "words that come twice": lambda m, x: 0.01 * (x[:, :, None] == x[:, None]).sum((1, 2))[:, None].to(m.bias),
    "one word that comes twice": lambda m, x: 0.01 * ((x == RARE).sum(1, keepdim=True) == 2).to(m.bias),
    "one word after itself": lambda m, x: (x[:, 1:].eq(RARE) & x[:, :-1].eq(RARE)).any(1, keepdim=True).to(m.bias),
    "the thirtieth word": lambda m, x: m.bias[x[:, 29:30]].sum(1),
}


def wrapped(module):
    return wrap(module.double(), vocabulary=WORDS, labels=["a", "b", "c"])


@pytest.mark.parametrize("name", [*SECOND, "low rank, beside the table"])
def test_another_way_is_found_out(name):
    module = Besides(SECOND[name]) if name in SECOND else Lora(lambda m, x: 0.0)
    model = wrapped(module)
    assert model.lacks["Differentiable"].startswith(ELSEWHERE)
    with pytest.raises(UnsupportedError, match=r"^[^\n]*by another way than their vectors \(a bias per word[^\n]*$"):
        exegesis.explain(model, "w1 w2", "integrated-gradients")
    exegesis.explain(model, "w1 w2", "leave-one-out")


@pytest.mark.parametrize("kind", [Besides, Joint])
def test_what_goes_by_vectors_alone_is_served(kind):
    """Pads that are masked, marks that no user writes, and two tables that read the same ids are no other way."""
    module = kind(lambda m, x: (x == WORDS.index("<eos>")).sum(1, keepdim=True).double())
    model = wrapped(module)
    assert offers(model, Differentiable)
    result = exegesis.explain(model, "w1 w2 w400", "integrated-gradients", 0, tolerance=1e-8)
    np.testing.assert_allclose(result.gap, 0, atol=1e-7)


def test_every_word_is_tried_in_texts_of_few_and_of_many_words():
    small = nn.Linear(2, 2)
    words = tried_words(small, range(3, N), ())
    assert sorted(words.tolist()) == list(range(3, N))
    pairs = list(texts_of(words, 12))
    ids = torch.cat([one for one, _ in pairs])
    assert set(ids.flatten().tolist()) == set(range(3, N))
    assert {len(set(text)) for text in ids.tolist()} >= set(range(1, 9))
    for length in (2, 3, 12):
        texts = torch.cat([one for one, _ in texts_of(words, length)])
        assert {int(word) for word in words if ((texts == word).sum(1) == 2).any()} >= set(words.tolist())
    assert torch.cat([one for one, _ in texts_of(words, 1)]).shape == (8 + len(words), 1)
    assert all(not torch.equal(one, other) for pair in pairs for one, other in zip(*pair, strict=True))
    heavy = nn.Linear(5000, 5000, device="meta")
    assert len(tried_words(heavy, range(N), ())) == 64
    assert len(tried_words(heavy, range(N), (heavy,))) == N
