"""The Stanford Sentiment Treebank with labelled phrases, read from ``sst-trees/{train,dev,test}.txt``.

    python treebank.py DATA FOLDER

writes ``train.tsv`` (every phrase of every training tree once, by its most frequent class, whole sentences again),
``dev.tsv`` and ``test.tsv`` (whole sentences), classes 0 (very negative) to 4 (very positive). Words stay as they
stand in the trees, without the backslashes.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

NAMES = ("very negative", "negative", "neutral", "positive", "very positive")


@dataclass(frozen=True)
class Node:
    """A labelled span of words, half-open."""

    start: int
    stop: int
    label: int


@dataclass(frozen=True)
class Tree:
    """A sentence's words and all nodes of its tree, the whole sentence last."""

    words: tuple[str, ...]
    nodes: tuple[Node, ...]

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def label(self) -> int:
        return self.nodes[-1].label


def parse(line: str) -> Tree:
    """A tree from its line in Penn form, ``(3 (2 It) (4 works))``."""
    words: list[str] = []
    nodes: list[Node] = []
    opened: list[tuple[int, int]] = []
    for token in re.findall(r"\(\d(?=\s)|\)|[^\s()]+", line):
        if token == ")":
            label, start = opened.pop()
            nodes.append(Node(start, len(words), label))
        elif token[0] == "(":
            opened.append((int(token[1]), len(words)))
        else:
            words.append(token.replace("\\", ""))
    return Tree(tuple(words), tuple(nodes))


def read(data: Path, split: str) -> list[Tree]:
    """All trees of a split: train, dev or test."""
    return [parse(line) for line in (data / "sst-trees" / f"{split}.txt").read_text("utf-8").splitlines() if line]


def phrases(trees: list[Tree]) -> list[tuple[str, int]]:
    """Every distinct phrase with its most frequent class (the middle one where several are), in order."""
    seen: dict[str, Counter[int]] = defaultdict(Counter)
    for tree in trees:
        for node in tree.nodes:
            seen[" ".join(tree.words[node.start : node.stop])][node.label] += 1
    return [(text, min(counts, key=lambda label: (-counts[label], abs(label - 2)))) for text, counts in seen.items()]


def main() -> None:
    data, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "dev", "test"):
        trees = read(data, split)
        rows = [(tree.text, tree.label) for tree in trees]
        if split == "train":
            rows = phrases(trees) + rows
        lines = [f"{text}\t{label}" for text, label in rows]
        (folder / f"{split}.tsv").write_text("\n".join(["sentence\tlabel", *lines]) + "\n", "utf-8")
        print(f"{split}: {len(rows)} texts")


if __name__ == "__main__":
    main()
