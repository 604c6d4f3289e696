"""Make the training files of the bundled sentiment model out of the Stanford Sentiment Treebank.

    python prepare.py DATA FOLDER

DATA holds ``sst-trees/{train,dev,test}.txt`` (a tree a line, classes 0-4 at every node) and
``sst2/{train,dev,test}.tsv`` (the binary sentences, without brackets' and some other signs, lower case).
FOLDER gets ``train.tsv``, ``dev.tsv``, ``test.tsv`` (the SST-2 test sentences as they are) and
``test-trees.tsv`` (the same sentences with their punctuation and capitals).

Training texts are every phrase of every training tree, once, by its mean class over its occurrences
(below 1.5 negative, above 2.5 positive, else neutral), and the SST-2 training sentences. Phrases of 2 to 8
words with a negation are listed several times, the positive ones most often, so that the few of them count
for something, and a negation is not merely a sign of the negative (three in four of them are). A text that is,
letters and digits alone, equal to a development or test sentence is left out.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

NAMES = {"0": "negative", "1": "positive"}
NEGATIONS = frozenset(["not", "n't", "never", "no", "without", "nothing", "hardly", "neither", "nor"])
REPEATS = {"negative": 4, "neutral": 2, "positive": 13}
Rows = list[tuple[str, str]]


def phrases(tree: str) -> list[tuple[int, str]]:
    """Class and words of every node, the whole sentence last."""
    out: list[tuple[int, str]] = []
    open_nodes: list[tuple[int, list[str]]] = []
    for token in re.findall(r"\(\d|\)|[^\s()]+", tree):
        if token[0] == "(" and len(token) == 2:
            open_nodes.append((int(token[1]), []))
        elif token == ")":
            label, words = open_nodes.pop()
            out.append((label, " ".join(words)))
            if open_nodes:
                open_nodes[-1][1].extend(words)
        else:
            open_nodes[-1][1].append(token)
    return out


def name(mean: float) -> str:
    return "negative" if mean < 1.5 else "positive" if mean > 2.5 else "neutral"


def repeats(text: str, label: str) -> int:
    """How often a training text is listed."""
    words = text.lower().split()
    return REPEATS[label] if 2 <= len(words) <= 8 and not NEGATIONS.isdisjoint(words) else 1


def key(text: str) -> str:
    """Letters and digits of a text, so that spacing, case, brackets and punctuation do not hide a copy."""
    return re.sub(r"[\W_]|\b-?[lr][rsc]b-?\b", "", text.lower())


def main(data: Path, folder: Path) -> None:
    trees = {
        part: [phrases(line) for line in (data / "sst-trees" / f"{part}.txt").read_text("utf-8").splitlines()]
        for part in ("train", "dev", "test")
    }
    binary: dict[str, Rows] = {}
    for part in trees:
        lines = (data / "sst2" / f"{part}.tsv").read_text("utf-8").splitlines()
        binary[part] = [(text, NAMES[label]) for text, label in (line.split("\t") for line in lines)]
    sentences = {
        part: [(nodes[-1][1], name(nodes[-1][0])) for nodes in trees[part] if nodes[-1][0] != 2] for part in trees
    }
    held = {key(text) for part in ("dev", "test") for text, _ in binary[part]}
    held |= {key(nodes[-1][1]) for part in ("dev", "test") for nodes in trees[part]}
    classes: dict[str, list[int]] = defaultdict(list)
    for nodes in trees["train"]:
        for label, text in nodes:
            classes[text].append(label)
    train = [(text, name(sum(found) / len(found))) for text, found in classes.items()] + binary["train"]
    kept = [(text, label) for text, label in train if key(text) not in held]
    print(f"left out as equal to a development or test sentence: {len(train) - len(kept)} of {len(train)}")
    kept = [row for row in kept for _ in range(repeats(*row))]
    folder.mkdir(parents=True, exist_ok=True)
    parts = {
        "train": kept,
        "dev": binary["dev"] + sentences["dev"],
        "test": binary["test"],
        "test-trees": sentences["test"],
    }
    for part, rows in parts.items():
        lines = ["text\tlabel", *(f"{text}\t{label}" for text, label in rows)]
        (folder / f"{part}.tsv").write_text("\n".join(lines) + "\n", "utf-8")
        print(f"{folder / part}.tsv: {len(rows)} texts")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
