"""Concepts in hidden states: a planted one is found, random sets are not, and every number is the plain one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import exegesis
from exegesis import study
from exegesis.core.errors import TextError, UnsupportedError, UsageError
from exegesis.models.modules.wrap import wrap
from exegesis.statistics.significance import holm
from exegesis.study.insides.concepts import _accuracy, _drawn
from tests.reference import concepts as reference

WARM, COUNT = 8, 72
VOCABULARY = ["<pad>", "<unk>", *(f"w{number}" for number in range(COUNT))]
CONCEPT = {"warm": [f"w{number}" for number in range(WARM)]}
OPTIONS = {"sets": 99, "draws": 2, "most": 8}


class Planted(nn.Module):
    """Words w0 to w7 point along one dimension, which raises the second label; the other dimensions are drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.inner, self.out = nn.Embedding(len(VOCABULARY), 6), nn.Linear(6, 6), nn.Linear(6, 2)
        draws = torch.Generator().manual_seed(4)
        for weight in self.parameters():
            weight.data = 0.5 * torch.randn(weight.shape, generator=draws, dtype=torch.float64)
        self.embedding.weight.data[2 : 2 + WARM, 0] += 3.0
        self.inner.weight.data[0], self.out.weight.data[:, 0] = torch.eye(6)[0].double(), torch.tensor([-1.0, 1.0])

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.inner(self.embedding(ids))) * mask[..., None]
        return self.out(hidden.sum(1) / mask.sum(1, keepdim=True))


@pytest.fixture(scope="module")
def model():
    return wrap(Planted(), vocabulary=VOCABULARY, tokenizer=str.split, labels=["cold", "hot"], name="planted")


@pytest.fixture(scope="module")
def texts():
    draws = np.random.default_rng(0)
    return [" ".join(f"w{n}" for n in draws.integers(0, COUNT, draws.integers(2, 7))) for _ in range(60)]


@pytest.fixture(scope="module")
def found(model, texts):
    chance = [f"w{n}" for n in np.random.default_rng(3).permutation(np.arange(WARM, COUNT))[:8]]
    return study.concepts(model, texts, {**CONCEPT, "chance": chance}, "word vectors,inner", **OPTIONS)


@pytest.mark.quick
def test_a_planted_concept_is_followed_and_a_random_one_is_not(found):
    assert [(row.concept, row.layer) for row in found.followed] == [("warm", "word vectors"), ("warm", "inner")]
    planted, chance = found.of("warm", "inner"), found.of("chance", "inner")
    assert planted.score == 1.0
    assert planted.effect > planted.effect_high > 0
    assert planted.accuracy > 0.9
    assert chance.effect_low < chance.effect < chance.effect_high
    assert chance.score_p > 0.05
    assert found.asked.target == "margin:hot,cold"
    assert np.abs(planted.direction).argmax() == 0


def test_every_number_is_the_plain_one(model, texts, found):
    """The concept's own rows again: directions by another minimiser, sensitivities by differences of the module."""
    row = found.of("warm", "inner")
    chance = [f"w{n}" for n in np.random.default_rng(3).permutation(np.arange(WARM, COUNT))[:8]]
    words = sorted({word for text in texts for word in text.split()} - {*CONCEPT["warm"], *chance})
    module = model.module.eval()
    with torch.no_grad():
        every = [*CONCEPT["warm"], *words]
        states = module.inner(module.embedding(torch.tensor([VOCABULARY.index(word) for word in every]))).numpy()
    rng = np.random.default_rng([0, WARM])
    chosen = [np.arange(WARM), *(rng.permutation(len(states))[:WARM] for _ in range(99))]
    inside, outside = _drawn(chosen, len(states), WARM, 2, rng)
    scores, effects = [], []
    for draw in range(2):
        assert set(inside[draw].tolist()) == set(range(WARM))
        assert min(outside[draw].tolist()) >= WARM
        v = reference.direction(states[inside[draw]], states[outside[draw]], states, 0.01)
        v = v * (states @ v).std(ddof=1)

        def number(hidden: np.ndarray) -> float:
            with torch.no_grad():
                out = module.out(torch.tanh(torch.from_numpy(hidden)).mean(0))
            return float(out[1] - out[0])

        with torch.no_grad():
            inner = [module.inner(module.embedding(torch.tensor([VOCABULARY.index(w) for w in text.split()])))
                     for text in texts]  # fmt: skip
        slopes = [reference.sensitivity(number, one.numpy(), v, 1e-5) for one in inner]
        scores.append(reference.score(slopes))
        effects.append(np.mean(slopes))
    assert row.score == pytest.approx(np.mean(scores), abs=1e-9)
    assert row.effect == pytest.approx(np.mean(effects), rel=1e-5)
    assert row.accuracy == pytest.approx(_accuracy(torch.from_numpy(states), inside[:2], outside[:2], 0.01))


def test_p_values_of_random_sets_are_level(model, texts):
    """Of sets drawn from the same words, one in ten reaches p 0.1 (exact where sets are exchangeable)."""
    draws, values = np.random.default_rng(5), []
    words = [f"w{n}" for n in range(WARM, COUNT)]
    for _ in range(60):
        chosen = draws.permutation(words)
        one = study.concepts(model, texts[:20], {"drawn": chosen[:8]}, "word vectors", compared=list(chosen[8:]),
                             sets=19, draws=1, most=8)  # fmt: skip
        values.append(one.rows[0].effect_p)
    assert 0.35 < np.mean(values) < 0.7
    assert np.mean(np.array(values) <= 0.1) < 0.25


def test_correction_is_holms():
    values = [0.04, 0.01, 0.03, 0.01, 0.6]
    np.testing.assert_allclose(holm(np.array(values)), reference.holm(values))


def test_texts_that_hold_a_word_are_examples_too(model, texts, tmp_path):
    whole = study.concepts(model, texts, CONCEPT, "inner", within=True, **OPTIONS)
    holding = [text for text in texts if set(text.split()) & set(CONCEPT["warm"])]
    assert (whole.rows[0].examples, whole.compared) == (len(holding), len(texts) - len(holding))
    assert whole.followed
    (tmp_path / "warm.txt").write_text("# sentences\n" + "\n".join(holding) + "\n")
    rest = [text for text in texts if text not in holding]
    lines = study.concepts(model, texts, tmp_path / "warm.txt", "inner", sentences=True, compared=rest, **OPTIONS)
    assert lines.rows[0].effect == pytest.approx(whole.rows[0].effect)
    path = whole.save(tmp_path / "found.json")
    assert exegesis.read(path) == whole
    assert "it grows along warm (inner)" in whole.table()


def test_what_cannot_be_asked_is_said_in_one_line(model, texts):
    for error, concepts, options, says in (
        (TextError, {"none": ["nowhere", "w1"]}, {}, "the concept 'none' has 1 examples"),
        (UsageError, CONCEPT, {"target": "all"}, "one number, the same for all texts"),
        (UsageError, CONCEPT, {"layers": "layer 7"}, "no site 'layer 7'"),
        (UsageError, CONCEPT, {"layers": " , "}, "no layer is named"),
        (UsageError, CONCEPT, {"compared": ["w9", "w10"]}, "2 examples of no concept are too few beside 8"),
        (UsageError, CONCEPT, {"sets": 3}, "sets must be"),
        (UsageError, CONCEPT, {"sets": 38, "layers": "inner,word vectors"}, "take sets=39 or more"),
    ):
        with pytest.raises(error, match=says):
            study.concepts(model, texts, concepts, **{"layers": "inner", **OPTIONS, **options})
    box = exegesis.blackbox(lambda rows: np.tile([0.5, 0.5], (len(rows), 1)), ["a", "b"])
    with pytest.raises(UnsupportedError, match="is not movable"):
        study.concepts(box, texts, CONCEPT)
