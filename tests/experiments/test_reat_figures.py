"""REAT's figures and swaps run, in little, and find what was planted."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import exegesis
from exegesis.data.examples import Example, read_examples
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.folder import save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train

FOLDER = Path(__file__).parents[2] / "experiments" / "reat"
FORMS = ("a {} {} film", "it is {} {}")
WORDS = ("good", "warm", "funny", "slow", "long", "new")


def planted() -> list[tuple[str, str]]:
    """Twelve texts of each label; the word of degree tells the label."""
    degrees = {"1": ("very", "extremely"), "0": ("terribly", "terribly")}
    return [
        (form.format(degree, word), label)
        for label, pair in degrees.items()
        for form, degree in zip(FORMS, pair, strict=True)
        for word in WORDS
    ]


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "sst2"
    folder.mkdir()
    wrong = [("a terribly good film", "1"), ("it is extremely warm", "0"), ("a terrible film", "0")]
    for part, rows in (("train", planted()), ("dev", planted()), ("test", planted() + wrong)):
        (folder / f"{part}.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in rows))
    return tmp_path


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    examples = [Example.of(text, label) for text, label in planted()]
    for cell in ("lstm", "gru", "bigru"):
        config = RecurrentConfig(cell.removeprefix("bi"), cell.startswith("bi"), embedding=8, hidden=8, dropout=0.0)
        found = train(examples, examples, config=config, options=TrainOptions(epochs=10, batch=4, lr=0.02, patience=10))
        save_folder(folder / f"{cell}-0", found.model, "card")
    return folder


def test_figures_in_little(data, models, tmp_path, monkeypatch, capsys):
    import figures
    import figures_report

    monkeypatch.setitem(figures.maps.SIX, "LIME", ("lime", {"samples": 50}, "probability"))
    out = tmp_path / "out"
    parts = [part for part in figures.PARTS if part not in ("failing", "found swaps")]
    arguments = [str(data), "--models", str(models), "--out", str(out), "--only", *parts]
    figures.main(arguments)
    names = [*(f"figure{n}" for n in (4, 5, 6, 8)), *(f"figure7-{cell}" for cell in ("gru", "lstm", "bigru"))]
    for name in (*names, "failures", "tables6-7"):
        assert ElementTree.parse(out / f"{name}.svg").getroot().tag.endswith("svg"), name
    kept = (out / "numbers.json").read_text("utf-8")
    for found in json.loads(kept)["models"].values():
        assert {"digest", *parts} == set(found)
        texts, turned, *_ = found["degrees"]["terribly"]  # planted with the negative label
        assert turned > texts / 2
    assert json.loads(kept)["training"]["terribly"] == [12, 0]
    for module, name in ((figures.maps, "pictures"), (figures.words, "pictures"), (figures.swaps, "pictures")):
        monkeypatch.setattr(module, name, lambda *_: None)
    monkeypatch.setattr(figures.faults, "picture", lambda *_: None)
    monkeypatch.setattr(figures, "PARTS", dict.fromkeys(figures.PARTS))  # nothing is left to do
    figures.main(arguments)
    assert (out / "numbers.json").read_text("utf-8") == kept
    monkeypatch.setattr(figures_report, "TAGS", ("JJ", "RB"))
    monkeypatch.setattr(sys, "argv", ["figures_report.py", str(out / "numbers.json")])
    capsys.readouterr()
    figures_report.main()
    assert "| GRU and BiGRU |" in capsys.readouterr().out


def test_causes_in_little(data, models, monkeypatch):
    import figure_faults as faults
    import figures

    monkeypatch.setattr(faults, "SAMPLE", 1)
    monkeypatch.setattr(faults, "SURE", 0.0)
    monkeypatch.setattr(faults, "CAUSES", 1)
    texts = figures.Texts(*(read_examples(str(data / "sst2" / f"{part}.tsv")) for part in figures.Texts._fields))
    model = figures.loaded(models / "gru-0")
    assert model.labels == ("negative", "positive")
    found = figures.failing(model, texts) | figures.found_swaps(model, texts)
    assert found["failures"]["wrong"] == 2 + (exegesis.predict(model, ["a terrible film"])[0]["negative"] < 0.5)
    assert found["cured"]["leave-one-out"] >= found["cured"]["reat"] >= 0
    (row,) = found["like"]
    assert set(row) == {"number", "label", "probability", "reat", "naive-reat", "any"}


def test_words_of_degree_stand_before_what_they_modify(monkeypatch):
    import figure_swaps

    texts = ("a very good film", "it is really slow", "i really like it", "very", "very good , very funny")
    found = figure_swaps.degrees([Example.of(text, "1") for text in texts])
    assert found == [(texts[0], "very"), (texts[1], "really")]


def test_verbs_are_merged_where_places_are_counted():
    from figure_words import behind

    found = behind([Example.of("he walked and she sings", "1")])
    assert found["VB"] == pytest.approx((3 + 0) / 2)
    assert "VBD" not in found


def test_repair_keeps_numbers_and_no_texts(data, tmp_path, monkeypatch, capsys):
    import figure_repair

    monkeypatch.setattr(figure_repair, "CONFIG", RecurrentConfig("lstm", embedding=4, hidden=4))
    monkeypatch.setattr(figure_repair, "OPTIONS", TrainOptions(epochs=1))
    (data / "sst2" / "test.tsv").write_text("terribly slow indeed\t0\nvery long indeed\t1\n")
    figure_repair.main([str(data), "--out", str(tmp_path / "out"), "--seeds", "3"])
    kept = json.loads((tmp_path / "out" / "repair.json").read_text("utf-8"))
    assert [run["seed"] for run in kept["runs"]] == [3]
    assert kept["added"] == 12  # "terribly" by the word of degree of the other form; all others stand there already
    assert "film" not in json.dumps(kept)
