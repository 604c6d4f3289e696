"""Turn-over dropout: Eq. 5 of the survey, and what a model that was trained so says of its training texts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.folder import load_folder, save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.nn.halves import halved
from tests.support import torch_toys
from tests.support.torch_toys import Shape

TEXTS = torch_toys.texts([4, 3, 5, 2, 6, 3, 4, 5])
TRAIN = [(text, ["no", "yes"][n % 2]) for n, text in enumerate(TEXTS)]
SMALL = RecurrentConfig("gru", embedding=6, hidden=6, dropout=0.0, turn_over=True)


@pytest.fixture(scope="module")
def result():
    examples = [exegesis.Example.of(*pair) for pair in TRAIN]
    return train(examples, examples[:2], config=SMALL, options=TrainOptions(epochs=30, batch=4, lr=0.02, patience=30),
                 last=True)  # fmt: skip


@pytest.mark.quick
def test_the_equation(result, tmp_path):
    """I(z, x) = L(x; f^m(z)) - L(x; f^m̃(z)) is the score less its sign; the halves come back from the folder."""
    save_folder(tmp_path / "model", result.model, "# A model\n")
    model = exegesis.load(tmp_path / "model")
    asked = [TEXTS[0], "w1 w2"]
    found = exegesis.influence(model, TRAIN, asked, "turn-over-dropout", target="yes")
    module, vocabulary = result.model.module, result.model.vocabulary
    for text, one in zip(asked, found, strict=True):
        ids = vocabulary.read(text).ids
        for number, (source, _) in enumerate(TRAIN):
            losses = []
            for other in (False, True):
                with torch.no_grad(), halved([tuple(vocabulary.read(source).ids)], other=other):
                    logits = module(torch.tensor([ids]), torch.tensor([len(ids)]))
                losses.append(float(torch.nn.functional.cross_entropy(logits, torch.tensor([1]))))
            assert one.scores[number] == pytest.approx(-(losses[0] - losses[1]), abs=1e-5)
        assert one.details["noise"] > 0
    again = exegesis.influence(model, TRAIN[::-1], asked[1], "turn-over-dropout", target="yes")
    np.testing.assert_allclose(again.scores[::-1], found[1].scores, atol=1e-6)  # order and neighbours change nothing


def test_a_text_helps_itself(result):
    """The half that was trained on a text knows its label better than the one that never saw it."""
    model = exegesis.wrap(result.model.module, vocabulary=result.model.vocabulary, labels=["no", "yes"])
    own = [exegesis.influence(model, TRAIN, text, "turn-over-dropout", target=label).scores[n]
           for n, (text, label) in enumerate(TRAIN)]  # fmt: skip
    assert np.mean(np.array(own) > 0) > 0.8


def test_folders_of_other_models_stay_as_they_were(tmp_path):
    examples = [exegesis.Example.of(*pair) for pair in TRAIN]
    plain = RecurrentConfig("gru", embedding=3, hidden=3, dropout=0.0)
    result = train(examples, examples[:2], config=plain, options=TrainOptions(epochs=1))
    save_folder(tmp_path / "model", result.model, "# A model\n")
    assert "turn_over" not in (tmp_path / "model" / "config.json").read_text()
    assert not load_folder(tmp_path / "model").module.config.turn_over
    model = exegesis.load(tmp_path / "model")
    with pytest.raises(
        exegesis.UnsupportedError, match="which model was not: train it with exegesis train --turn-over"
    ):
        exegesis.influence(model, TRAIN, "w1", "turn-over-dropout")
    with pytest.raises(exegesis.UnsupportedError, match="turn-over-dropout needs a model that was trained so"):
        exegesis.influence(torch_toys.model(Shape("lstm", outputs=2), ["no", "yes"]), TRAIN, "w1", "turn-over-dropout")
    with pytest.raises(exegesis.UsageError, match="turn_over takes the place of dropout"):
        RecurrentConfig(dropout=0.5, turn_over=True)
