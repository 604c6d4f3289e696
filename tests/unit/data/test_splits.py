"""The training, development and test texts that a user names, and where each was read."""

from __future__ import annotations

from pathlib import Path

import pytest

from exegesis.core.errors import ExegesisError, UsageError
from exegesis.data import splits
from exegesis.data.examples import Example
from exegesis.data.splits import read_splits


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train", "dev"):
        (tmp_path / f"{name}.tsv").write_text(f"text\tlabel\na {name} film\t1\n")
    (tmp_path / "other.tsv").write_text("text\tlabel\nanother film\t0\n")
    return tmp_path


def read(train: object, **others: object) -> dict[str, tuple[object, str]]:
    named = {name: None if source is None else str(source) for name, source in others.items()}
    return {name: (part.examples[0].text, part.origin) for name, part in read_splits(str(train), named).items()}


def test_a_folder_gives_the_splits_that_it_holds(folder):
    assert read(folder, dev=None, test=None) == {
        "train": ("a train film", f"{folder} (train)"),
        "dev": ("a dev film", f"{folder} (dev)"),
    }


def test_a_named_source_comes_before_the_folder(folder):
    other = folder / "other.tsv"
    assert read(folder, dev=other)["dev"] == ("another film", str(other))


def test_a_file_holds_no_other_split(folder):
    assert list(read(folder / "train.tsv", dev=None)) == ["train"]


def test_a_named_split_that_is_missing_is_an_error(folder):
    empty = folder / "empty"
    empty.mkdir()
    with pytest.raises(ExegesisError):
        read(folder, test=folder / "missing.tsv")
    with pytest.raises(ExegesisError):
        read(folder / "other.tsv", dev=empty)


def test_a_dataset_may_lack_a_split_that_nobody_named(monkeypatch):
    def read_examples(source: str, *given: object, **_: object) -> list[Example]:
        split = given[-1]
        if split == "test":
            raise UsageError("no such split")
        return [Example.of(f"{source} {split}")]

    monkeypatch.setattr(splits, "read_examples", read_examples)
    assert list(read_splits("sst2", {"dev": None, "test": None}, datasets=True)) == ["train", "dev"]
    with pytest.raises(UsageError, match="no such split"):
        read_splits("sst2", {"test": "sst2"}, datasets=True)


def test_every_file_is_read_in_the_encoding_that_is_said(tmp_path):
    for name in ("train", "dev"):
        (tmp_path / f"{name}.tsv").write_bytes("un café – bon\tgood\n".encode("cp1252"))
    parts = read_splits(str(tmp_path), {"dev": None}, encoding="cp1252")
    assert [part.examples[0].text for part in parts.values()] == ["un café – bon"] * 2
