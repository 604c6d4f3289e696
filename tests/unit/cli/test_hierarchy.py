"""``exegesis explain --hierarchy``: views, files, the parameters of a search, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import exegesis
from exegesis.questions.phrases.catalogue import SEARCHES
from tests.support.command import TEXT

SMALL = {"soc": ("-p", "samples=2", "-p", "neighbours=1"), "scd": ("-p", "samples=2", "-p", "neighbours=1")}


@pytest.mark.parametrize("search", SEARCHES.names)
def test_every_search_is_shown_and_saved(call, tmp_path: Path, search: str) -> None:
    file = tmp_path / "tree.json"
    said = call("explain", TEXT, "--hierarchy", search, *SMALL.get(search, ()), "--json", file, "--no-color")
    assert (said.code, said.err) == (0, f"wrote {file}\n")
    assert f" · {search} · " in " ".join(said.out.split()).replace(" small", " · small")  # the header may be broken
    tree = exegesis.read(file)
    assert isinstance(tree, exegesis.Hierarchy)
    assert (tree.name, tree.root.text) == (search, TEXT)
    assert said.out.count("┌") >= 2


def test_several_texts_as_lines_pages_and_figures(call, tmp_path: Path) -> None:
    page, figure = tmp_path / "t.html", tmp_path / "t.svg"
    said = call("explain", TEXT, "a bad one", "--hierarchy", "hedge", "--html", page, "--figure", figure, "--json", "-")
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [row["text"] for row in rows] == [TEXT, "a bad one"]
    assert {row["format"] for row in rows} == {"exegesis.hierarchy"}
    assert said.code == 0
    trees = [exegesis.Hierarchy.from_dict(row) for row in rows]
    trees[1].save(tmp_path / "other.svg")
    assert "a bad one" in page.read_text()
    assert figure.read_text().count("<title>") > (tmp_path / "other.svg").read_text().count("<title>")


def test_parameters_and_methods_reach_the_search(call) -> None:
    options = ("-M", "leave-one-out", "-p", "how=pad", "-p", "percentile=50", "-t", "bad", "--json", "-")
    row = json.loads(call("explain", TEXT, "--hierarchy", "acd", *options).out)
    assert row["parameters"] == "Agglomerative(scorer=LeaveOneOut(how='pad'), percentile=50.0, by='gain')"
    assert row["target"] == "logit:bad"
    row = json.loads(call("explain", TEXT, "--hierarchy", "parse", "-M", "reat", "--json", "-").out)
    assert row["parameters"] == "Parse(scorer=Reat())"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--hierarchy", "tree"), 2, "unknown search 'tree'"),
        (("--hierarchy", "adc"), 2, "did you mean 'acd'"),
        (("--hierarchy", "acd", "-M", "reat"), 2, "sum of its words"),
        (("--hierarchy", "acd", "-M", "reat", "-M", "lime"), 2, "takes one method"),
        (("--hierarchy", "soc", "-M", "lime"), 2, "score of its own"),
        (("--hierarchy", "hedge", "-p", "windw=2"), 2, "did you mean 'window'"),
        (("--hierarchy", "hedge", "-p", "window"), 2, "write NAME=VALUE"),
        (("--hierarchy", "acd", "--level", "all"), 2, "--level belongs to"),
        (("--hierarchy", "acd", "--figure", "tree.gif"), 2, "must end in .svg or .png or .pdf or .tex"),
        (("--hierarchy", "acd", "-t", "all"), 2, "one number"),
        (("--hierarchy", "soc", "-p", "language=/no/such/folder"), 1, "no folder"),
    ],
)
def test_what_is_refused(call, options, code: int, message: str) -> None:
    said = call("explain", TEXT, *options)
    assert said.code == code
    assert said.out == ""
    assert said.err.startswith("exegesis: ")
    assert said.err.count("\n") == 1
    assert message in said.err


def test_a_blank_text_among_others_is_refused_before_any_work(call) -> None:
    said = call("explain", TEXT, " ", "--hierarchy", "acd")
    assert (said.code, said.out) == (2, "")
    assert "text 2 of 2" in said.err
