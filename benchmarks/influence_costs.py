"""What influence costs as training texts, weights and queries grow: seconds of the processor, on one thread.

    python benchmarks/influence_costs.py --train TRAIN --out FILE [--methods 'NAME;NAME'] [--curves texts,queries]

An LSTM (embeddings and states equally wide, untrained: the work does not depend on what was learned) is asked about the
first of some texts. One of three sizes is changed at a time, the others stay at 1,000 texts, 50 units and one query;
the exponent b of seconds = a size^b is fitted to each curve. Each measurement is the least of ``--repeats``. The curves
that FILE has are kept: the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import exegesis
from exegesis.data.examples import Example, read_examples
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.kinds import network

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "influence-functions": ("influence-functions", {"iterations": 10, "tolerance": 1e-12}),
    "influence-functions, EK-FAC": ("influence-functions", {"solver": "ek-fac"}),
    "fast-influence": ("fast-influence", {"iterations": 10, "agreement": 1}),
    "gradient-similarity": ("gradient-similarity", {}),
    "random-projections": ("random-projections", {"width": 16}),
    "nearest": ("nearest", {}),
}
CURVES = {"texts": (500, 1000, 2000, 4000), "width": (25, 50, 100, 200), "queries": (1, 4, 16)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--methods", default="")
    parser.add_argument("--curves", default=",".join(CURVES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    examples = read_examples(str(given.train))
    names = [name for name in METHODS if not given.methods or name in given.methods.split(";")]
    report: dict[str, Any] = {"curves": []}
    if given.out and given.out.exists():
        report = json.loads(given.out.read_text("utf-8"))
    done = {(one["method"], one["of"]) for one in report["curves"]}
    wanted = names
    for curve in given.curves.split(","):
        sizes = CURVES[curve]
        names = [name for name in wanted if (name, curve) not in done]
        seconds: dict[str, list[float]] = {name: [] for name in names}
        weights = []
        for size in sizes:
            one = {"texts": 1000, "width": 50, "queries": 1} | {curve: size}
            model, count = untrained(examples[: one["texts"]], one["width"])
            weights.append(count)
            asked: list[Any] = [str(text.text) for text in examples[-one["queries"] :]]
            for name in names:
                seconds[name].append(measured(model, examples[: one["texts"]], asked, name, given.repeats))
        for name in names:
            power = float(np.polyfit(np.log(sizes), np.log(seconds[name]), 1)[0])
            report["curves"].append({"method": name, "of": curve, "sizes": list(sizes), "seconds": seconds[name],
                                     "power": power, "weights": weights})  # fmt: skip
            print(json.dumps(report["curves"][-1]), flush=True)
            if given.out:
                given.out.write_text(json.dumps(report, indent=1) + "\n")


def untrained(examples: list[Example], width: int) -> tuple[Any, int]:
    """An LSTM with first weights, and the number of its weights."""
    vocabulary = Vocabulary.from_texts([str(one.text) for one in examples])
    labels = tuple(sorted({str(one.label) for one in examples}))
    size = len(vocabulary.tokens)
    torch.manual_seed(0)
    module = network(RecurrentConfig("lstm", embedding=width, hidden=width, vocabulary=size, labels=labels)).eval()
    return exegesis.wrap(module, vocabulary=vocabulary, labels=labels), sum(w.numel() for w in module.parameters())


def measured(model: Any, examples: list[Example], asked: list[Any], name: str, repeats: int) -> float:
    method, extra = METHODS[name]
    found = []
    for _ in range(repeats):
        start = time.process_time()
        exegesis.influence(model, examples, asked, method, **extra)
        found.append(time.process_time() - start)
    return min(found)


if __name__ == "__main__":
    main()
