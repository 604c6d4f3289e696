"""``exegesis explain --trust``: the line stands in every view and in the saved result."""

from __future__ import annotations

import exegesis
from exegesis.show.documents.account import trust_line
from tests.support.command import TEXT


def test_the_line_is_in_every_view(call, tmp_path):
    files = [tmp_path / name for name in ("r.json", "r.html", "r.svg", "r.tex")]
    given = ["explain", TEXT, "-M", "reat", "--trust", "--no-color", "--json", files[0], "--html", files[1]]
    said = call(*given, "--figure", files[2])
    assert said.code == 0, said.err
    result = exegesis.read(files[0])
    line = trust_line(result)
    assert line.startswith("Trust: without the top 2 words the probability of ")
    assert "rank correlation" in line
    assert line.replace("\N{MINUS SIGN}", "-") in " ".join(said.out.split())  # a terminal has the plain sign
    result.save(files[3])
    for path in files[1:]:
        assert "Trust: without the top 2 words" in path.read_text(), path
    assert call("explain", TEXT, "-M", "reat", "--trust", "--figure", tmp_path / "r.pdf").code == 0


def test_several_methods_and_texts_have_a_line_each(call, tmp_path):
    given = ["explain", TEXT, "a fine film", "-M", "reat,gradient", "--trust", "--json", tmp_path / "r.jsonl"]
    said = call(*given)
    assert said.out.count("Trust: ") == 4
    assert len({trust_line(one) for one in exegesis.read(tmp_path / "r.jsonl")}) == 4


def test_without_it_there_is_none(call):
    assert "Trust" not in call("explain", TEXT).out


def test_a_hierarchy_has_none(call):
    said = call("explain", TEXT, "--hierarchy", "acd", "--trust")
    assert said.code == 2
    assert "--trust belongs to explanations of words" in said.err
