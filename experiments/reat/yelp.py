"""Our cut of Yelp's sentences: a folder of texts for ``train.sh`` and ``tables.py``.

    python experiments/reat/yelp.py DATA --out runs/yelp

DATA/yelp-polarity holds ``sentiment.dev.0`` (negative), ``sentiment.dev.1`` (positive) and the like for test: one
tokenised sentence of at most 15 words a line, with its review's label. Each sentence counts once, and not at all where
it has both labels. Training and development texts are of the dev part (1,000 a label for development, the others for
training), test texts of the test part (10,000 a label), less the sentences of the dev part. Every part has as many
negative as positive texts, as the paper's; which are taken is drawn with seed 0.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from exegesis.core.files import read_text, write_whole

DEVELOPMENT, TEST = 1000, 10_000  # texts a label


def once(folder: Path, part: str) -> dict[str, str]:
    """The label of each sentence of a part, in the files' order, without those that have both."""
    sides = [dict.fromkeys(read_text(folder / f"sentiment.{part}.{label}").split("\n")) for label in "01"]
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
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    known, others = (once(given.data / "yelp-polarity", part) for part in ("dev", "test"))
    chance = random.Random(0)
    learned = drawn(known, chance)
    unseen = drawn({text: label for text, label in others.items() if text not in known}, chance)
    size = min(map(len, learned))
    parts = {
        "train": [side[DEVELOPMENT:size] for side in learned],
        "dev": [side[:DEVELOPMENT] for side in learned],
        "test": [side[:TEST] for side in unseen],
    }
    for name, sides in parts.items():
        rows = [f"{text}\t{label}" for label, side in zip("01", sides, strict=True) for text in side]
        chance.shuffle(rows)
        write_whole(given.out / f"{name}.tsv", "\n".join(rows) + "\n")
        print(f"{name}: {len(rows)} texts, {sum(len(row.split()) - 1 for row in rows) / len(rows):.1f} words")


if __name__ == "__main__":
    main()
