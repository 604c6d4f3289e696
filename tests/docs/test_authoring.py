"""The examples of a search and a measure in one file, and the public names that pages and examples go by."""

from __future__ import annotations

import importlib.util
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import pytest

import exegesis
import exegesis.authoring
from exegesis.core.registry import Registry
from exegesis.questions.phrases.catalogue import SEARCHES
from exegesis.questions.trust.measure import MEASURES
from tests.support.doc_pages import ROOT, pages

TEXTS = ["a fine film", "not a dull film at all", "tedious"]
INTERNAL = r"exegesis\.(api|cli|core|data|engine|mech|models|nn|protocols|questions|results|show|statistics)\b"


@contextmanager
def example(name: str, registry: Registry, registered: str) -> Iterator[ModuleType]:
    """A file of docs/, imported; what it registers is forgotten afterwards."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[name]
        if registered in registry:
            registry.remove(registered)


@pytest.fixture(scope="module")
def model():
    return exegesis.load()


def test_a_search_of_ones_own(model):
    with example("example_search", SEARCHES, "halves"):
        for text, tree in zip(TEXTS, exegesis.hierarchy(model, TEXTS, "halves", "positive"), strict=True):
            words = text.split()
            assert tree.name == "halves"
            assert len(tree) == 2 * len(words) - 1
            assert tree.root.score == pytest.approx(tree.explained)
            for part, word in zip(tree.words().scores, words, strict=True):
                alone = float(exegesis.explain(model, word, target="positive").explained)
                assert part == pytest.approx(alone, abs=1e-5)
        with pytest.raises(exegesis.UsageError, match=r"how must be drop, .* or mask, not 'dorp'; did you mean"):
            exegesis.hierarchy(model, TEXTS[0], "halves", how="dorp")
        with pytest.raises(exegesis.UsageError, match="the search halves has a score of its own"):
            exegesis.hierarchy(model, TEXTS[0], "halves", method="lrp")
    with pytest.raises(exegesis.UsageError, match="unknown search 'halves'"):
        exegesis.hierarchy(model, TEXTS[0], "halves")


def test_a_measure_of_ones_own(model):
    with example("example_measure", MEASURES, "top-words") as module:
        assert "top-words" in {card.name for card in exegesis.measures()}
        given = ["top-words", "top-words:words=2", module.TopWords(words=2, how="pad")]
        result = exegesis.evaluate(model, TEXTS[:2], ["leave-one-out"], given)
        assert [one.name for one in result.measures] == ["top-words", "top-words (words=2)", "top-words (words=2, pad)"]
        for number, text in enumerate(TEXTS[:2]):
            scores = exegesis.explain(model, text, "leave-one-out").scores
            label = max(exegesis.predict(model, text).items(), key=lambda pair: pair[1])[0]
            kept = np.array(text.split())[np.sort(np.argsort(-scores, kind="stable")[1:])]
            lost = exegesis.predict(model, text)[label] - exegesis.predict(model, " ".join(kept))[label]
            assert result.of("top-words", "leave-one-out")[number] == pytest.approx(lost, abs=1e-6)
        with pytest.raises(exegesis.UsageError, match="top-words: words must be a whole number of at least 1, not '0'"):
            exegesis.evaluate(model, TEXTS[:2], ["leave-one-out"], ["top-words:words=0"])
    assert "top-words" not in {card.name for card in exegesis.measures()}


def test_every_public_name_has_one_address():
    for name in exegesis.__all__:
        value = getattr(exegesis, name)
        if callable(value) and (not isinstance(value, type) or issubclass(value, Exception)):
            assert getattr(value, "__wrapped__", None) or value.__module__ == "exegesis", name
    error = pickle.loads(pickle.dumps(exegesis.UsageError("no")))
    assert type(error) is exegesis.UsageError
    assert sorted(exegesis.authoring.__all__) == sorted(set(exegesis.authoring.__all__))
    assert all(hasattr(exegesis.authoring, name) for name in exegesis.authoring.__all__)


def test_pages_and_examples_name_no_module_of_the_inside():
    files = [page for page in pages() if page.name != "architecture.md"]
    files += [*(ROOT / "docs").glob("*.py"), *(ROOT / "examples").glob("*.py")]
    assert len(files) > 12
    for path in files:
        found = re.search(INTERNAL, path.read_text("utf-8"))
        assert found is None, f"{path.name} names {found[0]}"


def test_errors_and_examples_load_no_torch():
    code = "import exegesis, sys; exegesis.UsageError, exegesis.Example, exegesis.comparison; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "exegesis.data.examples" in done.stdout.split()
    assert "torch" not in done.stdout.split()


def test_sensitivity_takes_texts_as_they_are(model):
    result = exegesis.sensitivity(model, TEXTS, ["gradient", "lrp"], draws=2, parameters={"lrp": {"epsilon": 0.1}})
    assert result.names[:2] == ("gradient", "lrp")
    assert np.isfinite(result.values[0, :2, :2]).all()
    assert (result.values[0, :2, :2] > 0).all()
    assert exegesis.levels(["a", "fine", "film"])["text"] == ((0, 3),)
