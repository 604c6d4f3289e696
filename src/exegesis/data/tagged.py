"""Sentences with a tag for every word, from files of columns (CoNLL, CoNLL-U) and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from exegesis.core.errors import FileError, UsageError
from exegesis.data.encodings import decoded
from exegesis.data.treebank import read_treebank

SPLITS = {"train": ("train",), "dev": ("dev", "valid", "validation"), "test": ("test",)}
ENDINGS = (".conll", ".conllu", ".tsv", ".txt", ".jsonl", "")


class Tagged(NamedTuple):
    """The words of a sentence, and their tags."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


def read_tagged(path: str | Path, encoding: str | None = None) -> list[Tagged]:
    """Read the sentences of a file.

    ``.jsonl``: an object a line, with lists ``words`` (or ``tokens``) and ``tags`` of equal length. ``.conllu``: the
    words and their universal tags (``read_treebank``). Any other file: a word a line in the first column, its tag in
    the last, columns between tabs or blanks, a blank line after each sentence; lines that begin with ``#`` and a blank,
    and ``-DOCSTART-``, are left out. For ``encoding`` see ``data.encodings.decode``. Raises FileError, which names the
    line, for anything else, and for a file without a sentence.
    """
    source = Path(path)
    if source.suffix == ".conllu":
        return [Tagged(sentence.words, sentence.tags) for sentence in read_treebank(source)]
    try:
        content = decoded(source.read_bytes(), str(source), encoding)
    except OSError as error:
        raise FileError(f"{source}: cannot be read ({error.strerror or error})") from None
    sentences = _json_lines(content, source) if source.suffix == ".jsonl" else _columns(content, source)
    if not sentences:
        raise FileError(f"{source} holds no tagged sentence: give a word and its tag in each line")
    return sentences


def read_tagged_splits(
    data: str | Path, others: Mapping[str, str | None], encoding: str | None = None
) -> dict[str, list[Tagged]]:
    """The sentences of a folder with train, dev and test files, or of a file of training sentences.

    ``others`` names the files of further splits. Raises FileError without training sentences.
    """
    folder = Path(data)
    named = {name: Path(place) for name, place in others.items() if place is not None}
    if folder.is_dir():
        for split, stems in SPLITS.items():
            files = [folder / f"{stem}{ending}" for stem in stems for ending in ENDINGS]
            found = next((file for file in files if file.is_file()), None)
            if found is not None:
                named.setdefault(split, found)
        if "train" not in named:
            raise FileError(
                f"{folder} holds no file of tagged training sentences (train.conll, .conllu, .tsv, .txt or .jsonl)"
            )
    else:
        named["train"] = folder
    return {split: read_tagged(named[split], encoding) for split in SPLITS if split in named}


def _columns(content: str, source: Path) -> list[Tagged]:
    sentences: list[Tagged] = []
    words: list[tuple[str, str]] = []
    for number, line in enumerate([*content.splitlines(), ""], 1):
        if line.startswith(("# ", "-DOCSTART-")):
            continue
        if not line.strip():
            if words:
                sentences.append(Tagged(*(tuple(column) for column in zip(*words, strict=True))))
            words = []
            continue
        cells = [cell.strip() for cell in (line.split("\t") if "\t" in line else line.split())]
        if len(cells) < 2 or not cells[0] or not cells[-1]:
            raise FileError(f"{source}, line {number}: give a word and its tag, not {line.strip()!r:.40}")
        words.append((cells[0], cells[-1]))
    return sentences


def _json_lines(content: str, source: Path) -> list[Tagged]:
    sentences = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            words, tags = values.get("words", values.get("tokens")), values["tags"]
            if len(words) != len(tags) or not words or not all(isinstance(part, str) for part in [*words, *tags]):
                raise ValueError("as many tags as words are due, all of them texts")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FileError(f"{source}, line {number}: no tagged sentence ({error})") from None
        sentences.append(Tagged(tuple(words), tuple(tags)))
    return sentences


def tags_of(sentences: list[Tagged]) -> tuple[str, ...]:
    """The tags that occur, sorted. Raises UsageError for fewer than two."""
    tags = sorted({tag for sentence in sentences for tag in sentence.tags})
    if len(tags) < 2:
        raise UsageError(f"the training sentences have {len(tags)} tag(s); give at least two")
    return tuple(tags)
