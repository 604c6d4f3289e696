"""Explanations in words: what an explainer says of a text, and the bridge over a resource's facts."""

from __future__ import annotations

import json

import pytest

import exegesis
from exegesis import study
from exegesis.core.errors import FileError, UsageError
from exegesis.results.behaviour.said import Fact
from exegesis.study.reasons.resources import Resource, read_resource, resource_of

pytest.importorskip("accelerate")
from exegesis.models.explainers.explainer import SETTINGS, load_explainer
from exegesis.models.explainers.orders import asked
from exegesis.models.explainers.training import train_explainer
from exegesis.models.huggingface.finetuning import FineTuning
from tests.support import written_toys as toys


def test_resources_are_read_alike_from_lines_json_mappings_and_functions(tmp_path):
    lines, nested = tmp_path / "facts.tsv", tmp_path / "facts.json"
    lines.write_text("# a comment\n\nFilm\tis a\tmovie, work of art\nfine film\tis a\tclassic\nfilm\tis a\tmovie\n")
    nested.write_text(json.dumps({"film": {"is a": ["movie", "work of art"]}, "fine film": {"is a": ["classic"]}}))
    plain = {"film": [("is a", "movie"), ("is a", "work of art")], "fine film": [("is a", "classic")]}
    text = ("A", "fine", "Film", "and", "film", "film")
    film = (Fact("film", "is a", "movie"), Fact("film", "is a", "work of art"))
    expected = (Fact("fine film", "is a", "classic"), *film)  # the longest run of words, and no fact twice
    for given in (lines, str(nested), plain):
        assert resource_of(given).facts(text) == expected
    function = Resource(lambda word: [("echoes", word)] if word == "film" else [], longest=2)
    assert resource_of(function).facts(text) == (Fact("film", "echoes", "film"),)
    assert resource_of(lines).facts(text, most=1) == expected[:2]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "film\tmovie\n", "line 1: a word, a relation and phrases"),
        ("a.tsv", "film\tis a\t , \n", "line 1"),
        ("a.tsv", "\n", "holds no fact"),
        ("a.json", "[1]", "is no resource"),
        ("a.json", '{"film": {"is a": "movie"}}', "no list of strings"),
        ("a.json", "{", "is no resource"),
    ],
)
def test_damaged_resources_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(FileError, match=message):
        read_resource(tmp_path / name)


def test_the_bridge_leads_from_a_rationale_over_facts_to_a_sentence():
    model, resource = exegesis.load(), {"fine": [("is a", "quality")], "dull": [("antonym", "bright")]}
    texts = ["A truly fine film .", "A dull plot ."]
    found = study.bridge(model, texts, resource, "leave-one-out", share=0.2)
    rationales = exegesis.rationale(model, texts, "leave-one-out", share=0.2)
    for one, own in zip(found.texts, rationales, strict=True):
        assert one.words == own.words
        assert (one.label, one.probability) == (own.prediction.label, own.prediction.probability)
    assert found.texts[0].words == ("fine",)
    assert found.texts[0].explanation == 'positive because of "fine": fine is a quality.'
    (row,) = study.bridged(model, [study_row(texts[0])], resource, "leave-one-out")
    assert row.text == "A truly fine film . words: fine facts: fine is a quality"
    assert row.explanations == ("fine is good",)


def study_row(text):
    from exegesis.data.written import Written

    return Written(text, "positive", ("negative", "positive"), ("fine is good",))


def test_a_folder_that_writes_says_its_label_and_why(tmp_path, call):
    base = toys.base(tmp_path / "base", two_halves=True)
    parts, options = {"train": toys.rows(8), "dev": toys.rows(4, 1)}, FineTuning(epochs=1, batch=8, lr=5e-3)
    for order in ("label-specific", "predict-explain"):
        train_explainer(str(base), parts, tmp_path / order, order, options, state=tmp_path / "s", card=lambda _: "")
    explainer = load_explainer(tmp_path / "label-specific")
    assert explainer.choices == ("bad", "good")
    rows = toys.rows(2, 3)
    found = study.said(explainer, [one.text for one in rows])
    told = explainer.explain(rows)
    for one, row, own, chances in zip(found.texts, rows, told, explainer.decide(rows, told), strict=True):
        label = row.choices[int(chances.argmax())]
        assert (one.label, one.explanation) == (label, own[label])
        assert one.probability == pytest.approx(float(chances.max()))
        assert one.others == tuple((other, own[other]) for other in row.choices if other != label)
    shown = call("explain", rows[0].text, "-m", str(tmp_path / "label-specific"), "--json", str(tmp_path / "o.json"))
    assert shown.code == 0, shown
    assert found.texts[0].label in shown.out
    assert exegesis.read(tmp_path / "o.json").texts == found.texts[:1]
    refused = call("explain", rows[0].text, "-m", str(tmp_path / "label-specific"), "-M", "lime")
    assert refused.code == 2
    assert "--method does not go with" in refused.err
    bridged = study.bridge(exegesis.load(), "a warm film", {}, "leave-one-out", writer=tmp_path / "predict-explain")
    writer = load_explainer(tmp_path / "predict-explain")
    (one,) = bridged.texts
    source = asked("predict-explain", study_row(f"a warm film words: {', '.join(one.words)} facts: none"))
    assert one.explanation == writer.writer.write([source], [f"{one.label} because "], writer.most)[0]
    with pytest.raises(UsageError, match="takes any label"):
        study.bridge(exegesis.load(), "a film", {}, "leave-one-out", writer=explainer)
    (tmp_path / "predict-explain" / SETTINGS).write_text('{"order": "predict-explain"}')  # an older folder
    with pytest.raises(UsageError, match="does not know which labels"):
        study.said(tmp_path / "predict-explain", "a film")
