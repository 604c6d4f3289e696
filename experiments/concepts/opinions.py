"""Does the bundled sentiment model follow opinion words? Hu and Liu's lists, and lists of words drawn at random.

python experiments/concepts/opinions.py DATA [FOLDER]

DATA holds sst2 and opinion-lexicon. On 300 test sentences of SST-2, at every layer: 40 words of each list, and five
lists of 40 words drawn from the test sentences that are in neither list (where nothing is to be found). Written to
FOLDER/opinions.json, drawn to FOLDER/opinions.svg.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from exegesis import study
from exegesis.data.concepts import read_concepts
from exegesis.data.examples import read_examples

WORDS, TEXTS, DRAWN = 40, 300, 5


def main(data: Path, folder: Path) -> None:
    texts = [str(one.text) for one in read_examples(str(data / "sst2"), split="test")]
    lists = read_concepts(sorted((data / "opinion-lexicon").glob("*-words.txt")))
    seen = sorted({word for text in texts for word in text.lower().split() if word.isalpha()})
    known, draw = set(seen), np.random.default_rng(0)
    concepts = {}
    for name, words in lists.items():
        own = [word for word in words if word in known]
        concepts[name] = [own[n] for n in draw.permutation(len(own))[:WORDS]]
    rest = [word for word in seen if not any(word in words for words in lists.values())]
    for number in range(1, DRAWN + 1):
        concepts[f"drawn {number}"] = [rest[n] for n in draw.permutation(len(rest))[:WORDS]]
    found = study.concepts("bundled", texts[:TEXTS], concepts, sets=999, compared=rest, most=WORDS)
    found.save(folder / "opinions.json")
    found.save(folder / "opinions.svg")
    print(found.table(width=118))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent)
