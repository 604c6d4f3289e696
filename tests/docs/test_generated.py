"""What scripts/docs.py writes is up to date: the table of methods, the layers, what the pictures show."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

import exegesis
from tests.support.doc_pages import ROOT, from_scripts

layers, docs = from_scripts("layers"), from_scripts("docs")
NUMBER = re.compile(r"[+\N{MINUS SIGN}-]?\d+(?:\.\d+)?(?:e-?\d+)?")


def test_table_and_layers_are_fresh():
    for path, content in docs.always():
        assert path.read_text("utf-8") == content, f"{path.name} is stale: python scripts/docs.py"


def test_a_new_method_makes_the_table_stale(monkeypatch):
    cards = exegesis.methods()
    monkeypatch.setattr(exegesis, "methods", lambda: cards[1:])
    assert docs.readme("methods", docs.methods())[1] != (ROOT / "README.md").read_text("utf-8")


def test_the_table_names_every_method_once():
    table = docs.methods()
    for card in exegesis.methods():
        (row,) = [line for line in table.splitlines() if line.startswith(f"| `{card.name}` |")]
        assert card.question in row
        assert card.paper in row
        assert row.endswith(f"| {card.year} |")
        assert ("✓" in row) == card.complete


def test_the_layers_are_the_folders(monkeypatch):
    drawn = {"".join(node.itertext()) for node in _texts(layers.picture())}
    named = layers.layers_of("exegesis")
    assert layers.folders() <= drawn
    assert {name for layer in named for name in layer} <= drawn
    monkeypatch.setattr(layers, "folders", lambda: {"core", "homeless"})
    with pytest.raises(ValueError, match="homeless"):
        layers.picture()


def test_a_page_without_the_marks_is_refused():
    assert docs.between("a\n<!-- x -->\nold\n<!-- /x -->\nb", "x", "new") == "a\n<!-- x -->\nnew\n<!-- /x -->\nb"
    with pytest.raises(ValueError, match="<!-- x -->"):
        docs.between("no marks", "x", "new")


def test_pictures_show_what_the_bundled_model_says():
    """Words to the letter, numbers to two places; machines round their last digits differently."""
    for path, content in docs.bundled_pictures():
        kept = path.read_text("utf-8")
        if path.suffix == ".svg":
            kept, content = (" ".join("".join(node.itertext()) for node in _texts(one)) for one in (kept, content))
        stale = f"{path.name} is stale: python scripts/docs.py --pictures"
        assert NUMBER.sub("#", kept) == NUMBER.sub("#", content), stale
        for old, new in zip(NUMBER.findall(kept), NUMBER.findall(content), strict=True):
            assert _value(old) == pytest.approx(_value(new), abs=0.02), stale


def _texts(svg: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(svg.encode()).findall(".//{http://www.w3.org/2000/svg}text")


def _value(number: str) -> float:
    return float(number.replace("\N{MINUS SIGN}", "-"))


def test_what_the_readme_says_of_figure_4():
    model = exegesis.load()
    results = {name: exegesis.explain(model, docs.ENORMOUSLY, name, "positive") for name in docs.FIGURE_4}
    score = {name: dict(zip(result.words, result.scores, strict=True)) for name, result in results.items()}
    signed = [name for name in docs.FIGURE_4 if name != "gradient"]
    for name in signed:
        assert min(score[name], key=score[name].get) == "absurd"
        assert min(score[name]["enormously"], score[name]["likable"]) > 0
    following = ("integrated-gradients", "gradient-x-input", "lime", "leave-one-out")
    assert all(score[name]["aware"] > 0.2 for name in following)
    assert abs(score["reat"]["aware"]) < 0.02
    assert score["naive-reat"]["aware"] < -0.1
    assert sum(score[name]["grasp"] < -0.1 for name in signed) > len(signed) / 2
