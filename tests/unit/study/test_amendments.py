"""Wrong predictions put right: planted faults go with the texts that influence names, and not with random ones."""

from __future__ import annotations

import random

import pytest

import exegesis
from exegesis.data.examples import Example
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.study import amend

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


def test_what_cannot_be():
    with pytest.raises(exegesis.UsageError, match=r"count is 99, and there are .* training texts"):
        amend(examples(30, 0), examples(20, 1), count=99, config=CONFIG, options=OPTIONS)
    with pytest.raises(exegesis.UsageError, match="no test text is predicted wrongly"):
        amend(examples(90, 0), examples(12, 1), count=2, config=CONFIG, options=OPTIONS, seeds=(0,))
