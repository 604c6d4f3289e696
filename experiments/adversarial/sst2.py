"""Plain, adversarial and interpretable adversarial training on SST-2, from several seeds.

    python experiments/adversarial/sst2.py --data sst2 --out sst2.jsonl [--size 5] [--texts 2000] [--seeds 5]

A small CNN (kernels 1 and 3, 24 filters each) is trained plainly, with word vectors moved to any side (Miyato et al.
2017) and with moves towards other words (Sato et al. 2018). Every training is written to OUT at once, and the same
command goes on where it was interrupted; then the test accuracies and the differences from plain training at the same
seed are printed, with 95 % intervals over seeds (Student's t).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t as student

from exegesis.data.examples import read_examples
from exegesis.models.trained.architectures.config import ConvolutionalConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train

KINDS = {"plain": "any", "any side": "any", "towards words": "words"}


def interval(values: np.ndarray) -> str:
    """The mean over seeds and its interval, in points of a hundred."""
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    return f"{100 * values.mean():.2f} [{100 * (values.mean() - half):.2f}, {100 * (values.mean() + half):.2f}]"


def main() -> None:
    """Train what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=2000, help="of the training part, the first")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--size", type=float, default=5.0, help="how far the word vectors of a text move")
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    parts = {name: read_examples(asked.data / f"{name}.tsv") for name in ("train", "dev", "test")}
    parts["train"] = parts["train"][: asked.texts]
    rows = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.exists() else []
    config = ConvolutionalConfig(kernels=(1, 3), embedding=32, hidden=24)
    for seed in range(asked.seeds):
        for kind, adversary in KINDS.items():
            size = 0.0 if kind == "plain" else asked.size
            if any((row["seed"], row["kind"], row["size"]) == (seed, kind, size) for row in rows):
                continue
            start = time.process_time()
            options = TrainOptions(epochs=asked.epochs, lr=2e-3, patience=asked.epochs, minimum_count=2, seed=seed,
                                   adversarial=size, adversary=adversary)  # fmt: skip
            result = train(parts["train"], parts["dev"], parts["test"], config=config, options=options)
            accuracy = {"dev": result.dev.accuracy, "test": result.test.accuracy if result.test else None}
            took = time.process_time() - start
            rows.append({"seed": seed, "kind": kind, "size": size, "texts": asked.texts, **accuracy, "processor": took})
            with asked.out.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    scores = {
        kind: np.array(
            [
                row["test"]
                for row in sorted(rows, key=lambda row: row["seed"])
                if row["kind"] == kind and row["size"] in (0.0, asked.size)
            ]
        )
        for kind in KINDS
    }
    for kind, values in scores.items():
        print(f"{kind}: test accuracy {interval(values)}, against plain {interval(values - scores['plain'])}")


if __name__ == "__main__":
    main()
