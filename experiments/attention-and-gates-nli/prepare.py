"""Put training, development and test pairs together for natural language inference, without SNLI's training half.

    python prepare.py DATA FOLDER

DATA holds ``counterfactual/NLI/all_combined/{train,dev}.tsv`` (Kaushik et al. 2020),
``esnli/{s1,s2,labels}.{dev,test}`` (e-SNLI: SNLI's own development and test pairs),
``sick/SICK_{train,test_annotated}.txt``, ``pairs/MED/MED.tsv`` (monotonicity entailment),
``snli/snli_1.0_test.jsonl`` (the part of SNLI's test pairs that is scored), ``snli/bnli.jsonl`` (Breaking NLI) and
``mnli-hans/hans_regenerated.tsv``. FOLDER gets ``train.tsv``, ``dev.tsv``,
``test.tsv``, ``breaking.tsv`` and ``hans.tsv``. A training pair whose premise is that of a scored test or development
pair is left out; counts are printed.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

Row = tuple[str, str, str]
GIVEN = ("sentence1", "sentence2", "gold_label")
JUDGED = ("sentence_A", "sentence_B", "entailment_judgment")
LABELS = ("entailment", "neutral", "contradiction")


def tabled(path: Path, names: tuple[str, str, str]) -> Iterator[Row]:
    with path.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield row[names[0]], row[names[1]], row[names[2]].lower()


def snli(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            one = json.loads(line)
            yield one["sentence1"], one["sentence2"], one["gold_label"]


def aligned(folder: Path, split: str) -> Iterator[Row]:
    parts = [(folder / f"{name}.{split}").read_text("utf-8").splitlines() for name in ("s1", "s2", "labels")]
    yield from zip(*parts, strict=True)


def key(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def main(data: Path, folder: Path) -> None:
    scored = {
        "test": list(snli(data / "snli" / "snli_1.0_test.jsonl")),
        "breaking": list(snli(data / "snli" / "bnli.jsonl")),
        "hans": list(tabled(data / "mnli-hans" / "hans_regenerated.tsv", GIVEN)),
        "dev": list(tabled(data / "counterfactual" / "NLI" / "all_combined" / "dev.tsv", GIVEN)),
    }
    sources = {
        "counterfactual": tabled(data / "counterfactual" / "NLI" / "all_combined" / "train.tsv", GIVEN),
        "e-SNLI dev": aligned(data / "esnli", "dev"),
        "e-SNLI test": aligned(data / "esnli", "test"),
        "SICK": (row for part in ("train", "test_annotated")
                 for row in tabled(data / "sick" / f"SICK_{part}.txt", JUDGED)),
        "MED": tabled(data / "pairs" / "MED" / "MED.tsv", GIVEN),
    }  # fmt: skip
    taken = {key(premise) for name in ("test", "dev") for premise, _, _ in scored[name]}
    train: dict[tuple[str, str], Row] = {}
    for name, rows in sources.items():
        before = len(train)
        for row in rows:
            if row[2] in LABELS and key(row[0]) not in taken and all(map(key, row[:2])):
                train.setdefault((key(row[0]), key(row[1])), row)
        print(f"{name}: {len(train) - before} pairs")
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in {**scored, "train": list(train.values())}.items():
        kept = [row for row in rows if row[2] in (*LABELS, "non-entailment") and all(map(key, row[:2]))]
        with (folder / f"{name}.tsv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
            writer.writerow(("premise", "hypothesis", "label"))
            writer.writerows([" ".join(cell.split()) for cell in row] for row in kept)
        print(f"{name}: {len(kept)} pairs {dict(Counter(row[2] for row in kept))}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
