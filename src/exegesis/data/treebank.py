"""Sentences with their dependencies, from files of Universal Dependencies (CoNLL-U)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

from exegesis.core.disk.files import read_text
from exegesis.core.errors import FileError

COLUMNS = 10
WORD, TAG, FEATURES, HEAD, RELATION = 1, 3, 5, 6, 7


class Sentence(NamedTuple):
    """The words of a sentence with their universal tags, the number of each word's head (-1: the root), and the
    relation to it without its subtype; ``features`` are the morphological ones, such as ``Tense=Past|VerbForm=Fin``."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    heads: tuple[int, ...]
    relations: tuple[str, ...]
    features: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The words with blanks between."""
        return " ".join(self.words)

    def characters(self) -> list[tuple[int, int]]:
        """The range of characters of each word in ``text``."""
        return characters(self.words)


def characters(words: Sequence[str]) -> list[tuple[int, int]]:
    """The range of characters of each of some words with blanks between."""
    stops = list(accumulate((len(word) + 1 for word in words), initial=0))
    return [(start, stop - 1) for start, stop in pairwise(stops)]


def read_treebank(path: str | os.PathLike[str]) -> list[Sentence]:
    """The sentences of a file in the form CoNLL-U; ranges of words (3-4) and empty words (5.1) are left out.

    Raises FileError if the file is missing, holds no sentence, or has a row that is not of this form, named by its
    line.
    """
    sentences: list[Sentence] = []
    rows: list[tuple[str, str, int, str, str]] = []
    for number, line in enumerate([*read_text(path).split("\n"), ""], 1):
        line = line.rstrip("\r")
        if not line.strip():
            if rows:
                sentences.append(_sentence(rows, f"{Path(path)}, line {number}"))
            rows = []
            continue
        if line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != COLUMNS:
            raise FileError(f"{path}, line {number}: {len(cells)} columns, where CoNLL-U has {COLUMNS}")
        if not cells[0].isdecimal():
            continue
        if int(cells[0]) != len(rows) + 1 or not cells[HEAD].isdecimal():
            raise FileError(f"{path}, line {number}: words are numbered from 1 and name their head by number")
        relation = cells[RELATION].partition(":")[0]
        rows.append((cells[WORD], cells[TAG], int(cells[HEAD]) - 1, relation, cells[FEATURES]))
    if not sentences:
        raise FileError(f"{path}: holds no sentence; give a file of a treebank in CoNLL-U")
    return sentences


def _sentence(rows: list[tuple[str, str, int, str, str]], where: str) -> Sentence:
    words, tags, heads, relations, features = zip(*rows, strict=True)
    if any(head >= len(rows) or head == number for number, head in enumerate(heads)):
        raise FileError(f"{where}: a word's head is not a word of its sentence")
    return Sentence(words, tags, heads, relations, features)
