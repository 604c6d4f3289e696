"""``exegesis recommend`` and ``exegesis explain -M best``."""

from __future__ import annotations

import shutil

import pytest

import exegesis
from exegesis.results.recommendation import read_recommendation

TEXTS = "text\tlabel\na fine film\t1\nnot a bad one\t0\nfun but it grows tedious\t0\n"


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.tsv"
    path.write_text(TEXTS)
    return path


def test_recommend_then_best(call, folder, data, tmp_path):
    mine = tmp_path / "mine"
    shutil.copytree(folder, mine)
    out = mine / "recommendation.json"
    given = ["recommend", "--model", mine, "--data", data, "-M", "lime,gradient", "-p", "samples=20"]
    said = call(*given, "--measures", "deletion,monotonicity", "--out", out)
    assert said.code == 0, said.err
    found = read_recommendation(out)
    assert (found.data, found.texts, found.model) == ("data.tsv", 3, "mine")
    assert said.out == f"{found}\n"
    assert "3 texts are too few to tell methods apart" in said.out
    done = call("explain", "a fine film", "--model", mine, "-M", "best", "--json", tmp_path / "r.json")
    assert done.code == 0, done.err
    assert exegesis.read(tmp_path / "r.json").name == found.method
    assert call("explain", "a fine film", "-M", "best", "--recommendation", out, "-q").code == 0  # the same weights
    both = call("explain", "a fine film", "--model", mine, "-M", f"best,{found.method}", "--json", tmp_path / "b.json")
    assert both.code == 0, both.err
    assert exegesis.read(tmp_path / "b.json").name == found.method  # named once
    other = call("explain", "a fine film", "--model", "bundled", "-M", "best", "--recommendation", out)
    assert (other.code, other.err.count("\n")) == (2, 1)
    assert "recommends a method for another model ('mine')" in other.err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["recommend", "a fine film", "--out", "r.txt"], "--out r.txt: the name must end in .json"),
        (["recommend", "a fine film", "--budget", "0"], "budget must be a number of ms per text above 0"),
        (["recommend", "a fine film", "-M", "reap"], "unknown method 'reap'"),
        (["explain", "a fine film", "-M", "best"], "no recommendation to take the 'best' method from"),
        (["explain", "a fine film", "--recommendation", "r.json"], "--recommendation belongs to explanations by the"),
        (["explain", "a fine film", "-M", "best", "--recommendation", "/nowhere.json"], "cannot read /nowhere.json"),
    ],
)
def test_wrong_usage(call, given, message):
    said = call(*given)
    assert said.code in (1, 2)
    assert message in said.err
    assert said.err.count("\n") == 1


@pytest.fixture
def best(call, folder, data, tmp_path):
    """What was recommended for the bundled model: leave-one-out with pads."""
    out = tmp_path / "best.json"
    given = ["recommend", "--data", data, "-M", "leave-one-out", "-p", "how=pad", "--measures", "deletion"]
    assert call(*given, "--out", out).code == 0
    return out


def test_best_wherever_a_method_is_named(call, best, data, tmp_path):
    """The recommended method with its parameters, in every command that takes a method."""
    place, text, out = ["--recommendation", best], "a fine film , not a bad one", tmp_path / "out.json"
    said = call("compare", text, "-M", "best,reat", *place, "--json", out)
    assert said.code == 0, said.err
    assert "LeaveOneOut(how='pad'" in {one.name: one.parameters for one in exegesis.read(out).methods}["leave-one-out"]
    assert call("evaluate", "--data", data, "-M", "best", *place, "--json", out).code == 0
    assert "LeaveOneOut(how='pad'" in exegesis.read(out).methods[0].parameters
    tree = call("explain", text, "-m", "bundled", "--hierarchy", "acd", "-M", "best", *place, "--json", out)
    assert tree.code == 0, tree.err
    assert "LeaveOneOut(how='pad'" in exegesis.read(out).method
    for command in (["words", data], ["word", data, "film"], ["failures", data], ["summary", data],
                    ["substitute", text, "fine", "--language", "bundled"]):  # fmt: skip
        done = call("study", *command, "-M", "best", *place, "--json", out)
        assert done.code == 0, done.err
        assert exegesis.read(out).asked.method == "LeaveOneOut(how='pad')"
    own = call("study", "words", data, "-M", "best", *place, "-p", "how=zero", "--json", out)
    assert own.code == 0, own.err
    assert exegesis.read(out).asked.method == "LeaveOneOut(how='zero')"


@pytest.mark.parametrize("command", ["compare", "evaluate", "study words", "study word", "study failures"])
def test_best_without_a_recommendation(call, data, command):
    given = ["a fine film"] if command == "compare" else ["--data", data] if command == "evaluate" else [data]
    said = call(*command.split(), *given, *(["film"] if command == "study word" else []), "-M", "best")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "no recommendation to take the 'best' method from" in said.err
    vain = call(*command.split(), *given, *(["film"] if command == "study word" else []), "--recommendation", "r.json")
    assert (vain.code, vain.err.count("\n")) == (2, 1)
    assert "--recommendation belongs to explanations by the best method" in vain.err


def test_best_is_no_candidate_and_not_looked_up_below(call, data):
    from exegesis.core.errors import UsageError
    from exegesis.engine.methods import make

    said = call("recommend", "--data", data, "-M", "best,lrp")
    assert (said.code, said.err) == (
        2, "exegesis: 'best' is what a recommendation finds; name the methods to choose from\n"
    )  # fmt: skip
    with pytest.raises(UsageError, match="name the method itself"):
        make("best")


def test_best_in_python(best):
    text, model = "a fine film , not a bad one", exegesis.load()
    tree = exegesis.hierarchy(model, text, "acd", method="best", recommendation=best)
    assert "LeaveOneOut(how='pad'" in tree.method
    trust = exegesis.evaluate(
        model, [text], ["best", "leave-one-out", "lrp"], ["deletion"], recommendation=best, controls=False
    )
    assert [one.name for one in trust.methods] == ["leave-one-out", "lrp"]
    own = {"leave-one-out": {"how": "zero"}}
    other = exegesis.evaluate(
        model, [text], ["best"], ["deletion"], parameters=own, recommendation=best, controls=False
    )
    assert "how='zero'" in other.methods[0].parameters
    words = exegesis.study.words(model, [text], "best", recommendation=best)
    assert words.asked.method == "LeaveOneOut(how='pad')"
