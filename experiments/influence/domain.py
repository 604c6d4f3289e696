"""A changed domain: a classifier of films, texts of restaurants; which of some new labelled texts should be added?

    python experiments/influence/domain.py --data DATA --out experiments/influence/domain.json

An LSTM is trained on sentences of SST-2 and tested on sentences of Yelp. ``exegesis.study.amend`` asks which texts of
a pool of Yelp sentences help the test texts that are predicted wrongly, and which training texts hurt them; models are
trained anew with 50 of them added or left out, beside as many random ones, from three first weights. What is judged is
the accuracy on the half of the test texts that nobody asked about. Methods that FILE has are not run again.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from judging import arguments, sst2

from exegesis.data.examples import Example
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.study import amend

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "gradient-similarity, cosine": ("gradient-similarity", {"measure": "cosine"}),
    "influence-functions": ("influence-functions", {"iterations": 10}),
    "nearest": ("nearest", {"k": 100}),
}


def yelp(folder: Path, part: str, count: int) -> list[Example]:
    """As many sentences of either label, alternating."""
    sides = [(folder / f"sentiment.{part}.{label}").read_text("utf-8").splitlines()[: count // 2] for label in (0, 1)]
    return [
        Example.of(text, label) for pair in zip(*sides, strict=True) for text, label in zip(pair, "01", strict=True)
    ]


def main() -> None:
    given = arguments(__doc__, texts=1500, pool=1000, test=600, count=50, seeds=3).parse_args()
    torch.set_num_threads(1)
    films = sst2(given.data, "train", given.texts)
    pool, test = (yelp(given.data / "yelp-polarity", part, count)
                  for part, count in (("dev", given.pool), ("test", given.test)))  # fmt: skip
    report: dict[str, Any] = json.loads(given.out.read_text("utf-8")) if given.out.exists() else {}
    for title, (method, parameters) in METHODS.items():
        if title in report:
            continue
        start = time.process_time()
        found = amend(
            films, test, pool=pool, method=method, parameters=parameters, count=given.count, queries=30,
            config=RecurrentConfig("lstm", embedding=50, hidden=50), options=TrainOptions(epochs=6, lr=2e-3, batch=32),
            seeds=range(given.seeds),
        )  # fmt: skip
        report[title] = {
            "wrong": found.wrong, "judged": found.judged, "count": found.count, "before": found.before,
            "amendments": [one._asdict() for one in found.amendments], "seconds": time.process_time() - start,
        }  # fmt: skip
        print(title, json.dumps(report[title]), flush=True)
        given.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
