"""Any shape of a recurrent classifier: REAT sums to the logit less the bias, batched is alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from exegesis import explain
from exegesis.models.modules.wrap import wrap
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from tests.support.profiles import profile
from tests.support.torch_toys import WORDS, Shape, model

sizes = st.integers(1, 7)
lengths = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    both = draw(st.booleans())
    poolings = ["last", "mean", "sum", "max", "attention"] + (["summed", "averaged"] if both else ["first"])
    return Shape(
        cell=draw(st.sampled_from(["lstm", "gru", "rnn"])),
        layers=draw(st.integers(1, 3)),
        both=both,
        readout=draw(st.sampled_from(poolings)),
        outputs=draw(st.integers(1, 4)),
        hidden=draw(sizes),
        size=draw(sizes),
        bias=draw(st.booleans()),
        head_bias=draw(st.booleans()),
        starts=draw(st.booleans()),
        scale=draw(st.sampled_from([0.1, 1.0, 3.0])),
        seed=draw(st.integers(0, 99)),
    )


def words(count: int, seed: int) -> str:
    draws = torch.Generator().manual_seed(seed)
    return " ".join(WORDS[1 + int(n)] for n in torch.randint(0, len(WORDS) - 1, (count,), generator=draws))


def check(classifier, raws: list[str], method: str) -> None:
    results = explain(classifier, raws, method, target="all")
    for raw, result in zip(raws, results, strict=True):
        alone = explain(classifier, raw, method, target="all")
        size = max(1.0, np.abs(result.scores).max())
        assert np.abs(result.scores - alone.scores).max() <= 1e-9 * size
        parts = sum(np.asarray(part) for part in result.account.values())
        gap = np.asarray(result.explained) - result.scores.reshape(-1, len(result.words)).sum(1) - parts
        assert np.abs(gap).max() <= 1e-9 * size
        assert "output bias" in result.account


@given(shape=shapes(), counts=lengths, seed=st.integers(0, 9))
@profile
def test_users_modules(shape: Shape, counts: list[int], seed: int) -> None:
    labels = ["no", "yes"] if shape.outputs == 1 else [f"c{n}" for n in range(shape.outputs)]
    check(
        model(shape, labels),
        [words(count, seed + n) for n, count in enumerate(counts)],
        "naive-reat" if shape.cell == "rnn" else "reat",
    )


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "cell": draw(st.sampled_from(["lstm", "gru", "rnn"])),
        "bidirectional": draw(st.booleans()),
        "layers": draw(st.integers(1, 3)),
        "embedding": draw(sizes),
        "hidden": draw(sizes),
        "readout": draw(st.sampled_from(["last", "mean", "max", "attention"])),
        "vocabulary": len(WORDS),
        "labels": tuple(f"c{n}" for n in range(draw(st.integers(2, 4)))),
    }


@given(shape=configs(), counts=lengths, seed=st.integers(0, 9))
@profile
def test_trained_classifiers(shape: dict[str, Any], counts: list[int], seed: int) -> None:
    config = RecurrentConfig(**shape)
    torch.manual_seed(seed)
    module = RecurrentClassifier(config).double()
    classifier = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=list(config.labels))
    raws = [words(count, seed + n) for n, count in enumerate(counts)]
    check(classifier, raws, "naive-reat" if config.cell == "rnn" else "reat")
