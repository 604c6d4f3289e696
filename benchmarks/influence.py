"""fast-influence beside influence functions of the whole training set, in one run, on one thread, in processor time.

    python benchmarks/influence.py --train TRAIN --dev DEV --asked TEST --texts 6920,67349 --out FILE

For each number of texts an LSTM is trained on so many phrases of SST-2 (50 wide, four epochs) and its training texts
are indexed, with gradients (``exegesis index --gradients 4``: ``index_seconds``, once for all queries). Then each query
is asked alone, at several dampings (shares of the mean eigenvalue, the same number for both): by conjugate gradients on
the whole training set, by fast-influence with the index, and by fast-influence without one. For each: seconds, the rank
correlation and the correlation with the full run over the texts that both scored, and how many of the ten strongest of
the full run are among those that fast-influence looked at. ``times_faster`` is that with the index. What FILE has is
kept: the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

import exegesis
from exegesis.data.examples import Example, read_examples
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import GaussNewton
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.questions.sources.method import Training


def timed(work: Any) -> tuple[Any, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def one_query(model: Any, examples: list[Example], text: str, damping: float, folder: str) -> dict[str, float]:
    full, slow = timed(lambda: exegesis.influence(model, examples, text, damping=damping))
    fast, quick = timed(
        lambda: exegesis.influence(model, examples, text, "fast-influence", damping=damping, index=folder)
    )
    alone, whole = timed(lambda: exegesis.influence(model, examples, text, "fast-influence", damping=damping))
    strongest = np.argsort(-np.abs(full.scores))[:10]
    found = {"full_seconds": slow, "fast_seconds": quick, "alone_seconds": whole,
             "residual_of_full": full.details["residual"], "steps": fast.details["steps"]}  # fmt: skip
    for name, made in (("", fast), ("alone_", alone)):
        seen = np.isfinite(made.scores)
        found[f"{name}rank_correlation"] = float(stats.spearmanr(full.scores[seen], made.scores[seen])[0])
        found[f"{name}correlation"] = float(np.corrcoef(full.scores[seen], made.scores[seen])[0, 1])
    found["recall_of_10"] = float(np.isfinite(fast.scores)[strongest].mean())
    return found


def measured(report: dict[str, Any], texts: int, given: argparse.Namespace) -> None:
    """Fill in what is missing of the rows of one number of texts."""
    held: dict[str, Any] = report.setdefault(f"{texts} texts", {"rows": []})
    shares = [share for share in map(float, given.shares.split(",")) if share not in
              {row["damping_share"] for row in held["rows"]}]  # fmt: skip
    if not shares:
        return
    examples = read_examples(str(given.train))[:texts]
    config = RecurrentConfig("lstm", embedding=50, hidden=50)
    result = train(examples, read_examples(str(given.dev)), config=config, options=TrainOptions(epochs=4))
    model = exegesis.wrap(result.model.module, vocabulary=result.model.vocabulary, labels=result.model.labels)
    asked = [str(one.text) for one in read_examples(str(given.asked))[: given.queries]]
    with tempfile.TemporaryDirectory() as kept:
        folder, seconds = timed(lambda: exegesis.index(model, examples, Path(kept) / "index", gradients=4))
        training = Training.of(model, examples)
        passes = Passes(model)
        mean = GaussNewton(passes, training.texts, training.gold).mean_eigenvalue()
        held |= {"texts": len(examples), "parameters": passes.layout.size, "index_seconds": seconds}
        for share in shares:
            rows = [one_query(model, examples, text, share * mean, str(folder)) for text in asked]
            means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
            means["times_faster"] = means["full_seconds"] / means["fast_seconds"]
            means["times_faster_alone"] = means["full_seconds"] / means["alone_seconds"]
            held["rows"].append({"damping_share": share, "queries": len(asked), **means})
            print(texts, json.dumps(held["rows"][-1]), flush=True)
            if given.out:
                given.out.write_text(json.dumps(report, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--train", "--dev", "--asked"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--texts", default="6920,67349")
    parser.add_argument("--queries", type=int, default=2)
    parser.add_argument("--shares", default="10,1,0.1")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    report = json.loads(given.out.read_text("utf-8")) if given.out and given.out.exists() else {}
    for texts in map(int, given.texts.split(",")):
        measured(report, texts, given)


if __name__ == "__main__":
    main()
