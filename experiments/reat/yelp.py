"""Our cut of Yelp's sentences: a folder of texts for ``train.sh`` and ``tables.py``.

    python experiments/reat/yelp.py DATA --out runs/yelp
    python experiments/reat/yelp.py DATA --out runs/yelp40/yelp --words 40 --test 2746

DATA/yelp-polarity holds ``sentiment.dev.0`` (negative), ``sentiment.dev.1`` (positive) and the like for test: one
tokenised sentence of at most 15 words a line, with its review's label. Each sentence counts once, and not at all where
it has both labels. Training and development texts are of the dev part (1,000 a label for development, the others for
training), test texts of the test part (10,000 a label), less those of the dev part. Every part has as many negative
as positive texts, as the paper's; which are taken is drawn with seed 0.

With ``--words 40`` lines that follow each other in a file, in part of one review, are joined into texts of at most 40
words, the limit of the paper.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from exegesis.core.disk.files import read_text, write_whole

DEVELOPMENT = 1000  # texts a label


def joined(lines: list[str], words: int) -> list[str]:
    """Lines joined to texts, each as long as it can be with at most so many words."""
    texts: list[list[str]] = [[]]
    for line in lines:
        if texts[-1] and len(" ".join((*texts[-1], line)).split()) > words:
            texts.append([])
        texts[-1].append(line)
    return [" ".join(text) for text in texts]


def once(folder: Path, part: str, words: int | None) -> dict[str, str]:
    """The label of each text of a part, in the files' order, without those that have both."""
    files = [read_text(folder / f"sentiment.{part}.{label}").strip().split("\n") for label in "01"]
    sides = [dict.fromkeys(joined(lines, words) if words else lines) for lines in files]
    both = {"", *(sides[0].keys() & sides[1].keys())}
    return {text: label for label, side in zip("01", sides, strict=True) for text in side if text not in both}


def drawn(texts: dict[str, str], chance: random.Random) -> list[list[str]]:
    """The texts of either label, each in a drawn order."""
    sides = [[text for text, one in texts.items() if one == label] for label in "01"]
    for side in sides:
        chance.shuffle(side)
    return sides


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of train.tsv, dev.tsv and test.tsv")
    parser.add_argument("--words", type=int, help="join lines to texts of at most so many words [each is a text]")
    parser.add_argument("--test", type=int, default=10_000, help="test texts a label [10000]")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    known, others = (once(given.data / "yelp-polarity", part, given.words) for part in ("dev", "test"))
    chance = random.Random(0)
    learned = drawn(known, chance)
    unseen = drawn({text: label for text, label in others.items() if text not in known}, chance)
    size = min(map(len, learned))
    parts = {
        "train": [side[DEVELOPMENT:size] for side in learned],
        "dev": [side[:DEVELOPMENT] for side in learned],
        "test": [side[: given.test] for side in unseen],
    }
    for name, sides in parts.items():
        rows = [f"{text}\t{label}" for label, side in zip("01", sides, strict=True) for text in side]
        chance.shuffle(rows)
        write_whole(given.out / f"{name}.tsv", "\n".join(rows) + "\n")
        print(f"{name}: {len(rows)} texts, {sum(len(row.split()) - 1 for row in rows) / len(rows):.1f} words")


if __name__ == "__main__":
    main()
