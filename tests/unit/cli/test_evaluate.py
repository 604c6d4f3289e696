"""``exegesis evaluate`` from the command line: table, files, and one line for what is wrong."""

from __future__ import annotations

import json

import pytest

import exegesis
from exegesis.cli import run

TEXTS = "text\tlabel\na fine warm film\t1\nnot good at all\t0\nfun but it grows tedious\t0\n"


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.tsv"
    path.write_text(TEXTS)
    return path


def test_table_numbers_and_report(data, tmp_path, capsys):
    numbers, report = tmp_path / "numbers.json", tmp_path / "trust.html"
    given = ["evaluate", "--data", str(data), "--methods", "reat,gradient-x-input", "--measures", "deletion,infidelity"]
    assert run([*given, "--how", "drop,pad", "--json", str(numbers), "--report", str(report)]) == 0
    out = capsys.readouterr().out
    result = exegesis.read(numbers)
    assert [one.name for one in result.measures] == [
        "deletion", "deletion (pad)", "infidelity", "infidelity (pad)"
    ]  # fmt: skip
    assert f"{result.mean('deletion', 'reat').value:.3f}" in out
    assert result.advice().split(":")[0] in " ".join(out.split())
    assert "How far can these explanations be trusted?" in report.read_text()


def test_another_tool_marks_and_word_lists(data, tmp_path, capsys):
    (tmp_path / "plus").write_text("fine\nfun\ngood\n")
    (tmp_path / "minus").write_text("tedious\nnot\n")
    (tmp_path / "marks.jsonl").write_text(json.dumps({"text": "a fine warm film", "marks": [[2, 6]]}))
    row = {
        "text": "a fine warm film",
        "words": ["a", "fine", "warm", "film"],
        "scores": [0, 2, 1, 0],
        "target": "positive",
    }
    (tmp_path / "tool.jsonl").write_text(json.dumps(row))
    given = ["evaluate", "-f", str(data), "-M", "reat", "--explanations", str(tmp_path / "tool.jsonl"), "--json",
             str(tmp_path / "n.json"), "--marks", str(tmp_path / "marks.jsonl"),
             "--words", f"{tmp_path / 'plus'},{tmp_path / 'minus'},positive"]  # fmt: skip
    assert run(given) == 0
    result = exegesis.read(tmp_path / "n.json")
    names = [one.name for one in result.measures]
    assert "tool" in result.names
    plausible = result.mean("plausibility-f1", "tool")
    assert (plausible.value, plausible.texts) == (1.0, 1)
    about = next(name for name in names if name.startswith("interpretability"))
    assert result.mean(about, "reat").texts == 2
    assert "tool explains 1 of 3 texts." in result.notes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--measures", "delete"], "unknown measure 'delete'"),
        (["--how", "burn"], "unknown way of removing 'burn'"),
        (["--methods", "reap"], "unknown method 'reap'; did you mean 'reat'?"),
        (["--words", "a,b"], "--words names two files and a label"),
        (["--json", "numbers.txt"], "--json numbers.txt: the name must end in .json"),
        (["--report", "page.pdf"], "--html page.pdf: the name must end in .html"),
        (["--other", "bundled"], "--other belongs to --sanity"),
        (["--explanations", "/nowhere.jsonl"], "cannot read /nowhere.jsonl"),
    ],
)
def test_wrong_usage(data, capsys, given, message):
    assert run(["evaluate", "--data", str(data), *given]) in (1, 2)
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_an_empty_list_of_methods_is_no_default(capsys):
    for command in ("compare", "evaluate", "recommend", "explain"):
        option = "--method" if command == "explain" else "--methods"
        assert run([command, "a fine film", option, ""]) == 2
        assert "names no method" in capsys.readouterr().err


def test_compare_ranks_methods_on_one_text(capsys, tmp_path):
    text = "The fight scenes are fun but it grows tedious"
    given = ["compare", text, "--methods", "gradient,integrated-gradients", "--measures", "deletion,monotonicity"]
    assert run([*given, "--json", str(tmp_path / "one.json"), "--no-color"]) == 0
    out = capsys.readouterr().out
    found = exegesis.read(tmp_path / "one.json")
    assert found.ranking() == ("integrated-gradients", "gradient")
    assert out.index("integrated-gradients") < out.index("gradient  ")
    assert "tedious(" in out
    said = "On this text integrated-gradients has the best mean rank over 2 measures; of one text nothing follows for"
    assert said in " ".join(out.split())


def test_sanity_stands_beside(data, tmp_path, capsys):
    given = ["evaluate", "-f", str(data), "-M", "reat,gradient", "--measures", "completeness", "--sanity"]
    assert run([*given, "--json", str(tmp_path / "two.json"), "--report", str(tmp_path / "two.html")]) == 0
    first, second = exegesis.read(tmp_path / "two.json")
    assert [one.name for one in (*first.measures, *second.measures)] == ["completeness", "parameter-randomisation"]
    assert f"{second.mean('parameter-randomisation', 'reat').value:.3f}" in capsys.readouterr().out
    assert (tmp_path / "two.html").read_text().count("<h2>How to read this</h2>") == 1
