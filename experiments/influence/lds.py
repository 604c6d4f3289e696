"""Influence of training texts against retraining: the linear datamodelling score of every method, beside controls.

    python experiments/influence/lds.py --data DATA --out experiments/influence/lds.json

An LSTM is trained on a cut of SST-2. Models are trained anew on random halves of it, from several first weights each,
with the order of texts kept. The linear datamodelling score of a method (Park et al. 2023) is the rank correlation,
over the halves, of the sum of its scores of a half's texts with the number that the models of that half give the query;
it is averaged over queries, with an interval over them by the bootstrap. ``ceiling`` is the score of the models of one
half of the seeds as a prediction of those of the other: what noise leaves to be predicted. Times are of the processor.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

import exegesis
from exegesis.data.examples import Example, read_examples
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.statistics.bootstrap import spread

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "influence-functions": ("influence-functions", {}),
    "influence-functions, damping x 10": ("influence-functions", {"lift": 10}),
    "influence-functions, EK-FAC": ("influence-functions", {"solver": "ek-fac"}),
    "fast-influence": ("fast-influence", {}),
    "random-projections": ("random-projections", {}),
    "random-projections, 3 models": ("random-projections", {"models": 2}),
    "gradient-similarity": ("gradient-similarity", {}),
    "gradient-similarity, cosine": ("gradient-similarity", {"measure": "cosine"}),
    "tracin": ("tracin", {}),
    "nearest": ("nearest", {"k": 100_000}),
    "turn-over-dropout": ("turn-over-dropout", {}),
}


def bm25(examples: list[Example], query: str, label: str) -> np.ndarray:
    """BM25 (k1 1.2, b 0.75) of each training text for a query, with the sign of its label."""
    bags = [Counter(str(one.text).lower().split()) for one in examples]
    sizes = np.array([sum(bag.values()) for bag in bags])
    found = np.zeros(len(examples))
    for word in set(query.lower().split()):
        counts = np.array([bag[word] for bag in bags])
        rarity = math.log(1 + (len(bags) - (counts > 0).sum() + 0.5) / ((counts > 0).sum() + 0.5))
        found += rarity * counts * 2.2 / (counts + 1.2 * (0.25 + 0.75 * sizes / sizes.mean()))
    return found * np.where([one.label == label for one in examples], 1.0, -1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--queries", type=int, default=12)
    parser.add_argument("--halves", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    examples = read_examples(str(given.data / "sst2" / "train.tsv"))[: given.texts]
    dev = read_examples(str(given.data / "sst2" / "dev.tsv"))[:100]
    asked = [str(one.text) for one in read_examples(str(given.data / "sst2" / "test.tsv"))[: given.queries]]
    options = TrainOptions(epochs=given.epochs, patience=given.epochs, batch=32, lr=3e-3)

    def trained(seed: int, absent: list[int], folder: Path | None = None, **more: Any) -> Any:
        shape = RecurrentConfig("lstm", embedding=32, hidden=32, dropout=0.0, **more)
        chosen = TrainOptions(**{**vars(options), "seed": seed})
        result = train(examples, dev, config=shape, options=chosen, absent=absent, last=True, keep=folder)
        model = result.model
        return exegesis.wrap(model.module, vocabulary=model.vocabulary, labels=model.labels, name="lstm")

    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        model = trained(0, [], folder / "times")
        others = [trained(seed, [], folder / f"other {seed}") for seed in (100, 101)]
        del others
        last = [max((folder / f"other {seed}").iterdir()) for seed in (100, 101)]
        for seed, path in zip((100, 101), last, strict=True):
            (folder / f"model-{seed}").mkdir()
            path.rename(folder / f"model-{seed}" / path.name)
        halved = trained(0, [], turn_over=True)
        said = exegesis.predict(model, asked)
        labels = [max(one, key=one.__getitem__) for one in said]

        draws = np.random.default_rng(0)
        halves = [np.sort(draws.permutation(len(examples))[: len(examples) // 2]) for _ in range(given.halves)]
        truth = np.zeros((given.seeds, given.halves, len(asked)))
        start = time.process_time()
        for number, half in enumerate(halves):
            absent = sorted(set(range(len(examples))) - set(half.tolist()))
            for seed in range(given.seeds):
                found = exegesis.predict(trained(seed, absent), asked)
                truth[seed, number] = [
                    math.log(max(one[label], 1e-9)) for one, label in zip(found, labels, strict=True)
                ]
            print(f"half {number + 1} of {given.halves}", flush=True)
        judging = time.process_time() - start

        def scored(name: str, extra: dict[str, Any]) -> np.ndarray:
            extra = dict(extra)
            if "lift" in extra:
                damping = exegesis.influence(model, examples, asked[0], iterations=1).details["damping"]
                extra = {"damping": damping * extra["lift"]}
            if "models" in extra:
                extra["models"] = ",".join(str(folder / f"model-{seed}") for seed in (100, 101))
            if name == "tracin":
                extra["checkpoints"] = str(folder / "times")
            by = halved if name == "turn-over-dropout" else model
            found = [exegesis.influence(by, examples, text, name, target=label, **extra).scores
                     for text, label in zip(asked, labels, strict=True)]  # fmt: skip
            return np.nan_to_num(np.array(found))

        control = np.random.default_rng(1)
        works: dict[str, Callable[[], np.ndarray]] = {
            "random": lambda: control.standard_normal((len(asked), len(examples))),
            "BM25": lambda: np.array([bm25(examples, *one) for one in zip(asked, labels, strict=True)]),
        }
        for title, (name, extra) in METHODS.items():
            works[title] = lambda name=name, extra=extra: scored(name, extra)
        report: dict[str, Any] = {"texts": len(examples), "queries": len(asked), "halves": given.halves,
                                  "seeds": given.seeds, "judging_seconds": judging, "rows": []}  # fmt: skip
        mean = truth.mean(0)
        if given.seeds > 1:
            first, second = truth[::2].mean(0), truth[1::2].mean(0)
            report["ceiling"] = row(
                "ceiling", [stats.spearmanr(first[:, q], second[:, q])[0] for q in range(len(asked))], 0
            )
            print(json.dumps(report["ceiling"]), flush=True)
        for title, work in works.items():
            start = time.process_time()
            values = work()
            seconds = (time.process_time() - start) / len(asked)
            sums = np.array([values[:, half].sum(1) for half in halves])
            ranks = [float(np.nan_to_num(stats.spearmanr(sums[:, q], mean[:, q])[0])) for q in range(len(asked))]
            report["rows"].append(row(title, ranks, seconds))
            print(json.dumps(report["rows"][-1]), flush=True)
            given.out.write_text(json.dumps(report, indent=1) + "\n")


def row(title: str, ranks: list[float], seconds: float) -> dict[str, Any]:
    told = spread(np.array(ranks), np.arange(len(ranks)), 2000)
    return {"method": title, "lds": told.mean, "low": told.mean_low, "high": told.mean_high,
            "seconds_per_query": seconds}  # fmt: skip


if __name__ == "__main__":
    main()
