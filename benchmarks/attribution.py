"""Exegesis beside captum and lime and beside the plain forward pass, all in one run; only ratios are meant to be kept.

    python benchmarks/attribution.py --data DATA --out benchmarks/results/attribution.json

DATA is a folder with ``sst2/train.tsv`` and ``sst2/test.tsv`` (sentence<TAB>label); EXEGESIS_DATA is its default. The
model is an LSTM classifier (300 wide, hidden 150, last state), trained here for a few epochs with a fixed seed, so that
gradients and gaps are those of a real model. Every competitor gets its texts in batches of 64 sorted by length, and the
setting that suits it best; timings of a pair alternate, and the median of the pairwise ratios counts.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentiment import BATCH, Lstm, heading, paired, report, trained
from torch import Tensor

import exegesis
from exegesis.data.examples import read_examples
from exegesis.mech.decomposition.additive import all_spans
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.protocols.batch import Batch
from exegesis.protocols.target import Target, ask
from exegesis.questions.attributions.integrated import IntegratedGradients
from exegesis.questions.attributions.leave_one_out import LeaveOneOut
from exegesis.questions.attributions.lime import Lime
from exegesis.questions.attributions.reat import Reat


def against_forward(batches: Sequence[Batch], targets: Sequence[Target], module: Lstm, model: Any, runs: int) -> Any:
    def forward() -> None:
        with torch.no_grad():
            for batch in batches:
                module(batch.ids, batch.lengths)

    def reat() -> None:
        method = Reat()
        for batch, target in zip(batches, targets, strict=True):
            all_spans(method(model, batch, target).values)

    found = paired(reat, forward, runs)
    return {**found, "times_forward": 1 / found["theirs_over_ours"], "goal": "<= 2 x forward (all words, all phrases)"}


def against_captum_ig(batches: Sequence[Batch], targets: Sequence[Target], module: Lstm, model: Any, runs: int) -> Any:
    from captum.attr import IntegratedGradients as Theirs

    theirs = Theirs(module.from_vectors)
    gaps: dict[str, list[float]] = {"ours": [], "theirs": []}

    def run_theirs() -> None:
        gaps["theirs"].clear()
        for batch, target in zip(batches, targets, strict=True):
            with torch.no_grad():
                vectors = module.embedding(batch.ids)
            _, delta = theirs.attribute(
                vectors,
                baselines=torch.zeros_like(vectors),
                target=target.index[:, 0],
                additional_forward_args=(batch.lengths,),
                n_steps=50,
                return_convergence_delta=True,
                internal_batch_size=None if len(batch) * 50 * batch.ids.shape[1] < 200_000 else 512,
            )
            gaps["theirs"] += delta.abs().tolist()

    tolerance = 1e-1

    def run_ours() -> None:
        gaps["ours"].clear()
        method = IntegratedGradients(tolerance=tolerance)
        for batch, target in zip(batches, targets, strict=True):
            scores = method(model, batch, target)
            gap = target.of(model.outputs(batch)) - scores.values.sum(-1) - scores.account["value at the baseline"]
            gaps["ours"] += gap[:, 0].abs().tolist()

    run_theirs()
    while True:  # the loosest tolerance whose gaps are no larger than captum's, in the mean and at worst
        run_ours()
        if np.mean(gaps["ours"]) <= np.mean(gaps["theirs"]) and max(gaps["ours"]) <= max(gaps["theirs"]):
            break
        tolerance /= 10
    found: dict[str, Any] = {"our_tolerance": tolerance, **paired(run_ours, run_theirs, runs)}
    for who, values in gaps.items():
        found[f"{who}_gap_mean"], found[f"{who}_gap_max"] = float(np.mean(values)), float(np.max(values))
    return {**found, "goal": ">= 2 x faster at a gap no larger than captum's at 50 points"}


def against_captum_ablation(
    batches: Sequence[Batch], targets: Sequence[Target], module: Lstm, model: Any, runs: int, pad: int
) -> Any:
    from captum.attr import FeatureAblation

    theirs = FeatureAblation(module)

    def run_theirs(per_call: int, some: int | None = None) -> list[Tensor]:
        return [
            theirs.attribute(
                batch.ids,
                baselines=pad,
                target=target.index[:, 0],
                additional_forward_args=(batch.lengths,),
                perturbations_per_eval=per_call,
            )
            for batch, target in list(zip(batches, targets, strict=True))[:some]
        ]

    trial = {n: min(_seconds(lambda n=n: run_theirs(n, 8)) for _ in range(2)) for n in (1, 2, 4, 8, 16, 32)}
    best = min(trial, key=lambda n: trial[n])
    method = LeaveOneOut(how="pad")

    def run_ours() -> list[Tensor]:
        return [method(model, b, t).values[:, 0] for b, t in zip(batches, targets, strict=True)]

    worst = max(
        (a.double() - b.detach().double()).masked_fill(~batch.mask, 0).abs().max().item()
        for a, b, batch in zip(run_ours(), run_theirs(best), batches, strict=True)
    )
    found = paired(run_ours, lambda: run_theirs(best), runs)
    return {**found, "captum_perturbations_per_eval": best, "largest_difference": worst, "goal": ">= 2 x faster"}


def against_lime(texts: Sequence[str], module: Lstm, model: Any, runs: int, samples: int = 1000) -> Any:
    from lime.lime_text import LimeTextExplainer
    from sklearn.linear_model import Ridge

    vocabulary: Vocabulary = model.reader.vocabulary
    numbers, unknown = vocabulary.numbers, vocabulary.unknown

    def classify(strings: list[str]) -> np.ndarray:
        rows = [[numbers.get(w, unknown) for w in s.split()] or [vocabulary.pad] for s in strings]
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
        found = np.zeros((len(rows), 2))
        for at in range(0, len(rows), 256):
            part = order[at : at + 256]
            width = len(rows[part[0]])
            ids = torch.tensor([rows[i] + [vocabulary.pad] * (width - len(rows[i])) for i in part])
            with torch.no_grad():
                raw = module(ids, torch.tensor([len(rows[i]) for i in part]))
            found[part] = raw.softmax(1).numpy()
        return found

    explainer = LimeTextExplainer(split_expression=r"\s+", bow=False, random_state=0, feature_selection="none")
    fits: dict[str, list[float]] = {"ours": [], "theirs": []}

    def run_theirs() -> None:
        fits["theirs"].clear()
        for text in texts:
            words = len(text.split())
            found = explainer.explain_instance(
                text, classify, num_features=words, num_samples=samples, labels=(1,), model_regressor=Ridge(alpha=1.0)
            )
            fits["theirs"].append(float(found.score[1] if isinstance(found.score, dict) else found.score))

    def run_ours() -> None:
        # the package, too, puts a word that nobody knows in a removed word's place
        method = Lime(samples=samples, how="unknown")
        results = exegesis.explain(model, list(texts), method, target="probability:positive")
        fits["ours"] = [float(result.details["r2"][0]) for result in results]

    found: dict[str, Any] = dict(paired(run_ours, run_theirs, runs))
    found |= {f"{who}_r2_mean": float(np.mean(values)) for who, values in fits.items()}
    return {**found, "sentences": len(texts), "samples": samples, "goal": ">= 1.3 x faster at equal samples and fit"}


def memory(model: Any, texts: Sequence[str]) -> Any:
    """Peak memory of explaining the texts once and four times over in one call: it must not grow with their number."""
    import resource

    peaks = []
    for times in (1, 4):
        exegesis.explain(model, list(texts) * times, LeaveOneOut())
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return {"peak_MiB_after_1x": peaks[0], "peak_MiB_after_4x": peaks[1], "texts": len(texts)}


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("EXEGESIS_DATA"), help="folder with sst2/")
    parser.add_argument("--out", default=None, help="where to keep the figures, a .json file")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=["memory", "forward", "ig", "ablation", "lime"])
    options = parser.parse_args()
    if not options.data:
        parser.error("give --data, or set EXEGESIS_DATA")
    torch.set_num_threads(options.threads)
    data = Path(options.data)
    module, model = trained(data, options.epochs)
    vocabulary: Vocabulary = model.reader.vocabulary
    texts = [str(e.text) for e in read_examples(data / "sst2" / "test.tsv")]
    read = sorted((model.read(text) for text in texts), key=len, reverse=True)
    batches = [model.encode(read[at : at + BATCH]) for at in range(0, len(read), BATCH)]
    asked = ask(None, model.labels, model.link)
    targets = [asked.of(model.outputs(batch), model.link) for batch in batches]
    found = {**heading(), "texts": len(texts)}
    if "memory" in options.only:
        found["memory"] = memory(model, texts[:400])
    if "forward" in options.only:
        found["reat / forward pass"] = against_forward(batches, targets, module, model, options.runs)
    if "ig" in options.only:
        runs = max(options.runs // 2, 1)
        found["integrated-gradients / captum"] = against_captum_ig(batches, targets, module, model, runs)
    if "ablation" in options.only:
        pad = vocabulary.pad
        found["leave-one-out / captum"] = against_captum_ablation(batches, targets, module, model, options.runs, pad)
    if "lime" in options.only:
        found["lime / lime"] = against_lime(texts[:60], module, model, options.runs)
    report(found, options.out)


if __name__ == "__main__":
    main()
