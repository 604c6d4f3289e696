"""Files as other programs write them: each is read right, or refused in one line that says what to do."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exegesis.core.errors import FileError, UsageError
from exegesis.data import tables
from exegesis.data.encodings import decoded
from exegesis.data.examples import read_examples
from tests.support.one_line import said_in_one_line
from tests.support.shape_checks import unchecked


def read(folder: Path, name: str, content: str | bytes, **options: Any) -> list[tuple[Any, str | None]]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(example.text, example.label) for example in unchecked(read_examples)(path, **options)]


TWO = [("a good, long film", "1"), ("dull; so dull", "0")]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", 'text;label\na good, long film;1\n"dull; so dull";0\n', "';'"),
        ("a.csv", "text\tlabel\na good, long film\t1\ndull; so dull\t0\n", r"'\\t'"),
        ("a.csv", "text|label\na good, long film|1\ndull; so dull|0\n", r"'\|'"),
        ("a.csv", '"id";"text";"label"\n"1";"a good, long film";"1"\n"2";"dull; so dull";"0"\n', "';'"),
        ("a.csv", 'sep=;\ntext;label\na good, long film;1\n"dull; so dull";0\n', "';'"),
        ("a.csv", 'sep=;\r\nsatz;label\r\na good, long film;1\r\n"dull; so dull";0\r\n', "';'"),
        ("a.tsv", 'text,label\n"a good, long film",1\ndull; so dull,0\n', "','"),
        ("a.csv", '"a good, long film";1\n"dull; so dull";0\n', "';'"),  # no header: by its rows
        ("a.csv", 'text,label\n"a good, long film",1\ndull; so dull,0\n', ""),
        ("a.csv", 'text,label\r"a good, long film",1\rdull; so dull,0\r', ""),
        ("a.tsv", "text\tlabel\ra good, long film\t1\rdull; so dull\t0\r", ""),
        ("a.csv", '"a good, long film",1\n"dull; so dull",0\n', ""),
        ("a.tsv", "a good, long film\t1\ndull; so dull\t0\n", ""),
    ],
)
def test_separators(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: str, said: str) -> None:
    with caplog.at_level(logging.WARNING, "exegesis"):
        assert read(tmp_path, name, content, header=None) == TWO
    assert len(caplog.records) == bool(said)
    assert not said or caplog.records[0].getMessage().endswith(
        f"separated by {said.replace(chr(92) * 2, chr(92)).replace(chr(92) + '|', '|')}"
    )


@pytest.mark.parametrize(
    "content",
    [
        "text\ngood; but long\ndull; and long\n",
        "good; but long\ndull; and long\n",
        '"good, but long"\n"dull; and long"\n',
        "good; but long\n",
        "a|b\n",
        '"Good film\n"Dull film\n',
    ],
)
def test_semicolons_of_sentences_separate_nothing(tmp_path: Path, content: str) -> None:
    found = read(tmp_path, "a.tsv", content)
    assert all(label is None and len(text) > 2 for text, label in found)
    assert "".join(text for text, _ in found).count(";") == content.count(";")


def test_the_separator_that_is_said(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", "x#1\ny#0\n", separator="#") == [("x", "1"), ("y", "0")]
    assert read(tmp_path, "a.csv", "text;x,1\nb;y,0\n", separator=",", header=False) == [("text;x", "1"), ("b;y", "0")]
    for separator in ("", ";;", "\n", '"'):
        with pytest.raises(UsageError, match=r"^a separator is one character[^\n]*$"):
            read(tmp_path, "a.csv", "x,1\n", separator=separator)
    with pytest.raises(UsageError, match="no separator"):
        read(tmp_path, "a.txt", "x", separator=";")


def test_one_bad_byte_is_refused_with_its_place(tmp_path: Path) -> None:
    """A file of UTF-8 with a damaged byte is not read as Latin-1: every other accent would be spoiled."""
    content = "naïve\t1\ncafé\t0\n".encode() + b"caf\xe9\t1\n"
    place = content.index(b"\xe9\t") + 1
    with pytest.raises(
        FileError, match=rf"^[^\n]*line 3: byte 0xe9 \({place} of the file\) is not UTF-8[^\n]*'cp1252'$"
    ):
        read(tmp_path, "a.tsv", content)
    with pytest.raises(FileError, match="line 3"):
        read(tmp_path, "a.tsv", content.replace(b"\n", b"\r"))


@pytest.mark.parametrize(
    "encoding", ["cp1252", "latin-1", "cp1251", "shift_jis", "utf-16-le", "utf-16", "utf-8", "utf-8-sig", "utf-32"]
)
def test_the_encoding_that_is_said(tmp_path: Path, encoding: str) -> None:
    word = {"cp1251": "дорого", "shift_jis": "高い"}.get(encoding, "café naïve")
    assert read(tmp_path, "a.tsv", f"{word}\t1\n".encode(encoding), encoding=encoding) == [(word, "1")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_marks(tmp_path: Path, encoding: str) -> None:
    assert read(tmp_path, "a.csv", "text,label\ncafé,1\n".encode(encoding)) == [("café", "1")]


@pytest.mark.parametrize("encoding", ["no-such", "hex", "rot13", "", "a\0b", "idna", "undefined"])
def test_what_is_no_encoding(tmp_path: Path, encoding: Any) -> None:
    with pytest.raises((UsageError, FileError), match=r"^[^\n]{,300}$"):
        read(tmp_path, "a.tsv", "café\t1\n", encoding=encoding)


@pytest.mark.parametrize(
    "data", [b"a\0b\n", "a\n".encode("utf-16-le"), "a\0\n".encode("utf-16"), b"\xff\xfea", b"\xff\xfe\0\0a"]
)
def test_nul_bytes_and_damage(data: bytes) -> None:
    with pytest.raises(FileError, match=r"^there[^\n]*(NUL byte|damaged UTF-)[^\n]*$"):
        decoded(data, "there")


def test_a_cell_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_CELL", 1000)
    for name, content in (
        ("a.txt", "a\n{}\n"),
        ("a.csv", 'text\n"{}"\n'),
        ("a.tsv", "a\n{}\n"),
        ("a.jsonl", '\n{{"text": "{}"}}'),
    ):
        with pytest.raises(FileError, match=r"line 2: [0-9,]+ characters in one cell, over 1,000"):
            read(tmp_path, name, content.format("x " * 600))


def test_missing_values_of_json_and_parquet(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="line 2: the text is empty"):
        read(tmp_path, "a.jsonl", '{"text": "a"}\n{"text": NaN}')
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.table({"text": ["a", "b"], "label": [0, 1]})
    wrong: tuple[Any, ...] = (
        [],
        {"info": 3},
        {"info": {"features": []}},
        {"info": {"features": {"label": {"names": 3}}}},
    )
    for metadata in (b"\xff{", *(json.dumps(value).encode() for value in wrong)):
        parquet.write_table(table.replace_schema_metadata({b"huggingface": metadata}), tmp_path / "a.parquet")
        assert [example.label for example in read_examples(tmp_path / "a.parquet")] == ["0", "1"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([".csv", ".tsv", ".txt", ".jsonl"]),
    st.sampled_from(['text;label\n"a";1\n', "sep=|\na|b\n", '{"text": "a"}\n', "a,b\tc\n", "\ufefftext\r"]),
    st.lists(st.tuples(st.integers(0, 20), st.binary(max_size=3)), max_size=3),
    st.sampled_from([None, "utf-8", "utf-16", "cp1252", "ascii"]),
)
def test_mutated_files(tmp_path: Path, kind: str, content: str, changes: Any, encoding: str | None) -> None:
    """Whatever bytes a file holds, it is read, or refused in one line."""
    data = content.encode()
    for at, put in changes:
        data = data[:at] + put + data[at + len(put) // 2 :]
    with said_in_one_line():
        read(tmp_path, f"a{kind}", data, encoding=encoding)


@pytest.mark.parametrize("column", [2.5, [1], b"text", 0, -1, 10**30, "9" * 5000, "\N{SUPERSCRIPT TWO}", object()])
def test_what_is_no_column(tmp_path: Path, column: Any) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]{,300}$"):
        read(tmp_path, "a.csv", "a,b\nc,d\n", text=column)
