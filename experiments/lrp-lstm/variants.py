"""Section 11.4: do the three LSTMs made for relevance learn as well as the standard one, and keep what they promise?

    python experiments/lrp-lstm/variants.py DATA --out FOLDER [--quick]

DATA holds ``train.tsv``, ``dev.tsv`` and ``test.tsv`` of SST-2 (sentence and 0 or 1). Trains each architecture three
times, checks the assumptions A1-A9 and relevance's account on test sentences, and writes ``variants.json``.
What is finished is kept in FOLDER; the same command goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
from rich.progress import Progress

import exegesis
from exegesis.data.examples import Example, read_examples
from exegesis.models.modules.adapter import TorchClassifier
from exegesis.models.trained.architectures.config import Cell, RecurrentConfig
from exegesis.models.trained.assumptions import check_assumptions
from exegesis.models.trained.card import machine
from exegesis.models.trained.folder import TrainedClassifier
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.results.attribution import Attribution

CELLS = ("lstm", "lstm-nondecreasing", "lstm-markov", "lstm-no-gates")
RULES = ("all", "prop", "abs", "half")


def trained(
    parts: Sequence[list[Example]], cell: str, both: bool, seed: int, epochs: int
) -> tuple[Any, TorchClassifier]:
    """The result of a training, and the model in float64."""
    config = RecurrentConfig(
        cell=cast(Cell, cell), bidirectional=both, embedding=100, hidden=100, embedding_dropout=0.3
    )
    result = train(*parts, config=config, options=TrainOptions(epochs=epochs, minimum_count=2, average=0.99, seed=seed))
    model: TrainedClassifier = result.model
    seen = exegesis.wrap(model.module.double(), vocabulary=model.vocabulary, labels=["negative", "positive"])
    return result, seen


def study(parts: Sequence[list[Example]], cell: str, both: bool, seed: int, epochs: int, count: int) -> dict[str, Any]:
    result, seen = trained(parts, cell, both, seed, epochs)
    texts = [example.text for example in parts[2][:count]]
    found: dict[str, Any] = {
        "cell": cell, "both": both, "seed": seed,
        "dev": result.dev.accuracy, "test": result.test.accuracy,
        "weights": sum(weight.numel() for weight in result.model.module.recurrent.parameters()),
    }  # fmt: skip
    if cell != "lstm":
        found["assumptions"] = {one.name: one.violation for one in check_assumptions(seen, texts)}
    found["account"] = {rule: account(exegesis.explain(seen, texts, "lrp", product=rule)) for rule in RULES}
    return found


def account(results: Sequence[Attribution]) -> dict[str, float]:
    """The largest gap of relevance's account, the largest relevance of a word, the largest ratio of the two."""
    gaps = [abs(float(np.asarray(one.gap))) for one in results]
    sizes = [max(1.0, float(np.abs(one.scores).max())) for one in results]
    ratio = max(gap / size for gap, size in zip(gaps, sizes, strict=True))
    return {"gap": max(gaps), "relevance": max(sizes), "gap / relevance": ratio}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Section 11.4 of Arras et al. 2019")
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one epoch on few texts: a trial")
    given = parser.parse_args(arguments)
    parts = [read_examples(str(given.data / f"{part}.tsv"), None, None) for part in ("train", "dev", "test")]
    epochs, count, seeds = 10, 100, given.seeds
    if given.quick:
        parts, epochs, count, seeds = [part[:60] for part in parts], 1, 3, 1
    given.out.mkdir(parents=True, exist_ok=True)
    rows = []
    plan = [
        (cell, both, seed)
        for both in ((False,) if given.quick else (False, True))
        for cell in CELLS
        for seed in range(seeds)
    ]
    with Progress() as progress:
        bar = progress.add_task("models", total=len(plan))
        for cell, both, seed in plan:
            path = given.out / f"{'bi' if both else ''}{cell}-{seed}.json"
            if not path.exists():
                path.write_text(json.dumps(study(parts, cell, both, seed, epochs, count)))
            rows.append(json.loads(path.read_text()))
            progress.advance(bar)
    result = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "quick": given.quick, "models": rows}
    (given.out / "variants.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
