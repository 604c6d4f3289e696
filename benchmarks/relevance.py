"""LRP beside the forward and backward pass and beside a plain NumPy LRP, in one run; only ratios are meant to be kept.

    python benchmarks/relevance.py --data DATA --out benchmarks/results/relevance.json

DATA and the model are those of ``benchmarks/attribution.py``. The limit is one forward and one backward pass to the
word vectors through the library's LSTM, batches of 64 sorted by length. The plain version
(``tests/reference/lrp_plain.py``) goes through one sentence and one class step by step with the whole array of
messages, as published NumPy code does.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentiment import BATCH, Lstm, heading, paired, report, trained

from exegesis.data.examples import read_examples
from exegesis.mech.lrp.shares import PRODUCTS
from exegesis.protocols.batch import Batch
from exegesis.protocols.target import Target, ask
from exegesis.questions.attributions.lrp import Lrp

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from slow.lrp_plain import lrp as plain_lrp


def against_passes(
    batches: Sequence[Batch], targets: Sequence[Target], module: Lstm, model: Any, method: Lrp, runs: int
) -> Any:
    """``method`` for the predicted class, beside a forward and backward pass to the word vectors."""

    def passes() -> None:
        for batch, target in zip(batches, targets, strict=True):
            with torch.no_grad():
                vectors = module.embedding(batch.ids)
            vectors.requires_grad_(True)
            raw = module.from_vectors(vectors, batch.lengths)
            torch.autograd.grad(raw.gather(1, target.index).sum(), vectors)

    def ours() -> None:
        for batch, target in zip(batches, targets, strict=True):
            method(model, batch, target)

    found = paired(ours, passes, runs)
    return {**found, "times_forward_and_backward": 1 / found["theirs_over_ours"], "goal": "<= 2 x"}


def against_plain(texts: Sequence[Any], module: Lstm, model: Any, runs: int) -> Any:
    """Every class of some sentences; seconds a sentence and class."""
    layer, output = module.lstm, module.output
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    w_ih, w_hh, b_ih, b_hh = (getattr(layer, name).detach().numpy() for name in names)
    w_out, b_out = output.weight.detach().numpy(), output.bias.detach().numpy()
    table = module.embedding.weight.detach().numpy()
    order = sorted(texts, key=len, reverse=True)
    kept: dict[str, list[np.ndarray]] = {}

    def theirs() -> None:
        kept["theirs"] = [
            np.stack([plain_lrp(table[list(text.ids)], w_ih, w_hh, b_ih + b_hh, w_out, b_out, c) for c in range(2)])
            for text in order
        ]

    def ours() -> None:
        every = ask("all", model.labels, model.link)
        kept["ours"] = []
        for at in range(0, len(order), BATCH):
            batch = model.encode(order[at : at + BATCH])
            values = Lrp()(model, batch, every.of(model.outputs(batch), model.link)).values.numpy()
            kept["ours"] += [row[:, : len(text)] for row, text in zip(values, batch.texts, strict=True)]

    found = paired(ours, theirs, runs)
    scale = max(float(np.abs(one).max()) for one in kept["theirs"])
    worst = max(float(np.abs(a - b).max()) for a, b in zip(kept["ours"], kept["theirs"], strict=True))
    return {
        **found,
        "sentences": len(texts),
        "ours_ms_a_sentence_and_class": 1e3 * found["ours_s"] / len(texts) / 2,
        "theirs_ms_a_sentence_and_class": 1e3 * found["theirs_s"] / len(texts) / 2,
        "largest_difference_over_largest_score": worst / scale,
        "goal": ">= 10 x faster a sentence and class",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("EXEGESIS_DATA"), help="folder with sst2/")
    parser.add_argument("--out", default=None, help="where to keep the figures, a .json file")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if not options.data:
        parser.error("give --data, or set EXEGESIS_DATA")
    torch.set_num_threads(options.threads)
    start = time.perf_counter()
    module, model = trained(Path(options.data), options.epochs)
    print(f"trained in {time.perf_counter() - start:.0f} s", flush=True)
    examples = read_examples(Path(options.data) / "sst2" / "test.tsv")
    read = sorted((model.read(str(e.text)) for e in examples), key=len, reverse=True)
    batches = [model.encode(read[at : at + BATCH]) for at in range(0, len(read), BATCH)]
    asked = ask(None, model.labels, model.link)
    targets = [asked.of(model.outputs(batch), model.link) for batch in batches]
    found: dict[str, Any] = {**heading(), "texts": len(read)}
    for bias in ("keep", "spread"):
        for product in PRODUCTS:
            method = Lrp(product=product, bias=bias)
            name = f"lrp {product}, biases {bias} / forward + backward"
            found[name] = against_passes(batches, targets, module, model, method, options.runs)
    found["lrp / plain NumPy"] = against_plain(read[::9], module, model, max(options.runs // 2, 1))
    report(found, options.out)


if __name__ == "__main__":
    main()
