"""Processor time of corpus runs, for what a million texts cost: the bundled model, some methods, one thread.

python benchmarks/corpus_rates.py TEXTS.tsv [LIMIT]       by default its first 1,000 texts

The first column is the processor time of a whole run with its estimate, in seconds for 1,000 texts; then core hours for
a million texts, and the share of the bare method, called on the same units, in the time of the units of a run.
"""

from __future__ import annotations

import os
import sys
import tempfile

import torch

import exegesis
from exegesis.jobs.inquiry import Inquiry
from exegesis.jobs.local import explain_unit
from exegesis.jobs.plan import Task, unique, units
from exegesis.jobs.store import Store

METHODS = ("gradient", "reat", "lrp", "leave-one-out", "integrated-gradients")


def spent() -> float:
    taken = os.times()
    return taken.user + taken.system


def main(place: str, limit: int = 1000) -> None:
    torch.set_num_threads(1)
    examples = exegesis.read_examples(place)[:limit]
    model = exegesis.load()
    for method in METHODS:
        asked, parts = Inquiry.of(method, None, None, None).questions(model), list(units(unique(examples), 256))
        bare, stored = [], []
        with tempfile.TemporaryDirectory() as folder:
            store = Store.open(f"{folder}/units", new=True)
            for name, unit in [*parts[:1], *parts]:  # the first is run once more, as caches fill
                start = spent()
                exegesis.explain(model, [one.text for one in unit.values()], method)
                between = spent()
                explain_unit(asked, store, Task(0, name, tuple(unit.values())))
                bare.append(between - start)
                stored.append(spent() - between)
            start = spent()
            exegesis.run(model, examples, f"{folder}/run", method)
            run = (spent() - start) / len(examples)
        share = sum(bare[1:]) / sum(stored[1:])
        print(f"{method:22} {1000 * run:6.2f} s {run * 1e6 / 3600:6.2f} core hours   {share:.2f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
