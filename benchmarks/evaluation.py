"""Evaluating six methods with everything pooled, beside one perturbed text a call: calls, time, and the same numbers.

    python benchmarks/evaluation.py --data DATA --out benchmarks/results/evaluation.json

DATA is a folder with ``sst2/test.tsv`` (sentence<TAB>label); EXEGESIS_DATA is its default. The bundled model and the
usual measures. The pooled evaluation runs over ``--texts`` sentences; one perturbed text a call (nothing remembered,
nothing shared) is slow, so that it runs over the first ``--plain`` of them, and both are timed on those.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentiment import heading, report
from torch import Tensor

import exegesis
import exegesis.questions.trust.batches as evaluated
from exegesis.data.examples import read_examples
from exegesis.mech.removal.coalitions import written_out
from exegesis.protocols.batch import Batch, compact
from exegesis.questions.trust.pool import Pool

METHODS = ("reat", "naive-reat", "integrated-gradients", "gradient-x-input", "lrp", "lime")


def without(model: Any, batch: Batch, mask: int) -> Batch:
    """One text of which only some words are kept; a pad piece where nothing is."""
    some = compact(batch, torch.from_numpy(written_out(batch.texts[0], [mask])), model.tokens["pad"])
    if some.mask.any():
        return some
    lone = torch.full((1, 1), model.tokens["pad"])
    return Batch(lone, torch.ones_like(lone, dtype=torch.bool), torch.zeros_like(lone))


class Plain(Pool):
    """Each perturbed text in a call of its own, as often as it is asked for."""

    def raw(self, how: str, asked: Sequence[Sequence[int]]) -> list[Tensor]:
        found = []
        for row, masks in enumerate(asked):
            one = self.batch.take(torch.tensor([row]))
            outputs = [self.model.outputs(without(self.model, one, mask)).double().cpu()[0] for mask in masks]
            none = torch.zeros(0, self.model.link.width(len(self.model.labels)), dtype=torch.float64)
            found.append((torch.stack(outputs) if outputs else none)[:, None])
            self.asked += len(masks)
            self.calls += len(masks)
        return found

    @property
    def run(self) -> int:
        return self.asked


def evaluated_with(pool: type[Pool], model: Any, texts: list[str], given: Any) -> tuple[Any, float]:
    evaluated.Pool = pool  # type: ignore[misc]
    start = time.perf_counter()
    result = exegesis.evaluate(model, texts, [], explanations=given)
    evaluated.Pool = Pool  # type: ignore[misc]
    return result, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default=os.environ.get("EXEGESIS_DATA"), required="EXEGESIS_DATA" not in os.environ)
    parser.add_argument("--out")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--plain", type=int, default=200)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model = exegesis.load()
    examples = read_examples(Path(asked.data, "sst2", "test.tsv"))
    texts = [str(example.text) for example in examples[: asked.texts]]
    given = {name: exegesis.explain(model, texts, name) for name in METHODS}
    whole, seconds = evaluated_with(Pool, model, texts, given)
    some = {name: results[: asked.plain] for name, results in given.items()}
    pooled, ours = evaluated_with(Pool, model, texts[: asked.plain], some)
    plain, theirs = evaluated_with(Plain, model, texts[: asked.plain], some)
    difference = np.nanmax(np.abs(pooled.values - plain.values))
    found = {
        **heading(),
        f"pooled, {asked.texts} texts, {len(METHODS)} methods, 3 controls, {len(whole.measures)} measures": {
            "perturbed_texts_asked_for": whole.counts["asked"],
            "perturbed_texts_run": whole.counts["run"],
            "pooled_calls": whole.counts["calls"],
            "seconds": seconds,
        },
        f"beside one perturbed text a call, {asked.plain} texts": {
            "calls": plain.counts["calls"],
            "run_pooled": pooled.counts["run"],
            "pooled_s": ours,
            "one_a_call_s": theirs,
            "times_faster": theirs / ours,
            "largest_difference_of_a_number": float(difference),
            "goal": ">= 5 x faster, same numbers",
        },
    }
    report(found, asked.out)


if __name__ == "__main__":
    main()
