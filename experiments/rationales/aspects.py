"""Write reviews of three aspects whose reason is known: planted rationales, and planted shortcuts.

    python aspects.py FOLDER [--seed S] [--train N] [--silent P] [--shortcut P]

A review has a sentence on each of look, smell and taste, in drawn order, among fillers. The label is the opinion on
the smell, and the one opinion word of that sentence is the reason; opinions on the other aspects are independent of it.
A share --silent of the training reviews (0.2) has no sentence on the smell and a drawn label: else one of two labels
could be told by the absence of the other's words, and a rationale that keeps nothing of its texts would be a right one.
Development and test reviews all have their reason.
With --shortcut P the first or last filler is a word that agrees with the label with probability P ("bottle" for good,
"can" for bad): it is not the reason. FOLDER gets train.tsv, dev.tsv, test.tsv and, for each, marks of the reason
(*.marks.jsonl, for --marks) and of the shortcut (*.shortcuts.jsonl).
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

OPINIONS = {
    "look": (("golden", "clear", "bright", "creamy"), ("murky", "flat", "pale", "thin")),
    "smell": (("fragrant", "floral", "fruity", "fresh"), ("stale", "skunky", "sour", "musty")),
    "taste": (("crisp", "balanced", "rich", "smooth"), ("bitter", "watery", "harsh", "bland")),
}
FRAMES = ("the {aspect} is {degree} {opinion}", "{degree} {opinion} {aspect}", "{aspect} : {degree} {opinion}")
DEGREES = ("very", "rather", "quite", "really", "a bit", "so")
TALK = "we had this one at home with friends on a cold evening and it was poured from tap into my glass last week again"
FILLERS = [*TALK.split(), "maybe", "later"]
SHORTCUTS = ("can", "bottle")


SILENT = 0.2


def review(draw: random.Random, shortcut: float | None, silent: float = 0.0) -> tuple[str, str, list[bool], list[bool]]:
    """A text, its label, and for each of its words whether it is the reason, and whether it is a shortcut."""
    good, told = draw.random() < 0.5, not silent or draw.random() >= silent
    parts: list[list[tuple[str, bool, bool]]] = []
    for aspect, opinions in OPINIONS.items():
        if aspect == "smell" and not told:
            continue
        side = good if aspect == "smell" else draw.random() < 0.5
        opinion = draw.choice(opinions[0 if side else 1])
        words = draw.choice(FRAMES).format(aspect=aspect, degree=draw.choice(DEGREES), opinion=opinion).split()
        parts.append([(word, aspect == "smell" and word == opinion, False) for word in words])
    draw.shuffle(parts)
    fillers = [
        [(word, False, False) for word in draw.choices(FILLERS, k=draw.randint(2, 5))] for _ in range(len(parts) + 1)
    ]
    if shortcut is not None:
        agrees = draw.random() < shortcut
        place = draw.choice((0, len(parts)))
        fillers[place].append((SHORTCUTS[good if agrees else not good], False, True))
    rows = fillers[0]
    for part, filler in zip(parts, fillers[1:], strict=True):
        rows = [*rows, *part, *filler]
    return (
        " ".join(row[0] for row in rows),
        "good" if good else "bad",
        [row[1] for row in rows],
        [row[2] for row in rows],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train", type=int, default=800)
    parser.add_argument("--silent", type=float, default=SILENT)
    parser.add_argument("--shortcut", type=float, default=None)
    asked = parser.parse_args()
    write(asked.folder, asked.seed, asked.train, asked.shortcut, asked.silent)


def write(folder: Path, seed: int, train: int, shortcut: float | None, silent: float = SILENT) -> None:
    """Write the three splits with their marks."""
    folder.mkdir(parents=True, exist_ok=True)
    draw, seen = random.Random(seed), set[str]()
    for split, count in (("train", train), ("dev", 200), ("test", 400)):
        rows: list[tuple[str, str, list[bool], list[bool]]] = []
        while len(rows) < count:
            made = review(draw, shortcut, silent if split == "train" else 0.0)
            if made[0] not in seen:
                seen.add(made[0])
                rows.append(made)
        (folder / f"{split}.tsv").write_text("".join(f"{text}\t{label}\n" for text, label, _, _ in rows))
        for name, column in (("marks", 2), ("shortcuts", 3)):
            lines = (json.dumps({"text": row[0], "marks": row[column]}) + "\n" for row in rows)
            (folder / f"{split}.{name}.jsonl").write_text("".join(lines))


if __name__ == "__main__":
    main()
