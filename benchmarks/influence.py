"""fast-influence beside influence functions of the whole training set, in one run, on one thread, in processor time.

    python benchmarks/influence.py --train TRAIN --dev DEV --asked TEST --texts 6920,67349 --kept FOLDER --out FILE

For each number of texts an LSTM is trained on so many phrases of SST-2 (50 wide, four epochs) and its training texts
are indexed, with gradients (``exegesis index --gradients 4``: ``index_seconds``, once for all queries). Then some texts
are asked about, a call for each, at several dampings (shares of the mean eigenvalue, the same number for both): by
conjugate gradients on the whole training set, and by fast-influence with the index, with several numbers of candidates
(``k``) and of texts that stand for the rest (``sample``), by either ``inverse``. By products, those of the sample are
made before and kept in the index (``prepared_seconds``, once for all queries). For each: seconds a query,
``times_faster``, and means over queries of the rank correlation and the correlation with the full run over the
candidates, and of the share of the ten strongest of the full run that are among them; ``rank_correlations`` and
``seconds`` have each query's. ``products_alone`` is the rank correlation of the products of gradients without any
inverse, over the same candidates: what the inverse has to beat.
FOLDER keeps models, indexes and full runs, and FILE what was measured: the same command goes on.
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
from exegesis.data.examples import Example, read_examples
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import GaussNewton
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.folder import save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.questions.sources.method import Training

# k, sample and inverse; the first is the default
SETTINGS = (
    (200, 1000, "products"), (200, 2000, "products"), (200, 4000, "products"), (50, 1000, "products"),
    (50, 2000, "products"), (50, 4000, "products"), (50, 6000, "products"), (200, 6000, "products"),
    (1000, 4000, "products"), (200, 1000, "steps"), (50, 2000, "steps"),
)  # fmt: skip


class Case:
    """A model trained on so many texts, its index, and the queries."""

    def __init__(self, texts: int, given: argparse.Namespace) -> None:
        self.kept: Path = given.kept / str(texts)
        self.examples = read_examples(str(given.train))[:texts]
        self.asked = [str(one.text) for one in read_examples(str(given.asked))[: given.queries]]
        if not (self.kept / "model").is_dir():
            config = RecurrentConfig("lstm", embedding=50, hidden=50)
            made = train(self.examples, read_examples(str(given.dev)), config=config, options=TrainOptions(epochs=4))
            save_folder(self.kept / "model", made.model, f"An LSTM trained on {texts} phrases of SST-2.")
        self.model = exegesis.load(str(self.kept / "model"))
        where = self.kept / "head.json"
        if not where.is_file():
            _, seconds = timed(lambda: exegesis.index(self.model, self.examples, self.kept / "index", gradients=4))
            training, passes = Training.of(self.model, self.examples), Passes(self.model)
            mean = GaussNewton(passes, training.texts, training.gold).mean_eigenvalue()
            head = {"parameters": passes.layout.size, "index_seconds": seconds, "mean_eigenvalue": mean}
            where.write_text(json.dumps(head))
        self.head: dict[str, float] = json.loads(where.read_text())

    def full(self, share: float, query: int) -> dict[str, Any]:
        """The scores of all texts for one query, with the seconds and what the solver says."""
        where = self.kept / f"full-{share}-query-{query}.npz"
        if not where.is_file():
            damping = share * self.head["mean_eigenvalue"]
            text = self.asked[query]
            made, seconds = timed(lambda: exegesis.influence(self.model, self.examples, text, damping=damping))
            told = {name: made.details[name] for name in ("residual", "products")}
            np.savez(where, scores=made.scores, seconds=seconds, **told)
        return dict(np.load(where))

    def prepared(self, options: dict[str, Any]) -> float:
        """The seconds that the products of the sample took, which the index keeps."""
        where = self.kept / f"prepared-{options['sample']}.json"
        if not where.is_file():
            text = self.asked[0]
            _, first = timed(lambda: exegesis.influence(self.model, self.examples, text, "fast-influence", **options))
            _, again = timed(lambda: exegesis.influence(self.model, self.examples, text, "fast-influence", **options))
            where.write_text(json.dumps(first - again))
        seconds: float = json.loads(where.read_text())
        return seconds

    def fast(self, share: float, fulls: list[dict[str, Any]], k: int, sample: int, inverse: str) -> dict[str, Any]:
        """What fast-influence with a setting makes of the same queries."""
        damping = share * self.head["mean_eigenvalue"]
        tuned = {"k": k, "sample": sample, "inverse": inverse}
        options = {"damping": damping, "index": str(self.kept / "index"), **tuned}
        prepared = {"prepared_seconds": self.prepared(options)} if inverse == "products" else {}
        rows, seconds = list[dict[str, float]](), list[float]()
        for text, full in zip(self.asked, fulls, strict=True):
            made, took = timed(
                lambda text=text: exegesis.influence(self.model, self.examples, text, "fast-influence", **options)
            )
            rows.append(self._held(text, made, full["scores"]))
            seconds.append(took)
        means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        whole = float(np.mean([full["seconds"] for full in fulls]))
        return {"damping_share": share, **tuned, "queries": len(rows), "full_seconds": whole,
                "fast_seconds": float(np.mean(seconds)), "times_faster": whole / float(np.mean(seconds)), **prepared,
                **means, "rank_correlations": [row["rank_correlation"] for row in rows], "seconds": seconds,
                "full_residual": max(float(full["residual"]) for full in fulls),
                "full_products": max(float(full["products"]) for full in fulls)}  # fmt: skip

    def _held(self, text: str, fast: Any, whole: np.ndarray) -> dict[str, float]:
        seen = np.flatnonzero(np.isfinite(fast.scores))
        few: list[Example] = [self.examples[number] for number in seen]
        target = fast.subject.targets[0]
        plain = exegesis.influence(self.model, few, text, "gradient-similarity", target=target).scores
        strongest = np.argsort(-np.abs(whole))[:10]
        return {
            "steps": fast.details["steps"],
            "rank_correlation": float(stats.spearmanr(whole[seen], fast.scores[seen])[0]),
            "correlation": float(np.corrcoef(whole[seen], fast.scores[seen])[0, 1]),
            "products_alone": float(stats.spearmanr(whole[seen], plain)[0]),
            "recall_of_10": float(np.isin(strongest, seen).mean()),
        }


def timed(work: Any) -> tuple[Any, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--train", "--dev", "--asked", "--kept"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--texts", default="6920,67349")
    parser.add_argument("--queries", type=int, default=2)
    parser.add_argument("--shares", default="10,1,0.1")
    parser.add_argument("--prepare-only", action="store_true", help="stop when models are trained and texts indexed")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    report: dict[str, Any] = json.loads(given.out.read_text("utf-8")) if given.out.exists() else {}
    for texts in map(int, given.texts.split(",")):
        case = Case(texts, given)
        if given.prepare_only:
            continue
        held = report.setdefault(f"{texts} texts", {"texts": len(case.examples), **case.head, "rows": []})
        for share in map(float, given.shares.split(",")):
            fulls = [case.full(share, query) for query in range(given.queries)]
            done = {(row["damping_share"], row["k"], row["sample"], row.get("inverse")) for row in held["rows"]}
            for setting in SETTINGS:
                if (share, *setting) in done:
                    continue
                held["rows"].append(case.fast(share, fulls, *setting))
                print(texts, json.dumps(held["rows"][-1]), flush=True)
                given.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
