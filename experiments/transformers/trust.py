"""Which method for a fine-tuned encoder? Every method on test sentences of SST-2, beside its controls.

    python experiments/transformers/trust.py --model FOLDER --data DATA/sst2 --out FOLDER2 [--texts 48] [--seeds 3]

FOLDER is a classifier with two labels (fine-tuned as ``experiments/transformers/README.md`` says), DATA/sst2 has
``test.tsv``. The number that is explained is the margin of the predicted label over the other. Each seed draws
sentences of its own, the random explanations, and the noise of SmoothGrad. Sentences are evaluated in portions; what is
finished is kept in FOLDER2, and the same command goes on. It ends with ``trust.json``: for every measure and method the
mean over all sentences with its 95 % interval, the means of each seed, and the processor's seconds per sentence.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import exegesis
from exegesis.authoring import SCORES, Answers, Case, Given, Score, Way, bits, measure
from exegesis.data.examples import read_examples
from exegesis.models.trained.card import machine
from exegesis.statistics.bootstrap import spread

METHODS = (
    "lrp",
    "lrp:attention=constant",
    "integrated-gradients",
    "deeplift",
    "gradient-x-input",
    "gradient",
    "smoothgrad",
    "attention-relevance",
    "leave-one-out",
)
MEASURES = ("masked", "masked:how=drop")
PORTION = 8


@measure("masked", question="does the probability fall without the top words?", paper="", higher=True, controls=SCORES)
@dataclass(frozen=True)
class Masked:
    """The label's probability less its mean without the top 10, 20, 30 and 50 % of words, at least one each."""

    how: Way = "mask"

    def asks(self, case: Case, given: Given) -> list[int]:
        counts = [max(1, round(share * case.count)) for share in (0.1, 0.2, 0.3, 0.5)]
        return [bits(given.order()[count:]) for count in counts]

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        return Score(case.chance - float(answers.chance.mean()))


def portion(model: Any, texts: Sequence[str], seed: int) -> dict[str, Any]:
    """The numbers of sentences by measure and method, and what each method took."""
    labels = [max(told, key=lambda label: told[label]) for told in exegesis.predict(model, list(texts))]
    numbers: dict[str, dict[str, list[float]]] = {}
    for label in model.labels:
        own = [text for text, told in zip(texts, labels, strict=True) if told == label]
        if not own:
            continue
        other = next(name for name in model.labels if name != label)
        result = exegesis.evaluate(
            model, own, list(METHODS), list(MEASURES), target=f"margin:{label},{other}", seed=seed
        )
        names = [*METHODS, *(control.name for control in result.methods[len(METHODS) :])]
        for told in result.measures:
            for name, method in zip(names, result.methods, strict=True):
                found = result.of(told.name, method.name).tolist()
                numbers.setdefault(told.name, {}).setdefault(name, []).extend(found)
    seconds = {}
    for method in METHODS:
        start = time.process_time()
        exegesis.explain(model, list(texts), method)
        seconds[method] = (time.process_time() - start) / len(texts)
    return {"numbers": numbers, "seconds": seconds, "texts": len(texts), "seed": seed}


def summary(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means with intervals over the sentences of all portions."""
    told: dict[str, Any] = {}
    for name in parts[0]["numbers"]:
        told[name] = {}
        for method in parts[0]["numbers"][name]:
            of_seeds: dict[int, list[float]] = {}
            for part in parts:
                of_seeds.setdefault(part["seed"], []).extend(part["numbers"][name].get(method, []))
            values = np.array([value for own in of_seeds.values() for value in own])
            values = values[np.isfinite(values)]
            found = spread(values, np.arange(len(values)), seed=0)
            told[name][method] = {
                "mean": [round(number, 4) for number in (found.mean, found.mean_low, found.mean_high)],
                "of seeds": [round(float(np.nanmean(own)), 4) for own in of_seeds.values()],
            }
    seconds = {method: round(float(np.median([part["seconds"][method] for part in parts])), 4) for method in METHODS}
    return {"means": told, "seconds per sentence": seconds, "texts": sum(part["texts"] for part in parts)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=48)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    model = exegesis.load(options.model)
    rows = [str(row.text) for row in read_examples(options.data / "test.tsv") if len(str(row.text).split()) > 3]
    drawn = [[rows[n] for n in np.random.default_rng(seed).permutation(len(rows))] for seed in range(options.seeds)]
    each, parts = options.texts // options.seeds, []
    for at in range(0, each, PORTION):
        for seed, texts in enumerate(drawn):
            file = options.out / f"seed {seed}, portion {at}.json"
            if not file.exists():
                file.write_text(json.dumps(portion(model, texts[at : min(at + PORTION, each)], seed)))
            parts.append(json.loads(file.read_text()))
            about = {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), "seeds": options.seeds}
            told = {**about, "model": Path(options.model).name, **summary(parts)}
            (options.out / "trust.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
