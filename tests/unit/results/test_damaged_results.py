"""Saved results of every kind, damaged anywhere: reading refuses them in one line, or gives what can be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import exegesis
from exegesis import study
from exegesis.core.errors import ExegesisError
from exegesis.data.examples import Example
from exegesis.results.result import FORMS
from tests.support import every_result
from tests.support import study_toys as toys
from tests.support.damage import damaged, seeds

TEXT = "it is a great film , not awful"
DATA = [("it is fine", "good"), ("a great film", "good"), ("the film is awful friday", "bad"), ("it is poor", "bad"),
        ("a fine film friday", "good"), ("great plot", "good"), ("really awful", "bad")]  # fmt: skip


def saved() -> dict[str, object]:
    """One result of every kind, and of every study."""
    model, bag = exegesis.load(), toys.model()
    texts, labels = [text for text, _ in DATA], [label for _, label in DATA]
    given = {"model": bag, "data": texts, "labels": labels, "method": "leave-one-out"}
    examples = [Example.of(*one) for one in DATA]
    trust = exegesis.evaluate(bag, texts, ["leave-one-out", "gradient-x-input"], ["deletion"], samples=50)
    return {
        "words": exegesis.explain(model, TEXT, "reat", level="all", trust=True),
        "classes": exegesis.explain(bag, TEXT, "leave-one-out", "all"),
        "lime": exegesis.explain(bag, TEXT, "lime", samples=50),
        "reduction": exegesis.explain(bag, TEXT, "input-reduction"),
        "acd": exegesis.hierarchy(model, TEXT, "acd"),
        "hedge": exegesis.hierarchy(bag, TEXT, "hedge"),
        "shapley": exegesis.explain(bag, TEXT, "shapley", exact=0, samples=10),
        "owen": exegesis.hierarchy(bag, TEXT, "owen"),
        "interactions": exegesis.interactions(bag, TEXT),
        "drawn interactions": exegesis.interactions(bag, TEXT, exact=0, samples=10),
        "relevance": exegesis.relevance(model, TEXT),
        "evaluation": trust,
        "randomisation": exegesis.randomisation(bag, texts, ["leave-one-out"], samples=50),
        "recommendation": exegesis.recommend(bag, texts, methods=["leave-one-out", "lime"], samples=50),
        "study words": study.words(bag, texts, "leave-one-out"),
        "study word": study.word(bag, texts, ["film", "nowhere", "is"], "leave-one-out"),
        "failures": study.failures(**given, train=texts, train_labels=labels),
        "summary": study.summary(**given, train=texts, train_labels=labels, minimum=1),
        "substitute": study.substitute(
            bag, "a fine film friday", "friday", data=texts, labels=labels, gold="good", method="leave-one-out",
            synonyms={"friday": ["monday", "really"]}, tagger=lambda words: ["NN"] * len(words),
        ),
        "repair": study.repair(examples, {"friday": ["monday"]}),
    }  # fmt: skip


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> dict[str, object]:
    path = tmp_path_factory.mktemp("saved") / "r.json"
    found = saved() | {f"by hand: {name}": make() for name, make in every_result.EVERY.items()}
    values = {name: json.loads(result.save(path).read_text()) for name, result in found.items()}
    before = Path(every_result.__file__).parent / "saved" / "version1"
    return values | {f"version 1 of {file.stem}": json.loads(file.read_text()) for file in sorted(before.iterdir())}


def used(path: Path, values: object) -> None:
    """Read it, and use what is read; an error of ours in one line is as good."""
    path.write_text(json.dumps(values))
    try:
        result = exegesis.read(path)
    except ExegesisError as error:
        if "\n" in str(error):
            raise AssertionError("an error of several lines") from error
        return
    assert str(result)
    assert repr(result)
    result.save(path.with_suffix(".again.json"))
    if not isinstance(result, exegesis.results.recommendation.Recommendation):  # which has no views
        result.save(path.with_suffix(".html"))


def test_every_kind_is_damaged(plain):
    assert {values["format"] for values in plain.values()} == set(FORMS)


@pytest.mark.parametrize("seed", seeds(12))
def test_a_damaged_result_is_refused_or_can_be_used(plain, tmp_path, seed):
    for name, values in plain.items():
        apart = isinstance(values, dict) and "result" in values  # what stands beside it is ignored
        broken, where = damaged(values, f"{seed} {name}", ("result",) if apart else ())
        try:
            used(tmp_path / "r.json", broken)
        except Exception as error:
            raise AssertionError(f"{name}: {where}") from error


@pytest.mark.parametrize("name", ["lime", "classes", "study words", "study word", "substitute"])
def test_empty_lists(plain, tmp_path, name):
    whole = plain[name]
    for key, value in whole.get("result", whole).items():
        if isinstance(value, list):
            empty = {"result": {**whole["result"], key: []}} if "result" in whole else {key: []}
            used(tmp_path / "r.json", whole | empty)
