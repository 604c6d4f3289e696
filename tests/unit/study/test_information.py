"""The study of information: its means are those of single texts, and models stand beside each other."""

from __future__ import annotations

import numpy as np
import pytest

import exegesis
from exegesis.core.errors import UsageError
from exegesis.data.examples import Example
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.study.insides.information import Epochs
from tests.support.every_model import MODELS

RAWS = ["w1 w2 w3", "w4 w5 w6", "w2 w7 w1"]


def tagger(words):
    return ["NN" if word in ("w1", "w4", "w7") else "DT" for word in words]


def test_means_over_texts_are_those_of_single_texts(tmp_path):
    model, other = MODELS["two bilstms max"][1](), MODELS["linear bag"][1]()
    study = exegesis.study.information([model, other], RAWS, tagger=tagger, pairs=8, most=8)
    single = exegesis.information(model, RAWS, pairs=8, most=8)
    assert [row.layer for row in study.rows if row.model == model.name] == ["layer 1", "layer 2", "pooled"]
    for at, layer in enumerate(single[0].layers):
        row = study.of(model.name, layer)
        kept = np.array([result.kept[at] for result in single])
        content = np.array([[word in ("w1", "w4", "w7") for word in raw.split()] for raw in RAWS])
        assert row.discarded == pytest.approx(np.mean([result.discarded[at] for result in single]))
        assert row.kept == pytest.approx(kept.mean())
        each = [k[c].mean() - k[~c].mean() for k, c in zip(kept, content, strict=True)]
        assert row.gap == pytest.approx(np.mean(each))
        if at:
            assert row.more == pytest.approx(row.discarded - study.of(model.name, single[0].layers[at - 1]).discarded)
    first = {raw.split()[int(np.argmax(one.kept[-1]))] for raw, one in zip(RAWS, single, strict=True)}
    assert {one.word for one in study.survivors if one.model == model.name} == first
    study.save(tmp_path / "study.json")
    assert exegesis.read(tmp_path / "study.json") == study
    assert "layer 2" in study.table()
    with pytest.raises(UsageError, match="different names"):
        exegesis.study.information([model, model], RAWS)


def test_a_training_is_heard_epoch_by_epoch_and_goes_as_without():
    examples = [Example.of(raw, label) for raw, label in zip(RAWS * 3, ["a", "b", "a"] * 3, strict=True)]
    config = RecurrentConfig(cell="lstm", embedding=4, hidden=3, readout="max")
    options = TrainOptions(epochs=2, batch=4)
    heard = Epochs(RAWS, "pooled", tagger=tagger, pairs=8, most=8)
    first = train(examples, examples, config=config, options=options, each=heard)
    second = train(examples, examples, config=config, options=options)
    assert [row.model for row in heard.study.rows] == ["epoch 0", "epoch 1", "epoch 2"]
    assert len({row.discarded for row in heard.study.rows}) == 3
    for one, other in zip(first.model.module.parameters(), second.model.module.parameters(), strict=True):
        assert np.array_equal(one.detach().numpy(), other.detach().numpy())
    with pytest.raises(UsageError, match="no epoch is over"):
        Epochs(RAWS).study  # noqa: B018
