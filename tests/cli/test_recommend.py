"""``exegesis recommend`` and ``exegesis explain -M best``."""

from __future__ import annotations

import shutil

import pytest

import exegesis
from exegesis.core.recommendation import read_recommendation

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
        (["recommend", "a fine film", "--budget", "0"], "a budget is a number of ms a text above 0"),
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
