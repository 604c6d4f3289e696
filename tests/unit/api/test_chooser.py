"""The chooser of notebooks: what is chosen is what explain gives, with widgets where they are and without."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

import exegesis
from exegesis.api import choices as home
from exegesis.core.errors import MissingExtraError, UsageError

TEXT = "A fine film, but <b>dull</b>"


@pytest.fixture(scope="module")
def model():
    return exegesis.load()


@pytest.mark.quick
def test_what_is_chosen_is_explained(model):
    found = exegesis.chooser(model, TEXT, ["lrp", "leave-one-out"])
    assert found.result.timeless() == exegesis.explain(model, TEXT, "lrp").timeless()
    chosen = found.choose(method="leave-one-out", target="negative", level="all")
    assert chosen.timeless() == exegesis.explain(model, TEXT, "leave-one-out", "negative", level="all").timeless()
    assert found.result is chosen
    with pytest.raises(UsageError, match="unknown label 'nope'"):
        found.choose(target="nope")
    assert found.chosen == {"method": "leave-one-out", "target": "negative", "level": "all"}


def test_the_methods_are_those_that_the_model_serves(model):
    box = exegesis.blackbox(lambda texts: [[0.3, 0.7]] * len(texts), ["no", "yes"])
    assert exegesis.chooser(box, TEXT).names[0] == "leave-one-out"
    assert set(exegesis.chooser(box, TEXT).names) == {card.name for card in exegesis.methods(box)}


def test_without_widgets_the_explanation_shows_itself(model, monkeypatch):
    monkeypatch.setattr(home, "find_spec", lambda name: None)
    found = exegesis.chooser(model, TEXT, ["lrp"])
    shown = found._repr_mimebundle_()
    assert shown["text/html"] == found.result._repr_html_()
    with pytest.raises(MissingExtraError, match=r"pip install 'exegesis\[notebook\]'"):
        found.widget()


@pytest.mark.skipif(find_spec("ipywidgets") is None, reason="needs ipywidgets")
def test_widgets_choose(model):
    found = exegesis.chooser(model, TEXT, ["lrp", "leave-one-out"])
    boxes, shown = found.widget().children
    for box, value in zip(boxes.children, ("leave-one-out", "negative", "phrase"), strict=True):
        box.value = value
    own = exegesis.explain(model, TEXT, "leave-one-out", "negative", level="phrase")
    assert found.result.timeless() == own.timeless()
    assert shown.value == found.result._repr_html_()
    assert "<b>dull" not in shown.value
