"""Reading UD English EWT (CoNLL-U) and the augmentation that every tagger here is trained with."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Sentence:
    """Gold words with Penn tags, universal tags, heads (own index for the root) and relations."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    upos: tuple[str, ...]
    heads: tuple[int, ...]
    relations: tuple[str, ...]

    def lower(self) -> Sentence:
        return replace(self, words=tuple(word.lower() for word in self.words))

    def without_last(self) -> Sentence:
        """The sentence less its last word (used where that is a full stop, a leaf of the tree)."""
        return Sentence(self.words[:-1], self.tags[:-1], self.upos[:-1], self.heads[:-1], self.relations[:-1])


def folder(option: str | None) -> Path:
    """The folder that holds ewt/: the option, else EXEGESIS_DATA."""
    root = option or os.environ.get("EXEGESIS_DATA")
    if not root:
        raise SystemExit("no data folder: give --data FOLDER or set EXEGESIS_DATA (FOLDER/ewt/*.conllu)")
    return Path(root) / "ewt"


def read(path: Path) -> list[Sentence]:
    """All sentences of a CoNLL-U file; multiword ranges (1-2) and empty nodes (1.1) are left out."""
    return [_sentence(rows) for rows in _blocks(path)]


def split(option: str | None, name: str) -> list[Sentence]:
    return read(folder(option) / f"en_ewt-ud-{name}.conllu")


def augment(sentence: Sentence, rng: random.Random, lower: float = 0.5, bare: float = 0.15) -> Sentence:
    """Lower-cased with one chance, without its final full stop with another: as sentiment data often is."""
    if rng.random() < lower:
        sentence = sentence.lower()
    last = len(sentence.words) - 1
    leaf = last > 0 and sentence.tags[last] == "." and last not in sentence.heads
    if leaf and rng.random() < bare:
        sentence = sentence.without_last()
    return sentence


def _blocks(path: Path) -> Iterator[list[list[str]]]:
    rows: list[list[str]] = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line and not line.startswith("#"):
            fields = line.split("\t")
            if fields[0].isdigit():
                rows.append(fields)
        elif not line and rows:
            yield rows
            rows = []
    if rows:
        yield rows


def _sentence(rows: list[list[str]]) -> Sentence:
    heads = tuple(int(row[6]) - 1 if row[6] != "0" else at for at, row in enumerate(rows))
    return Sentence(
        words=tuple(row[1] for row in rows),
        tags=tuple(row[4] for row in rows),
        upos=tuple(row[3] for row in rows),
        heads=heads,
        relations=tuple(row[7] for row in rows),
    )
