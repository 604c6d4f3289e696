"""Methods that look at training itself: TracIn over kept weights, and leaving texts out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import exegesis
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.protocols.loss import loss
from tests.support import torch_toys
from tests.support.torch_toys import Shape

TEXTS = torch_toys.texts([4, 3, 5, 2, 6, 3])
TRAIN = [(text, ["no", "yes"][n % 2]) for n, text in enumerate(TEXTS)]
SMALL = RecurrentConfig("lstm", embedding=3, hidden=3, dropout=0.0)


def test_the_steps_that_were_taken_add_up(tmp_path):
    """Gradient descent on one text at a time: the terms of the texts drawn are the change of the number, to η²."""
    gaps = []
    for rate in (0.02, 0.01):
        model = torch_toys.model(Shape("lstm", hidden=2, size=2, outputs=2, scale=0.5), ["no", "yes"])
        module, texts = model.module.eval(), [model.read(text) for text in TEXTS]
        asked, start = model.encode([model.read("w1 w2")]), None
        told = 0.0
        for step in range(4):
            folder = tmp_path / f"{rate} {step}"
            folder.mkdir()
            weights = {name: value.detach().clone() for name, value in module.state_dict().items()}
            save_file(weights, folder / "now.safetensors", {"learning_rate": str(rate)})
            found = exegesis.influence(model, TRAIN, "w1 w2", "tracin", target="yes", checkpoints=str(folder))
            told += found.scores[step]
            start = found.explained if start is None else start
            batch = model.encode([texts[step]])
            value = loss(module(batch.ids, batch.lengths), torch.tensor([float(step % 2)]), model.link).sum()
            module.zero_grad()
            value.backward()
            with torch.no_grad():
                for weight in module.parameters():
                    if weight.grad is not None:
                        weight -= rate * weight.grad
        end = -float(loss(model.outputs(asked), torch.tensor([1.0]), model.link))
        gaps.append(abs(told - (end - start)))
    assert gaps[1] < 0.3 * gaps[0]  # four steps of half the size: the gap falls to a quarter


def test_kept_weights_and_their_rates(tmp_path):
    examples = [exegesis.Example.of(*pair) for pair in TRAIN]
    options = TrainOptions(epochs=2, batch=2, lr=0.05, patience=2)
    result = train(examples, examples, config=SMALL, options=options, keep=tmp_path / "kept")
    again = train(examples, examples, config=SMALL, options=options)
    for name, value in again.model.module.state_dict().items():  # keeping changes nothing
        assert torch.equal(value, result.model.module.state_dict()[name])
    model = exegesis.wrap(result.model.module, vocabulary=result.model.vocabulary, labels=["no", "yes"])
    found = exegesis.influence(model, TRAIN, "w1 w2", "tracin", target="yes", checkpoints=str(tmp_path / "kept"))
    assert found.details == {"checkpoints": 2, "learning_rates": [0.05, 0.05]}
    total = np.zeros(len(TRAIN))
    for path in sorted((tmp_path / "kept").iterdir()):
        model.module.load_state_dict(load_file(path))
        total += 0.05 * exegesis.influence(model, TRAIN, "w1 w2", "gradient-similarity", target="yes").scores
    np.testing.assert_allclose(found.scores, total, rtol=1e-5)
    with pytest.raises(exegesis.UsageError, match=r"holds no \.safetensors files"):
        exegesis.influence(model, TRAIN, "w1", "tracin", checkpoints=str(tmp_path))
    other = torch_toys.model(Shape("lstm", outputs=2), ["no", "yes"])
    with pytest.raises(exegesis.UsageError, match="it is of another model"):
        exegesis.influence(other, TRAIN, "w1", "tracin", checkpoints=str(tmp_path / "kept"))
    (tmp_path / "kept" / "epoch-001.safetensors").write_bytes(b"no")
    with pytest.raises(exegesis.FileError, match=r"epoch-001.safetensors is damaged"):
        exegesis.influence(model, TRAIN, "w1", "tracin", checkpoints=str(tmp_path / "kept"))


def test_leaving_out_for_real(tmp_path, monkeypatch):
    examples = [exegesis.Example.of(*pair) for pair in TRAIN]
    options = TrainOptions(epochs=2, batch=2, lr=0.05, patience=2)
    result = train(examples, examples[:1], config=SMALL, options=options, last=True)
    vocabulary = result.model.vocabulary
    model = exegesis.wrap(result.model.module, vocabulary=vocabulary, labels=["no", "yes"])
    store = tmp_path / "store.jsonl"
    asked = {"target": "yes", "most": 3, "epochs": 2, "batch": 2, "lr": 0.05, "store": str(store)}
    found = exegesis.influence(model, TRAIN, "w1 w2", "retrain", **asked)
    assert found.scored == 3
    number = found.details["tried"][0]
    left = train(examples, examples[:1], config=SMALL, options=options, last=True, absent=[number],
                 vocabulary=vocabulary)  # fmt: skip
    without = exegesis.wrap(left.model.module, vocabulary=vocabulary, labels=["no", "yes"])
    numbers = [float(np.log(exegesis.predict(one, "w1 w2")["yes"])) for one in (model, without)]
    assert found.scores[number] == pytest.approx(numbers[0] - numbers[1], abs=1e-6)
    assert not np.array_equal(*(one.module.embedding.weight.detach() for one in (model, without)))

    lines = store.read_text().splitlines()
    assert len(lines) == 4
    store.write_text("\n".join([*lines[:3], lines[3][:9]]))  # killed while it wrote the last

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    assert exegesis.influence(model, TRAIN, "w1 w2", "retrain", **asked).scores[number] == found.scores[number]
    monkeypatch.setattr("exegesis.questions.sources.retrain.train", refuse)
    again = exegesis.influence(model, TRAIN, "w1 w2", "retrain", **asked)
    np.testing.assert_array_equal(again.scores, found.scores)
    with pytest.raises(AssertionError, match="trained again"):
        exegesis.influence(model, TRAIN[::-1], "w1 w2", "retrain", **asked)
    with pytest.raises(exegesis.UnsupportedError, match="retrain trains models of 'exegesis train' anew"):
        exegesis.influence(torch_toys.model(Shape("lstm", outputs=2), ["no", "yes"]), TRAIN, "w1", "retrain")


def test_two_seeds_have_an_error():
    examples = [exegesis.Example.of(*pair) for pair in TRAIN]
    result = train(examples, examples[:1], config=SMALL, options=TrainOptions(epochs=1, batch=3))
    model = exegesis.wrap(result.model.module, vocabulary=result.model.vocabulary, labels=["no", "yes"])
    found = exegesis.influence(model, TRAIN, "w1 w2", "retrain", most=1, seeds=2, epochs=1)
    assert found.details["trainings"] == 4
    assert found.details["noise"] > 0
    assert len(found.details["standard_errors"]) == 1
