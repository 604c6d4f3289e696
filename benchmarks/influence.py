"""fast-influence beside influence functions of the whole training set, in one run, on one thread, in processor time.

    python benchmarks/influence.py --train sst2/train.tsv --dev sst2/dev.tsv --asked sst2/test.tsv --out FILE

An LSTM is trained on SST-2 (50 wide, four epochs). Each query is asked alone: by conjugate gradients on
the whole training set, and by fast-influence, at several dampings (shares of the mean eigenvalue). For each: seconds,
the rank correlation of the two over the texts that both scored, and how many of the ten strongest of the full run are
among those that fast-influence looked at. Of the seconds of fast-influence, ``read`` (the training texts as pieces) and
``index`` (their representations, a forward pass) serve all queries and can be kept: ``times_faster_after`` is without.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

import exegesis
from exegesis.data.examples import read_examples
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import GaussNewton
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.questions.sources.method import Training
from exegesis.questions.sources.space import representations


def timed(work: Any) -> tuple[Any, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--train", "--dev", "--asked"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=2)
    parser.add_argument("--dampings", default="0.1,1,10")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    examples = read_examples(str(given.train))[: given.texts]
    dev = read_examples(str(given.dev))
    config = RecurrentConfig("lstm", embedding=50, hidden=50)
    result = train(examples, dev, config=config, options=TrainOptions(epochs=4))
    model = exegesis.wrap(result.model.module, vocabulary=result.model.vocabulary, labels=result.model.labels)
    asked = [one.text for one in read_examples(str(given.asked))[: given.queries]]
    training, read = timed(lambda: Training.of(model, examples))
    passes = Passes(model)
    _, index = timed(lambda: representations(passes, training.texts))
    mean = GaussNewton(passes, training.texts, training.gold).mean_eigenvalue()
    report: dict[str, Any] = {"texts": len(examples), "parameters": passes.layout.size, "read_seconds": read}
    report |= {"index_seconds": index}
    report["rows"] = []
    for share in map(float, given.dampings.split(",")):
        rows = []
        for text in asked:
            both = {"damping": share * mean}
            full, slow = timed(lambda text=text, both=both: exegesis.influence(model, examples, text, **both))
            fast, quick = timed(
                lambda text=text, both=both: exegesis.influence(model, examples, text, "fast-influence", **both)
            )
            seen = np.isfinite(fast.scores)
            strongest = np.argsort(-np.abs(full.scores))[:10]
            rows.append({
                "full_seconds": slow, "fast_seconds": quick, "residual_of_full": full.details["residual"],
                "rank_correlation": float(stats.spearmanr(full.scores[seen], fast.scores[seen])[0]),
                "recall_of_10": float(seen[strongest].mean()), "steps": fast.details["steps"],
            })  # fmt: skip
        means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        means["times_faster"] = means["full_seconds"] / means["fast_seconds"]
        after = means["fast_seconds"] - index - read
        means |= {"fast_seconds_after": after, "times_faster_after": (means["full_seconds"] - read) / after}
        report["rows"].append({"damping_share": share, **means})
        print(json.dumps(report["rows"][-1]), flush=True)
        if given.out:
            given.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
