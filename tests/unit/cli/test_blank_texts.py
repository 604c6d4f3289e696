"""A blank text among others: named by its number, and left out where that is asked for."""

from __future__ import annotations

import io
import json
import logging

import pytest

import exegesis
from exegesis.core.errors import TextError, UsageError
from exegesis.data.examples import read_examples

FILES = {
    "t.jsonl": '{"text": "a fine film"}\n{"text": " "}\n{"text": "not bad"}\n{"text": null}\n',
    "t.csv": 'text,label\na fine film,1\n" ",0\nnot bad,1\n"",0\n',
    "t.tsv": "text\tlabel\na fine film\t1\n \t0\nnot bad\t1\n\t0\n",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("verb", ["explain", "predict", "evaluate", "recommend"])
def test_files(call, name, verb, tmp_path, caplog):
    (tmp_path / name).write_text(FILES[name])
    more = {"explain": ["--json", "-"], "predict": ["--json"]}.get(verb, ["-M", "reat", "--measures", "deletion"])
    line = 2 if name == "t.jsonl" else 3
    said = call(verb, "--file" if verb != "recommend" else "--data", tmp_path / name, *more)
    assert (said.code, f"line {line}: the text is empty" in said.err) == (1, True)
    with caplog.at_level(logging.WARNING, "exegesis.data"):
        said = call(verb, "--file" if verb != "recommend" else "--data", tmp_path / name, *more, "--skip-blank")
    assert said.code == 0, said.err
    assert f"2 blank texts skipped ({tmp_path / name}, line {line}, {line + 2})" in caplog.text
    if verb in ("explain", "predict"):
        assert [json.loads(one)["text"] for one in said.out.splitlines()] == ["a fine film", "not bad"]


def test_arguments(call, caplog):
    said = call("explain", "a fine film", " ", "--json", "-")
    assert (said.code, "text 2 of 2: the text is empty or blank" in said.err) == (2, True)
    with caplog.at_level(logging.WARNING, "exegesis.data"):
        said = call("explain", "a fine film", " ", "--json", "-", "--skip-blank")
    assert (said.code, len(said.out.splitlines())) == (0, 1)
    assert "1 blank text skipped (number 2)" in caplog.text
    said = call("explain", "", " ", "--skip-blank")
    assert (said.code, "every text is blank" in said.err) == (2, True)


def test_in_python(caplog):
    model, texts = exegesis.load(), ["a fine film", "  ", None, float("nan"), "not bad"]
    with pytest.raises(TextError, match="text 2 of 5: the text is empty or blank"):
        exegesis.explain(model, texts, "reat")
    with caplog.at_level(logging.WARNING, "exegesis.data"):
        found = exegesis.explain(model, texts, "reat", skip_blank=True)
    assert [one.text.raw for one in found] == ["a fine film", "not bad"]
    assert "3 blank texts skipped (number 2, 3, 4)" in caplog.text
    with pytest.raises(UsageError, match="every text is blank"):
        exegesis.explain(model, ["", " "], skip_blank=True)


def test_pairs(tmp_path):
    (tmp_path / "p.tsv").write_text("premise\thypothesis\na\tb\n \tb\na\t \n")
    found = read_examples(tmp_path / "p.tsv", skip_blank=True)
    assert [one.text for one in found] == [("a", "b")]


LINES = {
    "t.txt": "a fine film\n\n \nnot bad\n\n",
    "t.tsv": "text\tlabel\n\n \nnot bad\t1\n\n",
    "t.csv": "text,label\n\n \nnot bad,1\n\n",
    "t.jsonl": '{"text": "a fine film"}\n\n \n{"text": "not bad"}\n\n',
}


@pytest.mark.parametrize("name", LINES)
def test_blank_lines_are_named(name, tmp_path, caplog):
    """Those between texts, after which rows are no longer lines; not those at the end of a file."""
    (tmp_path / name).write_text(LINES[name])
    assert read_examples(tmp_path / name)[-1].text == "not bad"
    assert [one.getMessage() for one in caplog.records] == [f"2 blank lines left out ({tmp_path / name}, line 2, 3)"]


def test_no_word_of_blank_lines_where_there_are_none(tmp_path, caplog):
    (tmp_path / "t.txt").write_text("a fine film\nnot bad\n\n")
    (tmp_path / "t.csv").write_text('text,label\n"two\nlines",0\nnot bad,1\n')
    assert [len(read_examples(tmp_path / name)) for name in ("t.txt", "t.csv")] == [2, 2]
    assert not caplog.records


def piped(call, monkeypatch, content: bytes, *options: str):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    return call("explain", "--json", "-", *options)


def test_blank_lines_of_standard_input_are_named(call, monkeypatch, caplog):
    said = piped(call, monkeypatch, b"a fine film\n\n \r\nnot bad\n\n")
    assert [json.loads(one)["text"] for one in said.out.splitlines()] == ["a fine film", "not bad"]
    assert [one.getMessage() for one in caplog.records] == ["2 blank lines left out (standard input, line 2, 3)"]


def test_bytes_of_standard_input_are_read_as_those_of_a_file(call, monkeypatch, caplog, tmp_path):
    content = b"a fine film\na caf\xe9 film\n"
    (tmp_path / "t.txt").write_bytes(content)
    said = piped(call, monkeypatch, content)
    assert [json.loads(one)["text"] for one in said.out.splitlines()] == ["a fine film", "a caf\xe9 film"]
    filed = call("explain", "--json", "-", "--file", tmp_path / "t.txt")
    assert json.loads(filed.out.splitlines()[1])["text"] == "a caf\xe9 film"
    assert [one.getMessage() for one in caplog.records] == [
        f"{where}: line 2 is not UTF-8; the file is read as Latin-1" for where in ("standard input", tmp_path / "t.txt")
    ]
    said = piped(call, monkeypatch, "\ufeffa fine film\n".encode("utf-16-le"))
    assert json.loads(said.out)["text"] == "a fine film"
    said = piped(call, monkeypatch, b"a fine\0film\n")
    assert (said.code, "standard input, line 1: holds a NUL byte" in said.err) == (1, True)
