"""Classifiers through concepts, trained: planted concepts found, resumed to the bit, named, shown and kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
from exegesis import study
from exegesis.core.errors import FileError, UnsupportedError, UsageError
from exegesis.models.concept_models.names import NAMES, proposed, read_names, write_names
from exegesis.models.concept_models.shape import ConceptConfig
from exegesis.models.trained.folder import load_folder, save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from tests.support import concept_toys as toys

SHAPE = ConceptConfig(concepts=4, longest=2, embedding=24, hidden=24)
OPTIONS = TrainOptions(epochs=10, lr=0.01, batch=16, patience=10, seed=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    texts, _ = toys.examples(500)
    dev, there = toys.examples(100, seed=1)
    result = train(texts, dev, config=SHAPE, options=OPTIONS)
    folder = tmp_path_factory.mktemp("models") / "two"
    save_folder(folder, result.model, "# A card\n")
    write_names(folder, proposed(result.model, texts), 4)
    return folder, dev, np.array(there)


@pytest.mark.quick
def test_planted_concepts_are_found_and_named(trained):
    folder, dev, there = trained
    model = exegesis.load(folder)
    found = exegesis.concepts(model, [str(one.text) for one in dev], "all")
    present = np.array([one.present for one in found])
    right = np.array([[(present[:, k] == there[:, c]).mean() for c in range(2)] for k in range(4)])
    assert right.max(0).min() > 0.95  # each planted concept is one of the model's
    for c, k in enumerate(right.argmax(0).tolist()):
        words = {word for phrase in toys.PLANTED[c] for word in phrase.split()}
        assert set(model.concepts[k].split(", ")) <= words
        rows = [one for one in found if one.present[k]]
        assert np.mean([bool(set(one.excerpts[k].split()) & words) for one in rows]) > 0.95


def test_a_decision_adds_up_and_is_kept(trained, tmp_path):
    folder, dev, _ = trained
    for target in (None, "both", "all", "margin:food,none"):
        one = exegesis.concepts(str(folder), str(dev[0].text), target)
        assert np.abs(one.gap).max() <= 1e-10
        assert exegesis.read(one.save(tmp_path / "one.json")) == one
    words = exegesis.explain(str(folder), str(dev[0].text))
    assert words.name == "concepts"
    assert abs(float(words.gap)) <= 1e-10
    assert words.scores.sum() == pytest.approx(exegesis.concepts(str(folder), str(dev[0].text)).parts.sum(), abs=1e-10)
    with pytest.raises(UnsupportedError, match="cannot decompose a probability"):
        exegesis.concepts(str(folder), "w1 w2", "probability:food")
    with pytest.raises(UnsupportedError, match="does not decide through concepts"):
        exegesis.concepts("bundled", "a fine film")


def test_the_page_shows_what_is_read(trained):
    folder, dev, there = trained
    page = study.excerpts(str(folder), dev)
    assert page.accuracy > 0.9
    assert page.recognised > page.chance
    shares = [concept.share for concept in page.concepts]
    assert all(min(abs(share - own) for share in shares) < 0.05 for own in there.mean(0))
    for concept in page.concepts:
        assert [one.uses for one in concept.excerpts] == sorted((one.uses for one in concept.excerpts), reverse=True)
        assert (concept.state == "dead") == (not concept.excerpts)
    assert "a fresh classifier recognises" in page.table()
    alike = study.excerpts(str(folder), ["w1 w2", "w3 w4"])
    assert {concept.state for concept in alike.concepts} <= {"dead", "in use", "always"}


def test_training_goes_on_to_the_same_numbers(tmp_path):
    texts, _ = toys.examples(60)
    shape = ConceptConfig(form="conrat", concepts=2, embedding=6, hidden=4, dropout=0.2)
    options = TrainOptions(epochs=3, lr=0.01, batch=16)
    whole = train(texts, texts[:20], config=shape, options=options)
    kept = tmp_path / "state"
    train(texts, texts[:20], config=shape, options=TrainOptions(epochs=2, lr=0.01, batch=16), checkpoint=kept)
    again = train(texts, texts[:20], config=shape, options=options, checkpoint=kept, resume=True)
    for name, weight in whole.model.module.state_dict().items():
        assert torch.equal(weight, again.model.module.state_dict()[name]), name


def test_names_are_kept_with_the_model(trained, tmp_path):
    folder, _, _ = trained
    copy = tmp_path / "copy"
    save_folder(copy, load_folder(folder), "# A card\n")
    names = ("food", "service", "room", "price")
    assert read_names(copy, 4) == tuple(f"concept {number}" for number in range(1, 5))
    write_names(copy, names, 4)
    assert exegesis.load(copy).concepts == names
    assert exegesis.concepts(str(copy), "w1 warm bread").concepts == names
    for wrong, says in ((["food"], "need as many names"), ([*"abca"], "two concepts would have"), ([*"abc "], "blank")):
        with pytest.raises(UsageError, match=says):
            write_names(copy, wrong, 4)
    (copy / NAMES).write_text('{"names": 3}')
    with pytest.raises(FileError, match="is damaged"):
        exegesis.load(copy)
