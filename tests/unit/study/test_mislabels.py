"""Suspected label errors: planted ones are found, and what a text took away of its own loss is what EK-FAC says."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

import exegesis
from exegesis.data.examples import Example
from exegesis.mech.curvature.eigen import Eigen
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import GaussNewton
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.questions.sources.method import Training
from exegesis.questions.sources.suspects import SIGNS, suspicion
from exegesis.study import mislabels
from tests.support import torch_toys
from tests.support.torch_toys import Shape

CONFIG = RecurrentConfig("gru", embedding=6, hidden=6, dropout=0.0)
OPTIONS = TrainOptions(epochs=6, batch=8, lr=0.02, patience=6)


def examples(count: int, seed: int = 0) -> list[Example]:
    """Texts of which one word tells the label."""
    draws = random.Random(seed)
    telling = {"bad": ["dull", "poor", "flat"], "good": ["fine", "warm", "fun"]}
    texts = []
    for number in range(count):
        label = ("bad", "good")[number % 2]
        words = [*draws.choices(["a", "film", "plot", "it", "of"], k=3), draws.choice(telling[label]), str(number)]
        texts.append(Example.of(" ".join(words), label))
    return texts


def test_planted_errors_are_found():
    found = mislabels(examples(90), test=examples(20, 1), config=CONFIG, options=OPTIONS, seeds=(0,), most=4)
    assert (found.planted, found.trainings, len(found.suspects)) == (9, 1, 4)
    by_name = {sign.name: sign for sign in found.signs}
    assert set(by_name) == set(SIGNS)
    for name in ("self-influence", "gradient", "loss"):
        assert by_name[name].precision > by_name["random"].precision + 0.3
        assert by_name[name].above > 0.85
    assert [sign.precision for sign in found.signs] == sorted((s.precision for s in found.signs), reverse=True)
    assert found.cured[0].right >= 0.9
    assert exegesis.study.mislabels is mislabels


def test_a_wrong_label_is_listed_first(tmp_path):
    texts = examples(60)
    texts[7] = Example.of(texts[7].text, "bad" if texts[7].label == "good" else "good")
    found = mislabels(texts, config=CONFIG, options=OPTIONS, seeds=(), most=3)
    assert found.suspects[0].number == 7
    assert found.suspects[0].label != found.suspects[0].predicted
    assert not found.signs
    assert exegesis.read(found.save(tmp_path / "a.json")) == found
    with pytest.raises(exegesis.UsageError, match="makes 0 of 60 labels wrong"):
        mislabels(texts, planted=0.001)


def test_self_influence_in_blocks():
    """gᵀ(H + λ)⁻¹g, text by text, equals that of gradients written out."""
    model = torch_toys.model(Shape("lstm", hidden=2, size=2))
    texts = [model.read(text) for text in [*torch_toys.texts([4, 3, 5, 2]), "w1 w1 w2"]]
    matrix = GaussNewton(Passes(model), texts, torch.tensor([0.0, 1, 2, 1, 0], dtype=torch.float64))
    eigen = Eigen.of(matrix)
    damping = dict.fromkeys(eigen.blocks, 0.1)
    for _, factors in matrix.gradients():
        dense = factors.dense()[0]
        expected = (dense * eigen.solved(dense, damping)).sum(1)
        np.testing.assert_allclose(eigen.lengths(factors, damping)[0], expected, rtol=1e-9)


def test_self_influence_is_that_of_influence_functions():
    """What a text has taken away of its own loss is its influence on the log-probability of its own label (EK-FAC)."""
    model = torch_toys.model(Shape("lstm", hidden=2, size=2))
    texts = [Example.of(text, str(number % 2)) for number, text in enumerate(torch_toys.texts([4, 3, 5, 2]))]
    texts = [Example.of(one.text, model.labels[int(str(one.label))]) for one in texts]
    own = suspicion(model, Training.of(model, texts), 0)["self-influence"]
    for number, one in enumerate(texts):
        told = exegesis.influence(model, texts, one.text, solver="ek-fac", target=one.label)
        assert told.scores[number] == pytest.approx(own[number], rel=1e-6)
