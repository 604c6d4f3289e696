"""DeepLIFT through the parts of modules as they are written: what sums, what an independent run says, what is told."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from exegesis.api import explain, wrap
from exegesis.core.errors import UnsupportedError
from exegesis.questions.attributions.deeplift import DeepLift
from tests.support.torch_toys import WORDS, texts

W = torch.randn(4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


class Parts(nn.Module):
    """Any function of word vectors [b, t, 4], under a linear layer."""

    def __init__(self, function):
        super().__init__()
        draws = torch.Generator().manual_seed(1)
        self.embedding, self.one, self.out = nn.Embedding(20, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        for weight in self.parameters():
            weight.data = torch.randn(weight.shape, generator=draws)
        self.function = function

    def forward(self, ids, mask):
        return self.out(self.function(self, self.embedding(ids), mask[..., None]))


def parts(function):
    return wrap(Parts(function).double(), vocabulary=WORDS, tokenizer=str.split)


def mean(v, mask):
    return (v * mask).sum(1) / mask.sum(1)


def shared_keys(m, v, mask):
    """Four heads of queries, two of keys."""
    many, few = (torch.stack([v * mask + k for k in range(n)], 1) for n in (4, 2))
    return F.scaled_dot_product_attention(many, few, few.tanh(), enable_gqa=True).mul(mask[:, None]).sum((1, 2))


def keyless(kind):
    """Padding, and the second word, see no key at all: torch answers them with zeros."""

    def function(m, v, mask):
        sees = mask & mask.transpose(1, 2) & (torch.arange(v.shape[1])[:, None] != 1)
        seen = sees if kind is bool else torch.zeros(sees.shape, dtype=v.dtype).masked_fill(~sees, -torch.inf)
        return (F.scaled_dot_product_attention(m.one(v), v, v, attn_mask=seen) * mask).sum(1)

    return function


def made_on_the_way(m, v, mask):
    """A layer that the module makes while it runs, and does not use."""
    nn.Linear(4, 4)
    return m.one(mean(v, mask)).tanh()


def kept_states(m, v, mask):
    """A cache that begins empty, of one dimension."""
    return (torch.cat([torch.tensor([], dtype=v.dtype), (v * mask).tanh()], dim=-2)).sum(1)


def cosines(m, v, mask):
    return (
        F.cosine_similarity(m.one(v), v.tanh() + 2 * W[0], dim=-1).mul(mask[..., 0]).sum(1, keepdim=True).expand(-1, 4)
    )


def routed(m, v, mask):
    """Capsules: three rounds of routing by agreement."""
    u = m.one(v)
    agreed = torch.zeros(u.shape[:2], dtype=v.dtype)
    for _ in range(3):
        capsule = (agreed.masked_fill(~mask[..., 0], -torch.inf).softmax(1)[..., None] * u).sum(1)
        long = capsule.square().sum(-1, keepdim=True)
        capsule = long / (1 + long) * capsule / (long + 1e-9).sqrt()
        agreed = agreed + (u * capsule[:, None]).sum(-1)
    return capsule


def forgetting(m, v, mask):
    """Pooling as in quasi-recurrent networks, without a loop."""
    gates = torch.where(mask, v.sigmoid(), 1.0)
    return (gates.flip(1).cumprod(1).flip(1) * m.one(v).tanh() * mask).sum(1)


REAL = {
    "rms norm": lambda m, v, mask: (F.rms_norm(v, (4,), W[0], 1e-3) * mask).sum(1),
    "normalised": lambda m, v, mask: F.normalize(m.one(mean(v, mask)), dim=-1),
    "cosine head": lambda m, v, mask: F.cosine_similarity(m.one(mean(v, mask))[:, None], W[None], dim=-1),
    "cosines": cosines,
    "norm": lambda m, v, mask: m.one(v[:, 0]) / (1 + m.one(v[:, 0]).norm(dim=-1, keepdim=True)),
    "vector norm": lambda m, v, mask: m.one(v[:, 0]) / torch.linalg.vector_norm(m.one(v[:, 0]), dim=-1, keepdim=True),
    "linalg.norm": lambda m, v, mask: m.one(v[:, 0]) / torch.linalg.norm(m.one(v[:, 0]), dim=-1, keepdim=True),
    "unfolded": lambda m, v, mask: (
        F.unfold((v * mask).transpose(1, 2)[..., None], (3, 1), padding=(1, 0)).tanh().sum(2)[:, :4]
    ),
    "type_as": lambda m, v, mask: (v.float().type_as(v).tanh() * mask).sum(1),
    "shared keys": shared_keys,
    "no keys, bool": keyless(bool),
    "no keys, float": keyless(float),
    "a mask made of words": lambda m, v, mask: (
        F.scaled_dot_product_attention(
            v, v, v, attn_mask=m.one(v).sum(-1)[:, None].tanh().masked_fill(~mask.transpose(1, 2), -torch.inf)
        )
        * mask
    ).sum(1),
    "made on the way": made_on_the_way,
    "an empty cache": kept_states,
    "routing": routed,
    "products": lambda m, v, mask: torch.where(mask, v, 1.0).prod(1),
    "running products": forgetting,
    "glu": lambda m, v, mask: F.glu(torch.cat([v * mask, m.one(v)], -1)).sum(1),
    "squeeze, excite": lambda m, v, mask: (v * mask * m.one(mean(v, mask)).sigmoid()[:, None]).amax(1),
    "einsum of three": lambda m, v, mask: torch.einsum("bd,de,be->be", mean(v, mask), W, mean(v, mask).tanh()),
}


@pytest.mark.parametrize("name", REAL)
def test_the_sum(name):
    """Words and the value at the baseline; and what a text scores alone (unfolded sees the padding beside a text)."""
    seen, raw = parts(REAL[name]), texts([5, 2, 3], 4)
    tolerance = 1e-6 if name == "type_as" else 1e-9  # it goes through float32
    for baseline in ("zero", "text:w3 w4 w5"):
        together = explain(seen, raw, DeepLift(baseline), "all")
        np.testing.assert_allclose([result.gap for result in together], 0, atol=tolerance)
        assert max(np.abs(result.scores).max() for result in together) > 1e-3
        alone = explain(seen, raw[1], DeepLift(baseline), "all")
        np.testing.assert_allclose(together[1].scores, alone.scores, rtol=0, atol=tolerance)


def test_running_products_are_a_loop():
    """The scores of cumprod are those of the recurrence that it stands for, factor by factor."""

    def loop(m, v, mask):
        gates = torch.where(mask, v.sigmoid(), 1.0)
        kept, held = [], None
        for t in reversed(range(v.shape[1])):
            held = gates[:, t] if held is None else held * gates[:, t]
            kept.append(held)
        return (torch.stack(kept[::-1], 1) * m.one(v).tanh() * mask).sum(1)

    raw = texts([5, 2, 3], 4)
    pairs = [explain(parts(function), raw, DeepLift(), "all") for function in (forgetting, loop)]
    for one, two in zip(*pairs, strict=True):
        np.testing.assert_allclose(one.scores, two.scores, rtol=0, atol=1e-12)


def test_a_product_of_two_plainly():
    """x y: each factor times the mean of the other."""
    seen = parts(lambda m, v, mask: v.prod(1))
    (result,) = explain(seen, ["w3 w7"], DeepLift("text:w5 w4"), "all")
    rows = [WORDS.index(word) for word in ("w3", "w7", "w5", "w4")]
    x, y, x0, y0 = seen.module.embedding.weight.detach()[rows].numpy()
    weight = seen.module.out.weight.detach().numpy()
    expected = np.stack([weight @ ((x - x0) * (y + y0) / 2), weight @ ((y - y0) * (x + x0) / 2)], 1)
    np.testing.assert_allclose(result.scores, expected, rtol=0, atol=1e-12)


def test_an_rms_norm_is_the_parts_it_consists_of():
    raw = texts([4, 2], 5)
    by_hand = lambda m, v, mask: (v * (v.square().mean(-1, keepdim=True) + 1e-3).rsqrt() * W[0] * mask).sum(1)  # noqa: E731
    for one, two in zip(
        explain(parts(REAL["rms norm"]), raw, DeepLift("unknown"), "all"),
        explain(parts(by_hand), raw, DeepLift("unknown"), "all"),
        strict=True,
    ):
        np.testing.assert_allclose(one.scores, two.scores, rtol=0, atol=1e-12)


def test_a_norm_in_float32_on_the_way():
    """A module of float64 with a part in float32 agrees with its own run of the baseline to float32's digits."""
    seen = parts(lambda m, v, mask: (F.layer_norm(v.float(), (4,), eps=1e-5).double() * mask).sum(1))
    result = explain(seen, "w3 w4 w5", DeepLift("unknown"), "all")
    np.testing.assert_allclose(result.gap, 0, atol=1e-4)


def test_rounding_that_takes_the_sum_is_told():
    """Norms in float32, one over the other, hand on multipliers of 1 / sqrt(eps) from vectors of zeros."""

    def steep(m, v, mask):
        for _ in range(4):
            v = F.rms_norm(v.float().tanh(), (4,), eps=1e-10)
        return (v.double() * mask).sum(1)

    with pytest.raises(UnsupportedError, match=r"lose the sum to rounding \(in float32\)"):
        explain(parts(steep), "w3 w4 w5 w6", DeepLift("zero"), "all")
    assert np.abs(explain(parts(steep), "w3 w4 w5 w6", DeepLift("unknown"), "all").gap).max() < 1e-2


def test_multipliers_beyond_all_numbers_are_told():
    """The text's number is finite, and so is the baseline's."""

    def steep(m, v, mask):
        for _ in range(4):
            v = F.rms_norm(v.float() + 1e4, (4,), eps=1e-12) - 1
            v = F.rms_norm(v, (4,), eps=1e-30)
        return (v.double() * mask).sum(1)

    with pytest.raises(UnsupportedError, match="not finite"):
        explain(parts(steep), "w3 w4 w5 w6", DeepLift("zero"), "all")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda m, v, mask: v[:, 0] / (1 + v[:, 0].norm(p=1, dim=-1, keepdim=True)), "another order than 2"),
        (lambda m, v, mask: F.normalize(v[:, 0], p=1.0), "another order than 2"),
        (lambda m, v, mask: torch.fft.fft(v * mask, dim=-1).real.sum(1), "fft.fft, which has no rule"),
        (lambda m, v, mask: torch.zeros_like(v).index_add(2, torch.arange(4), v * mask).sum(1), "index_add, which"),
        (lambda m, v, mask: torch.zeros_like(v).copy_(v * mask).sum(1), "copy_ in place"),
    ],
)  # fmt: skip
def test_what_has_no_rule_is_named(function, message):
    with pytest.raises(UnsupportedError, match=message) as told:
        explain(parts(function), "w3 w4 w5 w6", "deeplift")
    assert "\n" not in str(told.value)


def test_a_model_without_words_that_count():
    """A module whose text is answered by constants gives zeros."""
    seen = parts(lambda m, v, mask: mean(v, mask) * 0)
    np.testing.assert_array_equal(explain(seen, "w3 w4", "deeplift", "all").scores, 0)
