"""A recommendation is the first in rank within the budget, saved and read whole, and refused for another model."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import exegesis
import tests.support.evaluate_toys as toys
from exegesis.core.errors import FileError, UsageError
from exegesis.questions.trust.recommendations import fingerprint, only, recommended
from exegesis.results.evaluation import Evaluation, Measurand, Measured
from exegesis.results.recommendation import read_recommendation
from tests.support.torch_toys import Shape, model, texts

SECONDS = {"good": 0.05, "fair": 0.01, "poor": 0.001}


def evaluation() -> Evaluation:
    """Three methods whose numbers differ on every text, the slower the better, and random scores below them."""
    draws = np.random.default_rng(0)
    noise = draws.normal(0, 0.01, (2, 4, 12))
    values = noise + np.array([0.9, 0.6, 0.3, 0.0])[None, :, None]
    methods = [Measurand(name, "", False, took) for name, took in SECONDS.items()]
    return Evaluation(
        model="linear",
        texts=tuple(f"text {i}" for i in range(12)),
        labels=("good",) * 12,
        measures=(Measured("a", "?", "p", True), Measured("b", "?", "p", True)),
        methods=(*methods, Measurand("random", "", True, float("nan"))),
        values=values,
        agreement=np.eye(3),
        overlap=np.eye(3),
        disputes=np.zeros(12),
    )


@pytest.mark.parametrize(("budget", "best"), [(None, "good"), (50.0, "good"), (49.0, "fair"), (5.0, "poor")])
def test_the_first_in_rank_within_the_budget(budget, best):
    result, linear = evaluation(), toys.model()
    found = recommended(linear, result, "data.tsv", budget, {"fair": {"samples": 3}})
    assert (found.method, found.sure) == (best, True)
    assert found.parameters == ({"samples": 3} if best == "fair" else {})
    within = [one.method for one in found.ranking if one.within]
    assert within == [name for name in SECONDS if budget is None or SECONDS[name] * 1000 <= budget]
    assert {one.method for one in found.ranking} == set(SECONDS)
    assert (found.ranking[0].won, found.ranking[0].lost) == (2 * (len(within) - 1), 0)
    assert found.advice == only(result, within).advice()
    assert best in found.advice
    if best == "good":
        difference = result.compare("good", "fair", "a")[0]
        assert f"good less fair, the next in rank: a {difference.value:+.3f} ({difference.low:+.3f} to" in found.lead
    said = str(found)
    assert said.startswith(f"{best} explains linear best of {len(within)} method{'s' * (len(within) > 1)} on 12")
    assert said.count("over the budget") == 3 - len(within)


def test_a_budget_that_none_keeps():
    with pytest.raises(UsageError, match=r"at most 0.5 ms per text: the quickest, poor, takes 1.0 ms"):
        recommended(toys.model(), evaluation(), "data", 0.5)
    with pytest.raises(UsageError, match="above 0"):
        exegesis.recommend(toys.model(), toys.texts(3), budget=0)


def test_what_chance_decides_is_not_sure():
    level = evaluation()
    same = replace(level, values=level.values - level.values.mean(2, keepdims=True))
    found = recommended(toys.model(), same, "data")
    assert not found.sure
    assert "by chance perhaps" in str(found)
    level_pegging = level.values.copy()
    level_pegging[:, 1:3] = level_pegging[:, :1]
    assert not recommended(toys.model(), replace(level, values=level_pegging), "data").sure
    few = replace(
        level, texts=level.texts[:5], labels=level.labels[:5], values=level.values[:, :, :5], disputes=np.zeros(5)
    )
    assert not recommended(toys.model(), few, "data").sure
    below = level.values.copy()
    below[:, 3] = 2.0  # random scores above all of them
    assert not recommended(toys.model(), replace(level, values=below), "data").sure


def test_measured_saved_and_taken_as_best(tmp_path, monkeypatch):
    linear, several = toys.model(), toys.texts(8)
    path = tmp_path / "best.json"
    given = {"parameters": {"lime": {"samples": 30}}, "measures": ["deletion", "monotonicity"], "seed": 2}
    found = exegesis.recommend(linear, several, ["lime", "gradient"], **given)
    direct = exegesis.evaluate(linear, several, ["lime", "gradient"], **given)
    assert found.method == direct.ranking()[0] == "lime"
    assert (found.advice.split(".")[0], found.measures) == (direct.advice().split(".")[0], ("deletion", "monotonicity"))
    found.save(path)
    assert read_recommendation(path) == exegesis.read(path) == found
    result = exegesis.explain(linear, several[0], "best", recommendation=path)
    assert (result.name, "samples=30" in result.method) == ("lime", True)
    assert "samples=40" in exegesis.explain(linear, several[0], "best", recommendation=path, samples=40).method
    with pytest.raises(UsageError, match="no recommendation to take the 'best' method from"):
        exegesis.explain(linear, several[0], "best")
    with pytest.raises(UsageError, match="belongs to method='best'"):
        exegesis.explain(linear, several[0], "lime", recommendation=path)
    monkeypatch.setenv("EXEGESIS_RECOMMENDATION", str(path))
    assert exegesis.explain(linear, several[0], "best").name == "lime"
    with pytest.raises(UsageError, match="recommends a method for another model"):
        exegesis.explain(toys.model(bias=0.2), several[0], "best")
    with pytest.raises(UsageError, match="recommends a method for another model"):
        exegesis.explain(exegesis.blackbox(lambda one: [0.5] * len(one), ["bad", "good"]), "fine", "best")


def test_candidates_are_those_that_the_model_serves():
    box = exegesis.blackbox(lambda one: [0.1 + 0.8 * ("w3" in text) for text in one], ["no", "yes"])
    found = exegesis.recommend(box, texts([4, 5]), measures=["deletion"])
    assert sorted(one.method for one in found.ranking) == ["leave-one-out", "lime"]
    assert (found.fingerprint, found.sure, found.data) == ("", False, "2 texts")
    with pytest.raises(UsageError, match="a list of names"):
        exegesis.recommend(box, texts([4]), "lime")
    with pytest.raises(UsageError, match="leave explanations to"):
        exegesis.recommend(box, texts([4]), explanations="tool.jsonl")


def test_fingerprints_are_of_the_weights():
    assert fingerprint(model()) == fingerprint(model())
    assert len({fingerprint(model(Shape(seed=seed))) for seed in (0, 1)}) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "x"}, "not a recommendation"),
        ({"version": 9}, "newer than"),
        ({"ranking": 3}, "damaged"),
        ({"method": 3}, "damaged"),
        ({"more": 1}, "damaged"),
        (None, "not JSON"),
    ],
)
def test_damaged_files(tmp_path, change, message):
    path = recommended(toys.model(), evaluation(), "data").save(tmp_path / "r.json")
    values = json.loads(path.read_text())
    path.write_text("{" if change is None else json.dumps({**values, **change}))
    with pytest.raises(FileError, match=message) as caught:
        read_recommendation(path)
    assert "\n" not in str(caught.value)
