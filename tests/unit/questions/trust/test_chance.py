"""What chance decides is not called better: simulated methods that are noise, equals, or truly better."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import stdtrit
from scipy.stats import norm, t

import tests.support.evaluate_toys as toys
from exegesis.questions.trust.recommendations import recommended
from exegesis.results.evaluation import Evaluation, Measurand, Measured
from exegesis.statistics import bootstrap
from exegesis.statistics.bootstrap import draw_texts, mean_intervals, owners_of
from exegesis.statistics.significance import certain, differences
from tests.support.shape_checks import unchecked

OWN, MEASURES = 5, 8


def made(values, texts=None, measures=None, methods=None, **given):
    """An evaluation of numbers ``[measures, methods, texts]``; the last method is the control of random scores."""
    count = values.shape[2]
    names = methods or [f"m{k}" for k in range(values.shape[1] - 1)]
    return Evaluation(
        "m", tuple(texts or (f"text {i}" for i in range(count))), ("l",) * count,
        tuple(measures or (Measured(f"x{m}", "?", "p", True) for m in range(len(values)))),
        (*(Measurand(name, "", False, 1.0) for name in names), Measurand("random", "", True, math.nan)), values,
        agreement=np.eye(len(names)), overlap=np.eye(len(names)), disputes=np.zeros(count), **{"samples": 400, **given},
    )  # fmt: skip


def alike(draws, count, above=0.0):
    """Methods that do the same by chance, on measures that go together, by so much above random scores."""
    noise = draws.standard_normal((1, OWN + 1, count)) + draws.standard_normal((MEASURES, OWN + 1, count))
    noise[:, :OWN] += above
    return noise


@pytest.mark.parametrize("count", [12, 40])
def test_the_level_is_that_of_all_comparisons_together(count):
    """Of 300 evaluations of noise about 15 call anything better; fixed seeds, by chance more than 24 in 1 % of such."""
    called = 0
    for run in range(300):
        each = differences(alike(np.random.default_rng(run), count), np.arange(count))
        called += unchecked(certain)(each.reshape(-1, count), 400, run).any()
    assert 6 <= called <= 24


def test_what_is_certain_makes_room_for_more():
    """22 of 30 texts of one sign (a chance of 0.016) are not the largest of 201 rows; of what is left they are."""
    weak = np.array([1.0] * 22 + [-1.0] * 8)
    strong = np.random.default_rng(0).normal(3, 1, (200, 30))
    assert certain(np.concatenate([strong, weak[None]]), 400, 0).all()
    noise = np.random.default_rng(0).normal(0, 1, (200, 30))
    assert not certain(np.concatenate([noise, weak[None]]), 400, 0)[-1]


def test_five_texts_are_never_enough():
    """All of one sign come by chance one of sixteen times, which few turns of signs may make less of."""
    assert not any(certain(np.ones((1, 5)), 40, seed).any() for seed in range(60))
    assert sum(certain(np.ones((1, 6)), 400, seed).any() for seed in range(60)) > 50


def test_of_noise_none_is_recommended():
    for run in range(20):
        found = made(alike(np.random.default_rng(run), 40), seed=run)
        assert found.advice().startswith(("Trust none", "No method can be recommended"))
        assert not recommended(MODEL, found, "data").sure


def test_of_equals_none_is_called_the_best():
    """All of them are far above random scores, which is said; that one of them is better is not."""
    taken = sure = 0
    for run in range(20):
        found = made(alike(np.random.default_rng(run), 40, above=4.0), seed=run)
        assert f"is above random scores on {MEASURES} of {MEASURES} measures" in found.advice() or (
            found.advice().startswith("Take")
        )
        taken += found.advice().startswith("Take")
        sure += recommended(MODEL, found, "data").sure
    assert taken <= 3
    assert sure == 0


@pytest.mark.parametrize("count", [60, 200])
def test_what_is_truly_better_is_found(count):
    """By as much as a text's number varies it is found in every run, and called sure."""
    for run in range(6):
        values = alike(np.random.default_rng(run), count, above=2.0)
        values[:, 2] += 1.5
        found = recommended(MODEL, made(values, seed=run), "data")
        assert (found.method, found.sure) == ("m2", True)
        assert found.advice.startswith("Take m2: above random scores on 8 of 8 measures; it wins")


def test_above_random_on_one_measure_of_three_is_not_enough():
    values = np.zeros((3, 3, 30)) + np.random.default_rng(0).normal(0, 0.1, (3, 3, 30))
    values[0, 0] += 1
    found = made(values)
    assert found.advice().startswith("No method can be recommended: even m0, the first in rank, is only above random")
    assert not recommended(MODEL, found, "data").sure


def test_what_is_below_random_on_a_measure_is_not_recommended():
    values = np.zeros((3, 3, 30)) + np.random.default_rng(0).normal(0, 0.1, (3, 3, 30))
    values[:2, 0] += 1
    assert made(values).advice().startswith("Take m0: above random scores on 2 of 3 measures; it wins 2 of 3")
    values[2, 0] -= 1
    found = made(values)
    assert found.advice() == (
        "No method can be recommended: even m0, the first in rank, is only above random scores on 2 of 3 measures and "
        "below them on 1."
    )
    assert not recommended(MODEL, found, "data").sure


def test_a_text_that_stands_often_is_evidence_once():
    values = np.zeros((1, 3, 60)) + np.array([1.0, 0.5, 0.0])[None, :, None]
    assert made(values).compare("m0", "m1")[0].better == "m0"
    for texts in (["one"] * 60, ["one", "two", "three", "four", "five"] * 12):
        found = made(values, texts)
        assert found.compare("m0", "m1")[0].better == ""
        assert math.isnan(found.mean("x0", "m0").low)
        assert "too few to tell methods apart" in found.advice()
        assert not recommended(MODEL, found, "data").sure
    draws = np.random.default_rng(0)
    ten = draws.normal(0.3, 1, 10)
    single = made(np.stack([ten, ten * 0, ten * 0])[None], samples=4000).mean("x0", "m0")
    often = made(np.tile(np.stack([ten, ten * 0, ten * 0])[None], 5), [f"t{i % 10}" for i in range(50)], samples=4000)
    assert often.mean("x0", "m0")[1:3] == pytest.approx(single[1:3])


def test_copies_add_up_and_what_is_missing_is_none():
    values = np.array([[[3.0, 2.0, 1.0, np.nan, 1.0], [1.0, 0.0, 1.0 + 1e-15, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0]]])
    found = differences(values, np.array([0, 0, 1, 2, 1]))
    assert found[0].tolist() == [[4, 0, 0], [5, pytest.approx(2), 0], [1, pytest.approx(2), 0]]
    assert owners_of(["a", "b", "a", "c", "b"]).tolist() == [0, 1, 0, 2, 1]


def test_better_takes_both_the_test_and_the_interval():
    """Numbers whose signs turn the mean far less than their draws do: the interval holds zero, so nothing is said."""
    values = np.array([-0.4, 0.1, 1.0, 0.0, 2.3, 0.8, 0.0, 0.5, 2.0, 0.3, -0.4, -0.3])
    found = made(np.stack([values, values * 0])[None])
    assert certain(values[None], 400, 0).all()
    (one,) = found.compare("m0", "random")
    assert one.low < 0 < one.high
    assert one.better == ""


def test_a_comparison_turned_round():
    values = np.random.default_rng(0).normal(1, 1, (1, 3, 20)) * np.array([3.0, 1.0, 0.0])[None, :, None]
    found, again = made(values), made(values)
    (there,), (back,) = found.compare("m0", "m1"), found.compare("m1", "m0")
    assert back == there._replace(value=-there.value, low=-there.high, high=-there.low)
    assert again.compare("m1", "m0")[0][1:4] == pytest.approx(back[1:4])
    assert there.better == back.better == "m0"


def test_comparisons_without_numbers_are_not_made():
    values = np.random.default_rng(0).normal(0, 1, (2, 4, 20))
    values[1, 0] = math.nan
    found = made(values)
    assert [found.tally(name).made for name in ("m0", "m1")] == [2, 3]
    assert (found.above_random("m0").made, found.above_random("m1").made) == (1, 2)


def test_a_few_differences_among_many_ties_are_none():
    """Four texts of 200 that differ, all alike, are no more than four: by a fair coin one of eight times."""
    values = np.zeros((1, 3, 200))
    values[0, 0, :4] = 0.3
    values[0, 2] = -1
    assert made(values).compare("m0", "m1")[0].better == ""
    values[0, 0, :12] = 0.3
    assert made(values).compare("m0", "m1")[0].better == "m0"


def test_intervals_of_few_texts_are_those_of_t():
    """Of six normal numbers an interval of 95 % holds the mean about as often as it says; a plain one 85 %."""
    held = 0
    for run in range(300):
        one = made(np.random.default_rng(run).standard_normal((1, 2, 6)), seed=run).mean("x0", "m0")
        held += one.low <= 0 <= one.high
    assert 0.9 < held / 300 <= 0.98
    wide = []
    for run in range(100):
        values = np.random.default_rng(run).standard_normal((1, 2, 15))
        one = made(values, seed=run, samples=2000).mean("x0", "m0")
        wide.append((one.high - one.low) / (2 * stdtrit(14, 0.975) * values[0, 0].std(ddof=1) / 15**0.5))
    assert np.mean(wide) == pytest.approx(0.99, abs=0.015)


def test_intervals_of_rows_are_those_of_each_row_alone(monkeypatch):
    values = np.random.default_rng(0).standard_normal((3, 9))
    values[1, 2:4], values[2, 4:] = np.nan, np.nan
    drawn = draw_texts(9, 300, 5)
    monkeypatch.setattr(bootstrap, "MAX_CELLS", 70)  # a few draws at a time
    found = mean_intervals(values, 300, 5)
    for row, interval in zip(values[:2], found, strict=False):
        own = np.isfinite(row)
        means = [np.repeat(row[own], times[own]).mean() for times in drawn]
        tail = float(norm.cdf(math.sqrt(own.sum() / (own.sum() - 1)) * t.ppf(0.025, own.sum() - 1)))
        np.testing.assert_allclose(interval, np.quantile(means, [tail, 1 - tail]), rtol=1e-12)
    assert np.isnan(found[2]).all()  # four texts


def test_a_rank_is_a_share_of_the_comparisons_made():
    """Leave-one-out is better than a directly, on what counts between them, and never loses; a wins more in number,
    over the others, on the measures that favour leave-one-out."""
    names = ["a", "leave-one-out", "b", "c"]
    rows = {"deletion": (1, 1.5), "insertion": (1, 1), "faithfulness": (1, 2), "monotonicity": (1, 2)}
    values = np.array([[np.full(30, v) for v in (*row, 0.0, 0.0, -9.0)] for row in rows.values()])
    favours = {"faithfulness": ("leave-one-out",), "monotonicity": ("leave-one-out",)}
    measures = [Measured(name, "?", "p", True, True, favours.get(name, ())) for name in rows]
    found = made(values, measures=measures, methods=names)
    assert found.tally("a") == (8, 1, 10)
    assert found.tally("leave-one-out") == (5, 0, 6)
    assert found.ranking()[:2] == ("leave-one-out", "a")
    assert found.advice().startswith("Take leave-one-out: above random scores on 2 of 2 measures; it wins 5 of 6 comp")


def test_faster_and_unknown_is_not_called_as_good():
    draws = np.random.default_rng(1)
    slow = draws.normal(3, 0.2, (1, 40))
    noise = draws.normal(0, 3, 40)
    values = np.stack([np.stack([slow[0], slow[0] - 0.5 + noise - noise.mean(), slow[0] - 9, slow[0] - 6])])
    found = made(values, methods=["slow", "quick", "poor"])
    timed = replace(found, methods=tuple(
        one._replace(seconds=0.1) if one.name == "quick" else one for one in found.methods
    ))  # fmt: skip
    assert "quick is 10 times faster and no measure tells it worse." in timed.advice()


MODEL = toys.model()
