"""A measure that compares a method with what it computes itself is no point for it in the ranking."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

import exegesis
import exegesis.questions.trust.request
import tests.support.evaluate_toys as toys
from exegesis.questions.trust.measure import measures
from exegesis.questions.trust.recommendations import recommended
from exegesis.results.evaluation import Evaluation, Measurand, Measured

TEXTS = 20


def made(favours=(), names=("mine", "leave-one-out", "third"), kept=None):
    """Two measures: on ``own`` leave-one-out is best throughout, on ``fair`` it is worst."""
    order = {"own": (1.0, 2.0, 0.0), "fair": (2.0, 0.0, 1.0)}
    values = np.array([[np.full(TEXTS, v) for v in (*each, -1.0)] for each in order.values()])
    methods = [Measurand(name, "", False, 0.01, method) for name, method in zip(names, kept or names, strict=True)]
    return Evaluation(
        "m", tuple(f"t{i}" for i in range(TEXTS)), ("l",) * TEXTS,
        (Measured("own", "?", "p", True, True, favours), Measured("fair", "?", "p", True)),
        (*methods, Measurand("random", "", True, math.nan)), values,
        agreement=np.eye(3), overlap=np.eye(3), disputes=np.full(TEXTS, math.nan),
    )  # fmt: skip


def test_comparisons_that_it_cannot_lose_are_left_out():
    plain, fair = made(), made(("leave-one-out",))
    assert plain.wins("leave-one-out") == (2, 2)
    assert fair.wins("leave-one-out") == (0, 2)
    assert (plain.wins("mine"), fair.wins("mine")) == ((3, 1), (3, 0))
    assert fair.wins("third") == (1, 2)
    assert fair.ranking() == ("mine", "third", "leave-one-out")
    assert plain.compare("leave-one-out", "mine", "own")[0].better == "leave-one-out"
    assert fair.compare("leave-one-out", "mine", "own")[0].better == "leave-one-out"  # the number stays


def test_it_is_known_by_any_name():
    found = made(("leave-one-out",), ("mine", "LeaveOneOut(how='pad')", "third"), ("mine", "leave-one-out", "third"))
    assert found.wins("LeaveOneOut(how='pad')") == (0, 2)


def test_nothing_of_one_text_follows_from_it():
    """The mean rank on one text is over what is left."""
    one = made(("leave-one-out",))
    one = replace(one, texts=("t",), labels=("l",), values=one.values[:, :, :1], disputes=np.full(1, math.nan))
    assert one.ranking() == ("mine", "third", "leave-one-out")
    assert "the best mean rank over 2 measures" in one.advice()


def test_advice_recommendation_and_page_count_alike():
    alone = made(("leave-one-out",))
    first = replace(alone, values=alone.values[:, [1, 0, 2, 3]], methods=tuple(alone.methods[i] for i in (1, 0, 2, 3)))
    assert first.ranking() == alone.ranking()
    assert "above random scores on 2 of 2 measures" in alone.advice()
    only = replace(alone, measures=alone.measures[:1], values=alone.values[:1])
    assert "leave-one-out: above" not in only.advice()
    page = " ".join(alone._repr_html_().split())
    said = "Not counted in the rank of leave-one-out, which has the best by definition: own."
    assert said in page
    assert said in " ".join(alone.table().split())
    assert said not in made().table()
    assert ">1 of 1</td>" in page  # leave-one-out, above random on the other measure alone
    model = toys.model()
    found = recommended(model, alone, "data")
    assert [(one.method, one.won, one.lost) for one in found.ranking] == [
        ("mine", 3, 0), ("third", 1, 2), ("leave-one-out", 0, 2)
    ]  # fmt: skip
    lead = recommended(model, replace(alone, values=alone.values[:, [2, 1, 0, 3]]), "data").lead
    assert "own" not in lead or "leave-one-out" not in lead


def test_it_is_saved():
    found = made(("leave-one-out",), ("mine", "x", "third"), ("mine", "leave-one-out", "third"))
    values = json.loads(json.dumps(found.to_dict()))
    again = Evaluation.from_dict(values)
    assert (again.measures, again.methods[:3]) == (found.measures, found.methods[:3])
    for one in values["measures"]:
        del one["favours"]
    for one in values["methods"]:
        del one["method"]
    assert Evaluation.from_dict(values).wins("x") == (2, 2)  # a file of before


def test_the_measures_that_do():
    """Leave-one-out with the measure's own way of removing has the best number of all methods on every text."""
    favoured = {card.name: card.favours for card in measures() if card.favours}
    assert favoured == {"faithfulness": ("leave-one-out",), "monotonicity": ("leave-one-out",)}
    model = exegesis.load()
    texts = ["not a bad film at all", "the fight scenes are fun but it grows tedious", "a warm , fine mess of a film"]
    found = exegesis.evaluate(model, texts, ["leave-one-out", "lrp", "reat"], list(favoured))
    for name in favoured:
        best = found.of(name, "leave-one-out")
        assert (best >= found.of(name, "lrp") - 1e-6).all()
        assert (best >= found.of(name, "reat") - 1e-6).all()
        assert best == pytest.approx(found.of(name, "leave-one-out (control)"))
    assert [one.method for one in found.methods[:3]] == ["leave-one-out", "lrp", "reat"]
    assert all(found.favoured(one, "leave-one-out") for one in found.measures)
    assert not any(found.favoured(one, "lrp", "reat") for one in found.measures)


def test_a_tie_is_not_sure_and_methods_over_the_budget_are_not_counted():
    model, plain = toys.model(), made()
    assert (plain.wins("mine"), plain.wins("mine", ["leave-one-out"])) == ((3, 1), (1, 1))
    assert not recommended(model, plain, "data").sure  # as good as it, as far as the two measures tell
    assert "but is not seen to be better than leave-one-out" in plain.advice()
    ahead = replace(plain, values=np.maximum(plain.values, plain.values[:, [0, 2, 2, 3]]), measures=plain.measures)
    ahead = replace(ahead, values=np.stack([ahead.values[1], ahead.values[1]]))
    assert recommended(model, ahead, "data").sure
    tied = replace(plain, values=plain.values[:, [0, 0, 2, 3]])
    assert tied.wins("mine") == tied.wins("leave-one-out") == (2, 0)
    found = recommended(model, tied, "data")
    assert not found.sure
    assert str(found).startswith("mine is among the best of 3 methods on 20 texts.")
    first, second, *rest = plain.methods
    slow = replace(ahead, methods=(first, second._replace(seconds=1.0), *rest))
    said = str(recommended(model, slow, "data", 100)).splitlines()[0]
    assert "best of 2 methods on 20 texts" in said
