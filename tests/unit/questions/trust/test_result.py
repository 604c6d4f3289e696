"""The result: intervals, files, counts; a text's numbers are its own; perturbed texts are pooled and run once."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import exegesis
import tests.support.evaluate_toys as toys
from exegesis.core.errors import FileError, UsageError
from exegesis.results.evaluation import Evaluation, Measurand, Measured

METHODS = ["leave-one-out", "gradient-x-input"]


@pytest.fixture(scope="module")
def linear():
    return toys.model()


@pytest.fixture(scope="module")
def result(linear):
    return exegesis.evaluate(linear, toys.texts(12), METHODS)


def made(values, higher=True, names=("a", "b"), seconds=(1.0, 1.0)):
    """An evaluation of one measure and methods without controls."""
    methods = tuple(Measurand(n, n, n == "random", s) for n, s in zip(names, [*seconds, math.nan], strict=False))
    values = np.array([values], dtype=float)
    count = values.shape[2]
    own = len([n for n in names if n != "random"])
    return Evaluation(
        "m", tuple(f"t{i}" for i in range(count)), ("l",) * count, (Measured("x", "?", "p", higher),), methods, values,
        agreement=np.eye(own), overlap=np.eye(own), disputes=np.full(count, math.nan),
    )  # fmt: skip


def test_batch_is_alone(linear, result):
    for i, text in enumerate(toys.texts(12)):
        alone = exegesis.evaluate(linear, [text], METHODS)
        for one in result.measures:
            for name in result.names:
                if name in alone.names:
                    np.testing.assert_allclose(
                        alone.of(one.name, name), result.of(one.name, name)[[i]], atol=1e-12, err_msg=f"{one} {name}"
                    )


def test_order_of_texts_and_methods_changes_nothing(linear, result):
    turned = exegesis.evaluate(linear, toys.texts(12)[::-1], METHODS[::-1])
    for one in result.measures:
        for name in result.names:
            np.testing.assert_allclose(turned.of(one.name, name)[::-1], result.of(one.name, name), atol=1e-12)


def test_every_perturbed_text_is_run_once(linear):
    """Two words can be kept in four ways, whatever is asked."""
    found = exegesis.evaluate(linear, ["superb dull"], METHODS)
    assert found.counts["run"] == 4
    assert found.counts["asked"] > 40
    more = exegesis.evaluate(linear, ["superb dull"], METHODS, how=["drop", "pad"])
    assert more.counts["run"] == 8


def test_few_calls_of_the_model(linear):
    """Measures and methods share calls: many fewer than perturbed texts."""
    calls = []

    def counted(texts):
        calls.append(len(texts))
        return np.array([[0.3 - 0.01 * words, 0.7 + 0.01 * words] for words in map(len, map(str.split, texts))])

    model = exegesis.blackbox(counted, ["bad", "good"])
    found = exegesis.evaluate(model, toys.texts(6), ["leave-one-out"])
    assert sum(calls) < 2 * found.counts["run"] < found.counts["asked"]
    assert len(calls) < found.counts["asked"] / 20


def test_intervals():
    """A constant difference is certain; one that is as often up as down is not known; one text has no interval."""
    values = np.arange(6.0)
    (one,) = made([values + 0.5, values]).compare("a", "b")
    assert one == ("x", 0.5, pytest.approx(0.5), pytest.approx(0.5), 6, "a")
    assert made([values + 0.5, values], higher=False).compare("a", "b")[0].better == "b"
    assert made([values % 2, (values + 1) % 2]).compare("a", "b")[0].better == ""
    assert made([values[:5] + 0.5, values[:5]]).compare("a", "b")[0].better == ""  # five of one sign: 1 in 16
    single = made([[1.0], [0.0]]).compare("a", "b")[0]
    assert math.isnan(single.low)
    assert single.better == ""


def test_equals_are_never_told_apart():
    values = np.random.default_rng(0).random(50)
    nearly = [values * (1 + k * 1e-15) for k in range(9)]  # what rounding makes of equals
    found = made(nearly, names=tuple("abcdefghi"), seconds=(1.0,) * 9)
    assert all(found.compare(a, b)[0].better == "" for a in "abcdefghi" for b in "abcdefghi")


def test_the_interval_is_that_of_the_mean():
    """Of 400 standard normal numbers it is about the mean ± 1.96 / 20."""
    values = np.random.default_rng(0).standard_normal(400)
    found = made([values, values]).mean("x", "a")
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_the_saved_advice_knows_no_clock():
    """The same numbers give the same advice in a file, however long the methods took."""
    low, high = np.zeros(30), np.ones(30)
    one, other = (
        made([low, high, low], names=("a", "b", "random"), seconds=seconds).to_dict()
        for seconds in ((0.1, 1.0), (1.0, 0.1))
    )
    assert one["methods"] != other["methods"]
    assert one["advice"] == other["advice"]
    assert "faster" not in one["advice"]


def test_pairs_are_of_texts_that_both_have():
    found = made([[1.0, math.nan, 3.0], [0.0, 9.0, math.nan]])
    assert found.compare("a", "b")[0].texts == 1
    assert found.mean("x", "a")[0::3] == (2.0, 2)


def test_texts_without_a_number_have_no_part_in_an_interval():
    found = made([[math.nan] * 10 + [1.0] * 10, [0.5] * 20])
    assert found.mean("x", "a") == (1.0, pytest.approx(1.0), pytest.approx(1.0), 10)
    assert found.compare("a", "b")[0] == ("x", 0.5, pytest.approx(0.5), pytest.approx(0.5), 10, "a")


def test_ranking_and_advice():
    low, high = np.zeros(30), np.ones(30)
    assert made([low, high]).ranking() == ("b", "a")
    assert made([low, high], higher=False).ranking() == ("a", "b")
    names = ("a", "b", "random")
    best = made([low, high, low], names=names, seconds=(0.1, 1.0)).advice()
    assert best == (
        "Take b: above random scores on 1 of 1 measure; it wins 1 of 1 comparisons with the other methods and loses "
        "none. a is 10 times faster and worse on x."
    )
    assert made([low, high, high + 1], names=names).advice().startswith("Trust none of these explanations: even b")
    assert made([high, high, low], names=names).advice().startswith("No method is better than the others")
    assert made([[1.0, 1.0], [0.0, 0.0]]).advice() == "2 texts are too few to tell methods apart: take 20 or more."
    assert made([low[:9], high[:9]]).advice().endswith("9 texts are few: take more.")


def test_marks_are_explained_where_a_cell_has_one():
    low, high, names = np.zeros(30), np.ones(30), ("a", "b", "random")
    table = made([low, high, low], names=names).table()
    assert "* better than random" in table
    assert "± half" in table
    assert "* better" not in made([low, high]).table()
    assert "* better" not in made([low, low, high], names=names).table()
    assert "±" not in made([[1.0], [0.0]]).table()


def test_plausible_is_not_faithful():
    """A method that people like better is not ranked above the one that the model is served by."""
    low, high = np.zeros(30), np.ones(30)
    one = made([low, high])
    both = (Measured("liked", "?", "p", True, False), Measured("x", "?", "p", True))
    found = replace(one, measures=both, values=np.array([[high, low], [low, high]]))
    assert found.ranking() == ("b", "a")
    assert found.wins("a") == (0, 1)
    assert replace(one, measures=both[:1], values=np.array([[high, low]])).ranking() == ("a", "b")


def test_files(result, tmp_path):
    again = exegesis.read(result.save(tmp_path / "all.json"))
    assert again == result
    assert isinstance(again, Evaluation)
    assert np.array_equal(again.values, result.values, equal_nan=True)
    assert np.array_equal(again.curves["deletion"], result.curves["deletion"], equal_nan=True)
    for name in ("model", "texts", "labels", "measures", "counts", "notes", "seed", "samples", "names"):
        assert getattr(again, name) == getattr(result, name)
    assert again.table() == result.table()
    assert [one.words for each in again.contested for one in each] == [
        one.words for each in result.contested for one in each
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [("values", []), ("values", None), ("methods", []), ("agreement", [[1]]), ("curves", {"deletion": [[1]]}),
     ("disputes", []), ("contested", [[{}]]), ("measures", [{}]), ("version", 9), ("version", "1")],
)  # fmt: skip
def test_damaged_files(result, tmp_path, key, value):
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps({**result.to_dict(), key: value}))
    with pytest.raises(FileError, match=r"damaged|newer"):
        exegesis.read(path)


def test_unknown_names(result):
    with pytest.raises(UsageError, match="did you mean 'deletion'"):
        result.mean("deletions", "leave-one-out")
    with pytest.raises(UsageError, match="unknown method of this evaluation"):
        result.compare("leave-one-out", "reat")


def test_a_saved_result_is_read_and_drawn_without_torch(result, tmp_path):
    result.save(tmp_path / "all.json")
    code = (
        "import sys, exegesis; r = exegesis.read(sys.argv[1]); r.save(sys.argv[2]); r.table(); r._repr_html_(); "
        "assert 'torch' not in sys.modules"
    )
    page = tmp_path / "trust.html"
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "all.json", page], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "<script" not in page.read_text()


def test_the_page_and_the_table_say_what_the_numbers_say(result):
    page, table = result._repr_html_(), result.table(width=80)
    mean = result.mean("deletion", "leave-one-out").value
    assert f">{mean:.3f}</text>" in page
    assert f"{mean:.3f}" in table
    assert result.advice().split(":")[0] in page
    assert max(len(line) for line in table.splitlines()) <= 80
    for one in result.measures:
        assert page.count(f"<h3>{one.name}</h3>") == 1 + (one.name in result.curves)


def test_names_and_texts_are_escaped(linear):
    bad = "<b>&\x1b"
    model = exegesis.blackbox(lambda texts: [[0.5, 0.5] if "<" in t else [0.2, 0.8] for t in texts], [bad, "good"])
    given = exegesis.explain(model, "a <i>b</i> c", "leave-one-out", "good")
    given = given.replace(name=bad)
    found = exegesis.evaluate(model, ["a <i>b</i> c"], ["leave-one-out"], explanations=[given], target="good")
    page = found._repr_html_()
    assert "<i>b</i>" not in page
    assert "<b>&" not in page
    assert "\x1b" not in page + found.table()


def test_methods_of_one_name_are_told_apart(linear):
    from exegesis.questions.attributions.leave_one_out import LeaveOneOut

    found = exegesis.evaluate(linear, toys.texts(2), [LeaveOneOut(), LeaveOneOut("pad")], ["deletion"])
    assert found.names[:2] == ("LeaveOneOut(how='drop')", "LeaveOneOut(how='pad')")


def test_a_method_beside_the_control_of_its_name(linear):
    found = exegesis.evaluate(linear, toys.texts(2), ["leave-one-out"], ["deletion"])
    assert found.names == ("leave-one-out", "random", "leave-one-out (control)", "greedy")
    assert exegesis.evaluate(linear, toys.texts(2), METHODS, controls=False).names == tuple(METHODS)


def test_greedy_is_the_best_order_of_a_bag_of_words(linear):
    """Weights add up, so that the perfect order is the greedy one, and no order does better."""
    texts = toys.texts(12)
    given = [toys.perfect(linear, text) for text in texts]
    found = exegesis.evaluate(linear, texts, [], ["deletion"], explanations=given)
    np.testing.assert_allclose(found.of("deletion", "greedy"), found.of("deletion", "perfect"))
    assert (found.of("deletion", "greedy") <= found.of("deletion", "random") + 1e-12).all()


def test_agreement(linear):
    texts = toys.texts(6)
    given = [
        [make(linear, text) for text in texts]
        for make in (toys.perfect, toys.reversed_, lambda *g: toys.perfect(*g, scale=3))
    ]
    found = exegesis.evaluate(linear, texts, [], ["deletion"], explanations=dict(zip("abc", given, strict=True)))
    assert found.agreement == pytest.approx(np.array([[1, -1, 1], [-1, 1, -1], [1, -1, 1]]))
    assert found.overlap == pytest.approx(np.ones((3, 3)))
    assert found.disputes == pytest.approx(np.full(6, -1 / 3))


def test_a_method_without_a_number_stays(linear, tmp_path):
    """Sizes without a sign have no completeness; the result is whole all the same."""
    found = exegesis.evaluate(linear, toys.texts(8), ["gradient", "leave-one-out"], ["completeness"])
    assert found.names[:2] == ("gradient", "leave-one-out")
    assert found.mean("completeness", "gradient").texts == 0
    assert found.ranking() == ("leave-one-out", "gradient")
    again = exegesis.read(found.save(tmp_path / "all.json"))
    assert again.advice() == found.advice()
    assert "none" in found._repr_html_()
