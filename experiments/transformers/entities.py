"""Named entities of a fine-tuned tagger: precision, recall and F1 of whole entities with their kind.

    python experiments/transformers/entities.py --model FOLDER --data DATA/wnut17/emerging.test.annotated

An entity begins at ``B-``, or at ``I-`` behind none, and goes on while ``I-`` follows. A word's tag is read at its
first piece; a word without one (an invisible character) is taken for ``O``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

import exegesis
from exegesis.data.tagged import read_tagged

OUTSIDE, ROWS = "O", 64


def entities(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """First word, last word and one, kind."""
    found, start = set(), None
    for number, tag in enumerate([*tags, OUTSIDE]):
        if start is not None and not tag.startswith("I-"):
            found.add((start, number, tags[start][2:]))
            start = None
        if tag.startswith("B-") or (tag.startswith("I-") and start is None):
            start = number
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = exegesis.load(options.model)
    rows = sorted(read_tagged(options.data), key=lambda row: len(row.words))
    right = told = gold = words = same = outside = 0
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        batch = model.tokenizer(
            [list(row.words) for row in part], is_split_into_words=True, padding=True, return_tensors="pt"
        )
        with torch.no_grad():
            best = model.module(**batch).logits.argmax(-1).tolist()
        for number, row in enumerate(part):
            tags = [OUTSIDE] * len(row.words)
            for piece, word in reversed(list(enumerate(batch.word_ids(number)))):
                if word is not None:
                    tags[word] = model.labels[best[number][piece]]
            own, true = entities(tags), entities(row.tags)
            right, told, gold = right + len(own & true), told + len(own), gold + len(true)
            words, outside = words + len(tags), outside + row.tags.count(OUTSIDE)
            same += sum(one == two for one, two in zip(tags, row.tags, strict=True))
    print(f"{same / words:.2%} of {words:,} words, {outside / words:.2%} outside")
    print(f"entities: {gold} to find, {told} told, {right} right; precision {right / max(1, told):.3f}")
    print(f"recall {right / max(1, gold):.3f}, F1 {2 * right / max(1, told + gold):.3f}")


if __name__ == "__main__":
    main()
