"""Label randomisation in one call: a model of the same kind is trained on shuffled labels, then both are explained."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
import tests.support.evaluate_toys as toys
from exegesis.cli import run
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.data.examples import Example
from exegesis.models.modules.wrap import wrap
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.folder import save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.randomised import trained_on_shuffled
from exegesis.models.trained.training import train
from exegesis.questions.trust.measuring.sanity import randomisation as compared

GOOD, BAD = ["fine", "warm", "fun", "smart"], ["dull", "stale", "thin", "weak"]
FILL = ["the", "film", "is", "a", "story", "and", "plot", "with"]


def corpus(count: int, labels=("negative", "positive"), seed: int = 0) -> list[Example]:
    draws = np.random.default_rng(seed)
    found = []
    for number in range(count):
        label = number % 2
        words = [*draws.choice(FILL, 5), *draws.choice([BAD, GOOD][label], 2)]
        found.append(Example.of(" ".join(draws.permutation(words)), labels[label]))
    return found


@pytest.fixture(scope="module")
def trained():
    options = TrainOptions(epochs=6, lr=1e-2, batch=16)
    return train(corpus(120), corpus(40, seed=1), config=RecurrentConfig(embedding=8, hidden=8), options=options).model


@pytest.fixture(scope="module")
def model(trained):
    return wrap(trained.module, vocabulary=trained.vocabulary, labels=trained.labels, name="mine")


@pytest.fixture(scope="module")
def texts():
    return [one.text for one in corpus(24, seed=2)]


@pytest.fixture(scope="module")
def found(model, texts):
    """The answer to one call, by names of labels."""
    before = [weight.clone() for weight in model.module.parameters()]
    answer = exegesis.randomisation(model, texts, ["reat", "leave-one-out"], train=corpus(60))
    assert all(torch.equal(one, two) for one, two in zip(before, model.module.parameters(), strict=True))
    return answer


def test_one_call(model, texts, found):
    assert found.measures[0].name == "label-randomisation"
    assert found.names == ("reat", "leave-one-out", "blind", "chance")
    for name in ("reat", "leave-one-out"):
        assert found.compare(name, "blind")[0].better == name
    assert found.notes[0].startswith("A model of the same kind learned ")
    assert found.notes[0].rstrip(".").endswith("of the shuffled labels of 60 texts") or "weak" in found.notes[0]
    assert found.notes[0] in " ".join(found.table(width=160).split())
    second = trained_on_shuffled(model, corpus(60)).model
    own = compared(model, [model.read(text) for text in texts], ["reat", "leave-one-out"], second)
    np.testing.assert_array_equal(own.values, found.values)  # the same seed trains the same model


def test_the_second_model_has_learned_the_noise_and_not_the_task(model):
    examples = corpus(120)
    found = trained_on_shuffled(model, examples, seed=1)
    assert (found.texts, found.model.labels) == (120, model.labels)
    assert found.fitted > 0.75
    said = exegesis.predict(found.model, [one.text for one in examples])
    right = np.mean(
        [max(one, key=one.__getitem__) == example.label for one, example in zip(said, examples, strict=True)]
    )
    own = exegesis.predict(model, [one.text for one in examples])
    learned = np.mean([max(one, key=one.__getitem__) == e.label for one, e in zip(own, examples, strict=True)])
    assert learned > 0.95
    assert right < 0.7
    assert found.model.module.config.hidden == model.module.config.hidden
    assert found.model.module.config.cell == model.module.config.cell
    assert found.model.name == "mine on shuffled labels"
    short = TrainOptions(epochs=1, batch=16)
    one, other = (trained_on_shuffled(model, examples, seed=seed, options=short) for seed in (1, 2))
    assert not torch.equal(one.model.module.output.weight, other.model.module.output.weight)


def test_labels_as_numbers_are_the_models(model, texts, found):
    """Numbers and names of labels give the same second model."""
    numbered = exegesis.randomisation(model, texts, ["reat", "leave-one-out"], train=corpus(60, ("0", "1")))
    np.testing.assert_array_equal(found.values, numbered.values)


def test_parameters_and_other(model, texts):
    found = exegesis.randomisation(model, texts, ["lime"], parameters={"lime": {"samples": 20}})
    assert found.measures[0].name == "parameter-randomisation"
    assert "samples=20" in found.methods[0].parameters
    same = exegesis.randomisation(model, texts, ["reat"], other=model)
    assert same.measures[0].name == "label-randomisation"
    np.testing.assert_allclose(same.values[0, 0], 1.0)


def test_refusals(model, texts):
    linear = toys.model()
    box = exegesis.blackbox(lambda given: [[0.5, 0.5]] * len(given), ["bad", "good"])
    for one in (linear, box):
        with pytest.raises(UnsupportedError, match=r"not a model that Exegesis trains.*train one yourself and give it"):
            exegesis.randomisation(one, toys.texts(3), ["leave-one-out"], train=corpus(8, ("bad", "good")))
    with pytest.raises(UsageError, match="give one of them"):
        exegesis.randomisation(model, texts, ["reat"], train=corpus(8), other=model)
    with pytest.raises(UsageError, match="no training text has the label 'positive'"):
        exegesis.randomisation(model, texts, ["reat"], train=corpus(8)[::2])
    with pytest.raises(UsageError, match="has no label; shuffling needs"):
        exegesis.randomisation(model, texts, ["reat"], train=[Example.of("a film")])
    with pytest.raises(UsageError, match="'so-so' is none of the model's"):
        exegesis.randomisation(model, texts, ["reat"], train=[Example.of("a film", "so-so")])


def test_command(trained, tmp_path, capsys):
    save_folder(tmp_path / "mine", trained, "# A card\n")
    for name, count in (("train", 24), ("test", 8)):
        rows = (f"{one.text}\t{one.label}\n" for one in corpus(count))
        (tmp_path / f"{name}.tsv").write_text("text\tlabel\n" + "".join(rows))
    given = ["evaluate", "--data", str(tmp_path / "test.tsv"), "-m", str(tmp_path / "mine"), "-M", "gradient",
             "--measures", "deletion"]  # fmt: skip
    assert run([*given, "--sanity", "--train", str(tmp_path / "train.tsv")]) == 0
    out = capsys.readouterr().out
    for check in ("parameter-randomisation", "label-randomisation"):
        assert out.count(f"Check by {check}: ") == 1
    assert "A model of the same kind learned" in out
    for wrong, message in (
        (["--train", "x.tsv"], "--train belongs to --sanity"),
        (["--sanity", "--train", "x.tsv", "--other", "bundled"], "--train trains the model that --other names"),
        (["--sanity", "--train", "nowhere.tsv"], "nowhere.tsv: cannot be read"),
    ):
        assert run([*given, *wrong]) in (1, 2)
        said = capsys.readouterr()
        assert message in said.err
        assert said.out == ""
