"""Accuracies of models of pairs on files of pairs, with 95 % intervals over pairs.

    python accuracies.py MODEL [MODEL ...] --pairs FILE.tsv [FILE.tsv ...]

A file whose labels are entailment and non-entailment (HANS) counts neutral and contradiction as non-entailment.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import exegesis
from exegesis.data.examples import read_examples
from exegesis.statistics.bootstrap import draw_texts, interval, resampled_means

BATCH = 128


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+"), parser.add_argument("--pairs", nargs="+", required=True)
    asked = parser.parse_args()
    for folder in asked.models:
        model = exegesis.load(folder)
        for name in asked.pairs:
            examples = read_examples(name)
            texts = [model.read(example.text) for example in examples]
            order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
            right = np.zeros(len(texts))
            two = {example.label for example in examples} == {"entailment", "non-entailment"}
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                found = model.outputs(model.encode([texts[row] for row in rows])).argmax(-1).tolist()
                for row, number in zip(rows, found, strict=True):
                    label = model.labels[number]
                    said = label if not two or label == "entailment" else "non-entailment"
                    right[row] = said == examples[row].label
            low, high = interval(resampled_means(right[None], draw_texts(len(right), 1000, 0))[0], len(right))
            print(f"{Path(folder).name} {Path(name).name}: {right.mean():.3f} [{low:.3f}, {high:.3f}] of {len(right)}",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
