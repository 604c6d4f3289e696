"""Readers: what each format means, and one line for everything that is wrong with a file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exegesis.core.errors import ExegesisError, FileError, MissingExtraError, UsageError
from exegesis.data.examples import Example, read_examples
from exegesis.data.tables import read_table


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pairs(examples: list[Example]) -> list[tuple[object, str | None]]:
    return [(example.text, example.label) for example in examples]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", 'good film\t1\nbad "film\t0\n'),
        ("a.tsv", 'sentence\tlabel\r\ngood film\t1\r\nbad "film\t0\r\n'),
        ("a.tsv", '\ufefflabel\tid\tsentence\n1\tx\tgood film\n\n0\ty\tbad "film'),
        ("a.csv", 'text,label\ngood film,1\n"bad ""film",0\n'),
        ("a.csv", '1,x,text\n1,x,good film\n0,y,"bad ""film"\n'),
        ("a.jsonl", '{"text": "good film", "label": 1}\n\n{"label": 0.0, "text": "bad \\"film", "more": [1]}\n'),
    ],
)
def test_formats_agree(tmp_path: Path, name: str, content: str) -> None:
    label = 1 if content.startswith("1,x") else None
    found = read_examples(write(tmp_path, name, content), label=label)
    assert pairs(found) == [("good film", "1"), ('bad "film', "0")]


def test_columns_by_name_and_number(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "kind,2,words\nx,first,second\n")
    assert pairs(read_examples(path, text="words", label="kind")) == [("second", "x")]
    assert pairs(read_examples(path, text="2", label=3)) == [("first", "second")]  # a name wins over a number
    assert pairs(read_examples(path, text=3, label=1, header=True)) == [("second", "x")]
    assert pairs(read_examples(path, text=3, label=1)) == [("words", "kind"), ("second", "x")]


def test_text_pairs(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", "gold_label\tpremise\thypothesis\nentailment\tA dog.\tAn animal.\n")
    assert pairs(read_examples(path)) == [(("A dog.", "An animal."), "entailment")]
    assert pairs(read_examples(path, text=3, pair=2, label=1)) == [(("An animal.", "A dog."), "entailment")]


def test_plain_text_is_a_text_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "text\tone\n\n  \ntwo, three\u2028four\n")
    assert pairs(read_examples(path)) == [("text\tone", None), ("two, three\u2028four", None)]


def test_latin_1_is_read_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, "a.tsv", "fine\t1\ncliché\t0\n".encode("latin-1"))
    assert read_examples(path)[1].text == "cliché"
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: line 2 is not UTF-8; the file is read as Latin-1"
    ]


def test_utf_16_with_its_mark(tmp_path: Path) -> None:
    assert pairs(read_examples(write(tmp_path, "a.tsv", "naïve\t1\n".encode("utf-16")))) == [("naïve", "1")]


def test_long_cells(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label\n" + "word " * 50_000 + ",1\n")
    assert len(str(read_examples(path)[0].text)) == 250_000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "", "holds no rows"),
        ("a.tsv", "sentence\tlabel\n", "holds no rows"),
        ("a.txt", " \n\n", "holds no rows"),
        ("a.jsonl", "\n", "holds no rows"),
        ("a.tsv", "a\t1\nb\t1\t2\n", "line 2: 3 cells where 2 are expected"),
        ("a.csv", 'text,label\n"a\nb",1\nc\n', "line 4: 1 cell where 2 are expected"),
        ("a.csv", 'text,label\na,1\n"b" c,1\n', "line 3: broken CSV"),
        ("a.csv", 'text,label\n"a,1\n', "line 2: broken CSV"),
        ("a.tsv", "a\t1\nb\0\t1\n", "line 2: holds a NUL byte"),
        ("a.tsv", "text\tlabel\ttext\na\t1\tb\n", "line 1: two columns are called 'text'"),
        ("a.tsv", "text\tlabel\na\t1\n\t0\n", "line 3: the text is empty"),
        ("a.jsonl", '{"text": "a"}\n{"text": null}\n', "line 2: the text is empty"),
        ("a.jsonl", '{"text": "a"}\n{"text"\n', "line 2: not JSON"),
        ("a.jsonl", '{"text": "a"}\n["text"]\n', "line 2: not a JSON object"),
        ("a.jsonl", "[" * 100_000, "line 1: not JSON"),
        ("a.xlsx", "a", "unknown kind of file '.xlsx'"),
        ("a.tsv", b"\xff\xfea", "damaged UTF-16"),
        ("a.parquet", "no parquet", "not a readable parquet file"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(UsageError if path.suffix == ".xlsx" else FileError) as caught:
        read_examples(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "sentense"}, "line 1: unknown column 'sentense'; did you mean 'sentence'?"),
        ({"text": 4}, "no text column 4; it has the columns label, sentence, note, counted from 1"),
        ({"label": "0"}, "no label column 0"),
        ({"text": "a", "header": False}, "line 1: no header with a column 'a'"),
        ({"header": False}, "say which column holds the text; it has 3 columns and no header"),
    ],
)
def test_wrong_columns_are_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    path = write(tmp_path, "a.tsv", "label\tsentence\tnote\n1\ta\tb\n")
    with pytest.raises(UsageError) as caught:
        read_examples(path, **options)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_text_file_has_no_columns(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.txt: a \.txt file has one text per line, no columns; name a table"):
        read_examples(write(tmp_path, "a.txt", "label\tsentence\n1\ta\n"), text="sentence")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        read_examples(tmp_path / "none.tsv")
    with pytest.raises(FileError, match="cannot be read"):
        read_examples(str(tmp_path / "none.csv"))
    with pytest.raises(FileError, match="cannot be read"):
        read_examples(str(tmp_path / "none"))


def test_folders(tmp_path: Path) -> None:
    write(tmp_path, "train.tsv", "a\t1\n")
    write(tmp_path, "valid.jsonl", '{"text": "b"}')
    assert read_examples(tmp_path, split="train")[0].text == "a"
    assert read_examples(tmp_path, split="dev")[0].text == "b"
    with pytest.raises(FileError, match="no file for the test split"):
        read_examples(tmp_path, split="test")
    with pytest.raises(UsageError, match="say which split"):
        read_examples(tmp_path)
    write(tmp_path, "train.csv", "a,1\n")
    with pytest.raises(UsageError, match="both hold the train split"):
        read_examples(tmp_path, split="train")


def test_parquet_with_class_names(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    features = {"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}, "sentence": {}}}}
    for n, (text, label) in enumerate([("a", 1), ("b", 0), ("c", -1)]):
        table = pa.table({"sentence": [text], "label": [label], "vector": [[1.0]]})
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
        pq.write_table(table, tmp_path / f"validation-{n:05}-of-00003.parquet")
    assert pairs(read_examples(tmp_path, split="dev")) == [("a", "pos"), ("b", "neg"), ("c", None)]


def test_datasets_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Feature:
        names = ("neg", "pos")

    class Split(dict[str, list[object]]):
        features = {"text": object(), "label": Feature()}  # noqa: RUF012
        column_names = ("text", "label")

    class Module:
        @staticmethod
        def load_dataset(name: str, config: str | None) -> dict[str, Split]:
            if name != "org/films":
                raise ConnectionError("no network\nat all")
            assert config == "small"
            return {"train": Split(text=["a"], label=[1]), "validation": Split(text=["b"], label=[0])}

    monkeypatch.setitem(sys.modules, "datasets", Module)  # type: ignore[arg-type]
    assert pairs(read_examples("org/films:small", split="dev")) == [("b", "neg")]
    with pytest.raises(UsageError, match="no split 'test'; it has train, validation"):
        read_examples("org/films:small", split="test")
    with pytest.raises(FileError, match=r"no such file, and no dataset to be had \(no network\)"):
        read_examples("org/nothing")
    monkeypatch.setitem(sys.modules, "datasets", None)  # type: ignore[arg-type]
    with pytest.raises(MissingExtraError, match=r"pip install 'exegesis\[data\]'"):
        read_examples("org/films")


def test_ids_are_content_hashes(tmp_path: Path) -> None:
    one = read_examples(write(tmp_path, "a.tsv", "good\t1\n"))[0]
    other = read_examples(write(tmp_path, "b.jsonl", '{"label": 1, "text": "good"}'))[0]
    assert one == other
    assert one.id == "e07ebfa235f6fd22a2df852293e753dd"
    assert len({one.id, Example.of("good", "0").id, Example.of("good").id, Example.of(("good", "x"), "1").id}) == 4
    assert len(Example.of("\ud800").id) == 32


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\t\r\n"), min_size=1)


@given(st.lists(CELLS.filter(str.strip), min_size=1), st.booleans())
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, texts: list[str], tabs: bool) -> None:
    folder = tmp_path_factory.mktemp("any")
    if tabs:
        path = write(folder, "a.tsv", "\n".join(["text\tlabel", *(f"{text}\t1" for text in texts)]))
    else:
        path = write(folder, "a.jsonl", "\n".join(json.dumps({"text": text, "label": 1}) for text in texts))
    assert [example.text for example in read_examples(path)] == texts


@given(st.binary(max_size=200), st.sampled_from(["a.tsv", "a.csv", "a.jsonl", "a.txt"]))
def test_any_bytes_give_rows_or_one_line(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    path = write(tmp_path_factory.mktemp("bytes"), name, data)
    try:
        table = read_table(path)
        assert all(len(row) == table.width for row in table.rows)
        read_examples(path)
    except ExegesisError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017


def test_no_torch() -> None:
    code = "import sys, exegesis.data.examples, exegesis.data.datasets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
