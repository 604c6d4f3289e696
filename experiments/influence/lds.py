"""Influence of training texts against retraining: the linear datamodelling score of every method, beside controls.

    python experiments/influence/lds.py --data DATA --kept FOLDER --out experiments/influence/lds.json

An LSTM is trained on a cut of SST-2. Models are trained anew on random halves of it, from several first weights each,
with the order of texts kept. The linear datamodelling score of a method (Park et al. 2023) is the rank correlation,
over the halves, of the sum of its scores of a half's texts with the number that the models of that half give the query:
the log-probability of the label that the whole model predicts, or its margin. It is averaged over queries, with an
interval over them by the bootstrap. ``ceiling`` is the score of the models of one half of the seeds as a prediction of
those of the other: what noise leaves to be predicted; ``noise`` is the standard deviation of the score of random ones.

Settings (dampings) are chosen by the score on sentences of the development part, and judged on test sentences. ``x 5``
means that scores are means over five models of other first weights. What is finished is kept in FOLDER, and the same
command goes on. Times are of the processor, one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from judging import Rows, agreement, arguments, bm25, halves_of, interval, noise, ranks, scored, sst2, table

import exegesis
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train

OTHERS = (100, 101, 102, 103)  # seeds of further models, none of which is among the judges'
SHARES = (0.01, 0.1, 1.0)  # dampings that are tried, as shares of the mean eigenvalue
# title: name, parameters, how its damping is called if it is to be chosen, whether it is asked of every model
METHODS: dict[str, tuple[str, dict[str, Any], bool, bool]] = {
    "influence-functions": ("influence-functions", {}, True, False),
    "influence-functions, EK-FAC": ("influence-functions", {"solver": "ek-fac"}, True, False),
    "influence-functions, EK-FAC x 5": ("influence-functions", {"solver": "ek-fac"}, True, True),
    "fast-influence": ("fast-influence", {"k": 500}, True, False),
    "random-projections": ("random-projections", {}, True, False),
    "random-projections, 5 models": ("random-projections", {"models": ""}, True, False),
    "gradient-similarity": ("gradient-similarity", {}, False, False),
    "gradient-similarity x 5": ("gradient-similarity", {}, False, True),
    "gradient-similarity, cosine": ("gradient-similarity", {"measure": "cosine"}, False, False),
    "gradient-similarity, cosine x 5": ("gradient-similarity", {"measure": "cosine"}, False, True),
    "tracin": ("tracin", {"checkpoints": ""}, False, False),
    "nearest": ("nearest", {"k": 100_000}, False, False),
    "nearest x 5": ("nearest", {"k": 100_000}, False, True),
    "turn-over-dropout": ("turn-over-dropout", {}, False, False),
}


class Judge:
    """The trained models, the queries, and what the models of each half say of them."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.examples = sst2(given.data, "train", given.texts)
        self.dev = sst2(given.data, "dev", max(100, given.queries))
        test = sst2(given.data, "test", given.queries)
        self.asked = [str(one.text) for one in (*self.dev[: given.queries], *test)]
        self.halves = halves_of(len(self.examples), given.halves)
        self.options = TrainOptions(epochs=given.epochs, patience=given.epochs, batch=32, lr=3e-3)
        given.kept.mkdir(parents=True, exist_ok=True)
        self.models = [self.trained(0, (), given.kept / "times")]
        for seed in OTHERS:
            folder = given.kept / f"model-{seed}"
            self.models.append(self.trained(seed, (), folder))
            for path in sorted(folder.iterdir())[:-1]:  # the last weights only
                path.unlink()
        self.halved = self.trained(0, (), turn_over=True)
        said = exegesis.predict(self.models[0], self.asked)
        self.labels = [max(one, key=one.__getitem__) for one in said]

    def trained(self, seed: int, absent: Any, keep: Path | None = None, **more: Any) -> Any:
        shape = RecurrentConfig("lstm", embedding=32, hidden=32, dropout=0.0, **more)
        chosen = TrainOptions(**{**vars(self.options), "seed": seed})
        result = train(self.examples, self.dev[:100], config=shape, options=chosen, absent=absent, last=True, keep=keep)
        model = result.model
        return exegesis.wrap(model.module, vocabulary=model.vocabulary, labels=model.labels, name="lstm")

    def truths(self) -> dict[str, np.ndarray]:
        """What the models of each half say, ``[seeds, halves, queries]``."""
        store = self.given.kept / "halves.jsonl"
        done = [json.loads(line) for line in store.read_text().splitlines()] if store.is_file() else []
        for number in range(len(done), len(self.halves)):
            start = time.process_time()
            absent = sorted(set(range(len(self.examples))) - set(self.halves[number].tolist()))
            margins = []
            for seed in range(self.given.seeds):
                model = self.trained(seed, absent)
                raw = model.outputs(model.encode([model.read(text) for text in self.asked])).double()
                margins.append((raw[:, 1] - raw[:, 0] if raw.shape[1] > 1 else raw[:, 0]).tolist())
            done.append({"half": number, "margins": margins, "seconds": time.process_time() - start})
            with store.open("a", encoding="ascii") as file:
                file.write(json.dumps(done[-1]) + "\n")
            if number % 10 == 9:
                print(f"half {number + 1} of {len(self.halves)}", flush=True)
        self.seconds = float(sum(one["seconds"] for one in done))
        positive = self.models[0].labels[1]
        sign = np.array([1.0 if label == positive else -1.0 for label in self.labels])
        margins = np.array([one["margins"] for one in done[: len(self.halves)]]).swapaxes(0, 1) * sign
        return {"log-probability": -np.logaddexp(0, -margins), "margin": margins}

    def scores(self, title: str, share: float | None, rows: range) -> np.ndarray:
        """What a method gives the training texts, for some queries."""
        name, extra, _, every = METHODS[title]
        extra = dict(extra)
        if "models" in extra:
            extra["models"] = ",".join(str(self.given.kept / f"model-{seed}") for seed in OTHERS)
        if "checkpoints" in extra:
            extra["checkpoints"] = str(self.given.kept / "times")
        if share is not None:
            extra["share"] = share
        asked, labels = self.asked[rows.start : rows.stop], self.labels[rows.start : rows.stop]
        models = self.models if every else [self.halved if name == "turn-over-dropout" else self.models[0]]
        total: np.ndarray = np.sum([scored(one, self.examples, asked, labels, name, extra) for one in models], axis=0)
        return total


def main() -> None:
    parser = arguments(__doc__, texts=500, queries=20, tuning=8, halves=48, seeds=4, epochs=8)
    parser.add_argument("--only", default="", help="titles of methods, separated by semicolons")
    parser.add_argument("--kept", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    judge = Judge(given)
    truths = judge.truths()
    tuning, test = range(min(given.tuning, given.queries)), range(given.queries, 2 * given.queries)
    mean = {name: truth.mean(0) for name, truth in truths.items()}
    here = {name: truth[:, test.start :] for name, truth in mean.items()}
    rows = Rows(given.out, {
        "texts": len(judge.examples), "queries": given.queries, "halves": given.halves, "seeds": given.seeds,
        "judging_seconds": judge.seconds, "noise": noise(given.queries, given.halves),
        "ceiling": interval(agreement(truths["margin"][:, :, test.start :])),
    })  # fmt: skip
    print(json.dumps(rows.report), flush=True)
    control = np.random.default_rng(1)
    pairs = [(judge.asked[row], judge.labels[row]) for row in test]
    plain = {"random": control.standard_normal((len(test), len(judge.examples))),
             "BM25": np.array([bm25(judge.examples, *pair) for pair in pairs])}  # fmt: skip
    for title, values in plain.items():
        if not rows.has(title):
            rows.add(table(title, values, judge.halves, here))
    for title, (_, _, damped, _) in METHODS.items():
        if rows.has(title) or (given.only and title not in given.only.split(";")):
            continue
        tried = {}
        for share in SHARES if damped else ():
            values = judge.scores(title, share, tuning)
            tried[share] = float(np.mean(ranks(values, judge.halves, mean["margin"][:, : tuning.stop])))
        best = max(tried, key=tried.__getitem__) if tried else None
        start = time.process_time()
        values = judge.scores(title, best, test)
        seconds = (time.process_time() - start) / len(test)
        found = table(title, values, judge.halves, here)
        rows.add({**found, "share": best, "tuning": tried, "seconds_per_query": seconds})


if __name__ == "__main__":
    main()
