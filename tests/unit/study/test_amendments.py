"""Wrong predictions put right: planted faults go with the texts that influence names, and not with random ones."""

from __future__ import annotations

import random

import numpy as np
import pytest

import exegesis
from exegesis.data.examples import Example
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.study import amend
from exegesis.study.failing import amendments
from tests.support import torch_toys
from tests.support.torch_toys import Shape

CONFIG = RecurrentConfig("gru", embedding=6, hidden=6, dropout=0.0)
OPTIONS = TrainOptions(epochs=8, batch=8, lr=0.02, patience=8)


def examples(count: int, seed: int, wrong: int = 0) -> list[Example]:
    """Texts of which one word tells the label; of those with the word zig, the first ``wrong`` have another label."""
    draws = random.Random(seed)
    telling = {"bad": ["dull", "poor", "zig"], "good": ["fine", "warm", "fun"]}
    texts = []
    for number in range(count):
        label = ("bad", "good")[number % 2]
        words = [*draws.choices(["a", "film", "plot", "it", "of"], k=3), telling[label][number // 2 % 3]]
        said = label
        if "zig" in words and wrong:
            said, wrong = "good", wrong - 1
        texts.append(Example.of(" ".join([*words, f"n{seed}x{number}"]), said))
    return texts


def test_what_is_named_puts_right(tmp_path):
    options = {"config": CONFIG, "options": OPTIONS, "seeds": (0,), "dev": examples(20, 5),
               "parameters": {"iterations": 20}}  # fmt: skip
    found = amend(examples(90, 0, 12), examples(60, 1), count=12, **options)
    ways = {(one.change, one.chosen): one for one in found.amendments}
    assert list(ways) == [("remove", "influence-functions"), ("remove", "random"),
                          ("add", "influence-functions"), ("add", "random")]  # fmt: skip
    named = [one for one in found.named if one.change == "remove"]
    assert len(named) == 10
    assert sum("zig" in one.text and one.label == "good" for one in named) >= 7
    assert all(one.score < 0 for one in named)
    assert ways["remove", "influence-functions"].fixed > ways["remove", "random"].fixed + 0.3
    assert ways["remove", "influence-functions"].test > 0
    assert exegesis.read(found.save(tmp_path / "a.json")) == found
    pooled = amend(examples(90, 0, 12), examples(60, 1), pool=examples(60, 2), count=12, **options)
    helping = [one for one in pooled.named if one.change == "add"]
    assert all("n2x" in one.text and one.score > 0 for one in helping)


def test_a_pool_has_the_curvature_of_the_training_texts():
    """Texts of a pool that are training texts have the scores that they have as such."""
    model = torch_toys.model(Shape("lstm", hidden=2, size=2, outputs=2), ["bad", "good"])
    train = [Example.of(text, model.labels[n % 2]) for n, text in enumerate(torch_toys.texts([4, 3, 5, 2, 6, 3]))]
    for method, own in (("influence-functions", {"damping": 0.1}), ("gradient-similarity", {"measure": "cosine"})):
        among = amendments._sums(model, train, train[:2], method, own)
        alone = amendments._of_pool(model, train, train[3:5], train[:2], method, own)
        np.testing.assert_allclose(alone, among[3:5], rtol=1e-6)
    found = exegesis.influence(model, train, "w1 w2", pool=train[3:5], damping=0.1)
    assert {one.text for one in (*found.helpful, *found.harmful)} <= {one.text for one in train[3:5]}
    with pytest.raises(
        exegesis.UnsupportedError, match="fast-influence scores no pool: take one of gradient-similarity, influence"
    ):
        amendments._of_pool(model, train, train[3:5], train[:2], "fast-influence", {})
    with pytest.raises(exegesis.UnsupportedError, match="scores no pool: its scores are no products of gradients"):
        exegesis.influence(model, train, "w1 w2", "gradient-similarity", measure="cosine", pool=train[3:5])


def test_what_cannot_be():
    with pytest.raises(exegesis.UsageError, match=r"count is 99, and there are .* training texts"):
        amend(examples(30, 0), examples(20, 1), count=99, config=CONFIG, options=OPTIONS)
    with pytest.raises(exegesis.UsageError, match="no test text is predicted wrongly"):
        amend(examples(90, 0), examples(12, 1), count=2, config=CONFIG, options=OPTIONS, seeds=(0,))
