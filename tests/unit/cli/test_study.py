"""``exegesis study``: every command once, its files, and wrong usage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exegesis.data.tagged import read_tagged_splits

LINES = [
    "a fine film , not a bad one .\tgood", "the fight scenes are fun\tgood", "it grows tedious\tbad",
    "a bad film\tbad", "a fine fight\tgood", "fun but tedious\tbad",
]  # fmt: skip


@pytest.fixture
def data(tmp_path) -> Path:
    path = tmp_path / "data.tsv"
    path.write_text("\n".join(LINES) + "\n")
    return path


COMMANDS = {
    "words": ["words", "DATA"],
    "word": ["word", "DATA", "film", "fun"],
    "failures": ["failures", "DATA", "--train", "DATA"],
    "substitute": ["substitute", "a fine film", "fine", "--data", "DATA", "--neighbours", "3"],
    "summary": ["summary", "DATA", "--train", "DATA", "--minimum", "1"],
    "repair": ["repair", "DATA", "--swap", "fine=lovely"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_study_is_shown_and_written(call, data, folder, tmp_path, name) -> None:
    given = [str(data) if one == "DATA" else one for one in COMMANDS[name]]
    own = [] if name == "repair" else ["--model", str(folder)]
    files = {"--json": tmp_path / "a.json", "--report": tmp_path / "a.html"}
    said = call("study", *given, *own, *(str(part) for pair in files.items() for part in pair))
    assert said.code == 0, said.err
    assert all(path.exists() for path in files.values())
    assert said.err.splitlines() == [f"wrote {path}" for path in files.values()]
    assert json.loads(files["--json"].read_text())["study"] == name
    assert said.out.splitlines()[0] in files["--report"].read_text()
    again = call("study", *given, *own, "--quiet")
    assert (again.code, again.out, again.err) == (0, "", "")


def test_new_texts_are_written_and_can_be_read(call, data, tmp_path) -> None:
    from exegesis.data.examples import read_examples

    new = tmp_path / "new.tsv"
    assert call("study", "repair", str(data), "--swap", "fine=lovely", "--new", str(new)).code == 0
    assert {(e.text, e.label) for e in read_examples(new)} == {
        ("a lovely film , not a bad one .", "good"), ("a lovely fight", "good"),
    }  # fmt: skip


def test_a_repair_says_first_how_many_trainings_it_takes(call, data, tmp_path) -> None:
    test = tmp_path / "test.tsv"
    test.write_text("a fine fun\tgood\na fine day\tgood\n")
    small = ["--seeds", "2", "--epochs", "1", "--embedding", "2", "--hidden", "2", "--arch", "gru"]
    given = ["study", "repair", str(data), "--swap", "fine=lovely", "--test", str(test), "--dev", str(data), *small]
    said = call(*given)
    assert said.code == 0, said.err
    assert said.err.splitlines() == [
        "6 trainings on 6 texts (without the new texts, with their originals again, with them; seeds: 2)"
    ]
    assert call(*given, "--quiet").err == ""


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        (["words", "nowhere.tsv"], 1, "nowhere.tsv"),
        (["words", "DATA", "--report", "a.pdf"], 2, "--html"),
        (["words", "DATA", "--tags", "x"], 2, "unknown choice of tags"),
        (["words", "DATA", "--param", "x=1"], 2, "unknown parameter of"),
        (["word", "DATA", "zzz"], 2, "no text holds the word"),
        (["failures", "DATA", "--column", "2"], 2, "label"),
        (["substitute", "a fine film", "nothing"], 2, "does not hold"),
        (["repair", "DATA", "--swap", "fine"], 2, "WORD=WORD"),
        (["repair", "DATA", "--swap", "zzz=yyy"], 2, "no training text"),
    ],
)
def test_wrong_usage_is_one_line(call, data, folder, given, code, says) -> None:
    given = [str(data) if one == "DATA" else one for one in given]
    own = [] if given[0] == "repair" else ["--model", str(folder)]
    said = call("study", *given, *own)
    assert (said.code, said.out) == (code, "")
    assert says in said.err
    assert len(said.err.splitlines()) == 1


def test_texts_in_another_encoding(call, folder, tmp_path) -> None:
    """The texts, the training texts, and tagged sentences; in Latin-1 the first letter is a control character."""
    lines = [line.replace("film", "\u0153uvre") for line in LINES]
    data, out = tmp_path / "data.tsv", tmp_path / "a.json"
    data.write_bytes("\n".join(lines).encode("cp1252"))
    told = ("--encoding", "cp1252", "--model", str(folder), "--json", str(out))
    said = call("study", "summary", str(data), "--train", str(data), "--minimum", "1", *told)
    assert (said.code, said.err) == (0, f"wrote {out}\n")
    assert "\u0153uvre" in str(json.loads(out.read_text("utf-8")))
    said = call("study", "words", str(data), "--encoding", "utf-8", "--model", str(folder))
    assert said.code == 1
    assert "byte 0x9c" in said.err
    sentences = "".join(f"{word}\t{tag}\n" for word, tag in (("\u0153uvre", "N"), ("is", "V"))) + "\n"
    (tmp_path / "train.conll").write_bytes(sentences.encode("cp1252"))
    (read,) = read_tagged_splits(tmp_path, {}, "cp1252")["train"]
    assert read.words == ("\u0153uvre", "is")
