"""Training sentences of the small language model, out of a folder of public data sets."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

Words = list[str]
_ESCAPES = {"\\/": "/", "\\*": "*"}


@dataclass(frozen=True)
class Sentences:
    """``train`` and ``valid`` are a seeded cut of one collection; ``dev`` are the SST-2 development sentences."""

    train: list[str]
    valid: list[str]
    dev: list[str]
    counts: dict[str, int]


def key(text: str) -> str:
    """Letters and digits of a text, so that spacing, case, brackets and punctuation do not hide a copy."""
    return re.sub(r"[\W_]|\b-?[lr][rsc]b-?\b", "", text.lower())


def leaves(tree: str) -> str:
    text = " ".join(re.findall(r"\(\d ([^()\s]+)\)", tree))
    for escaped, plain in _ESCAPES.items():
        text = text.replace(escaped, plain)
    return text


def _lines(path: Path) -> list[str]:
    content = path.read_bytes()
    try:
        return content.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return content.decode("latin-1").splitlines()


def _sources(data: Path) -> Iterator[tuple[str, Iterable[str]]]:
    yield "sst2 (train)", [line.split("\t")[0] for line in _lines(data / "sst2" / "train.tsv")]
    yield "sst-trees (train)", [leaves(line) for line in _lines(data / "sst-trees" / "train.txt")]
    folder = data / "sentence-classification"
    for name, file in (("MR", "rt-polarity.all"), ("SUBJ", "subj.all"), ("CR", "custrev.all")):
        yield name, [line.split(" ", 1)[1] for line in _lines(folder / file) if " " in line]
    yield "Yelp (dev)", [line for part in "01" for line in _lines(data / "yelp-polarity" / f"sentiment.dev.{part}")]
    rows = [json.loads(line) for line in _lines(data / "movies-eraser" / "train.jsonl")]
    documents = [_lines(data / "movies-eraser" / "docs" / row["annotation_id"]) for row in rows]
    yield "movie reviews (train)", [line for document in documents for line in document]


def read_sentences(data: Path, seed: int, *, valid: int = 2000, longest: int = 60) -> Sentences:
    """Every source once, without what equals (letters and digits alone) a development or test sentence of the
    treebank, and without copies; sentences of more than ``longest`` words are left out."""
    dev = [line.split("\t")[0] for line in _lines(data / "sst2" / "dev.tsv")]
    seen = {key(line.split("\t")[0]) for part in ("dev", "test") for line in _lines(data / "sst2" / f"{part}.tsv")}
    seen |= {key(leaves(line)) for part in ("dev", "test") for line in _lines(data / "sst-trees" / f"{part}.txt")}
    held, copies, counts, kept = set(seen), set[str](), dict[str, int](), list[str]()
    for name, texts in _sources(data):
        before = len(kept)
        for text in texts:
            text = text.strip()
            if key(text) and key(text) not in held and text.lower() not in copies and len(text.split()) <= longest:
                copies.add(text.lower())
                kept.append(text)
        counts[name] = len(kept) - before
    groups: dict[str, list[str]] = {}
    for text in kept:  # copies that differ in spelling go to one side of the cut
        groups.setdefault(key(text), []).append(text)
    names = sorted(groups)
    random.Random(seed).shuffle(names)
    aside = set(names[:valid])
    return Sentences(
        train=[text for text in kept if key(text) not in aside],
        valid=[groups[name][0] for name in names[:valid]],
        dev=dev,
        counts=counts,
    )
