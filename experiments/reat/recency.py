"""How much of a method's scores stands at the end of a text: the three last words' share of all magnitude.

    python experiments/reat/recency.py DATA --models runs/reat
    python experiments/reat/recency.py DATA --texts runs/yelp --models runs/reat-yelp

On the texts of Table 4, for the predicted class's logit; prints a row of the mean share for every cell, with the
smallest and the largest of its models.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from cases import joined_by_but

import exegesis
from exegesis.data.examples import read_examples

METHODS, LAST = ("reat", "naive-reat", "lrp", "integrated-gradients"), 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--texts", type=Path, help="folder of the data set [DATA/sst2]")
    parser.add_argument("--models", type=Path, required=True)
    given = parser.parse_args()
    tests = read_examples(given.texts or given.data / "sst2", split="test")
    shares: dict[tuple[str, str], list[float]] = defaultdict(list)
    for folder in sorted(one.parent for one in given.models.glob("*/model.safetensors")):
        model = exegesis.load(str(folder))
        cases = joined_by_but([model.read(example.text).word_strings() for example in tests])
        for method in METHODS:
            sizes = [np.abs(one.scores) for one in exegesis.explain(model, [" ".join(c.words) for c in cases], method)]
            share = np.mean([size[-LAST:].sum() / size.sum() for size in sizes])
            shares[folder.name.split("-")[0], method].append(100 * float(share))
    for (cell, method), values in shares.items():
        print(
            f"{cell} {method}: {np.mean(values):.0f} % ({min(values):.0f} to {max(values):.0f}), {len(values)} models"
        )


if __name__ == "__main__":
    main()
