"""Contextual decomposition: all words of a sentence at once beside one phrase at a time, in one run.

    python benchmarks/decomposition.py --data DATA --out benchmarks/results/decomposition.json

DATA is a folder with ``sst2/train.tsv`` and ``sst2/test.tsv`` (sentence<TAB>label); EXEGESIS_DATA is its default. The
other side is the plain version that the tests hold ours to (``tests/reference/decomposition.py``): NumPy, a loop over
steps, one phrase a call, as published codes are written. Only ratios are meant to be kept; timings of a pair alternate,
and the median of the pairwise ratios counts.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sentiment import Lstm, heading, paired, report, trained
from torch import Tensor

from exegesis.core.text import Span, Text
from exegesis.data.examples import read_examples
from exegesis.protocols.target import ask
from exegesis.questions.attributions.decomposition import ContextualDecomposition

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from slow import cells
from slow import decomposition as slow


class Plain:
    """The plain version on the benchmark's model."""

    def __init__(self, module: Lstm) -> None:
        zero = np.zeros(module.lstm.hidden_size)
        self.layers, self.first = [[cells.Weights.of(module.lstm, 0, False)]], [[(zero, zero)]]
        self.vectors, self.output = cells.plain(module.embedding.weight), cells.plain(module.output.weight)

    def part(self, text: Text, span: Span, variant: str) -> np.ndarray:
        x = self.vectors[list(text.ids)]
        ((relevant, _),) = slow.states("lstm", self.layers, x, self.first, *span, variant=variant)
        return self.output @ relevant[-1]


def compare(
    module: Lstm, model: Any, calls: Sequence[Sequence[Text]], spans: Any, variant: str, runs: int
) -> dict[str, Any]:
    """Ours, one call for each group of texts, against the plain version, one call for each span."""
    plain, method = Plain(module), ContextualDecomposition(variant)
    asked = ask("all", model.labels, model.link)
    batches = [model.encode(texts) for texts in calls]
    targets = [asked.of(model.outputs(batch), model.link) for batch in batches]

    def ours() -> list[Tensor]:
        return [
            part
            for batch, target in zip(batches, targets, strict=True)
            for part in method.spans(model, batch, target, [spans(text) for text in batch.texts])
        ]

    def theirs() -> list[np.ndarray]:
        return [
            np.stack([plain.part(text, span, variant) for span in spans(text)], 1) for texts in calls for text in texts
        ]

    worst = max(np.abs(a.numpy() - b).max() for a, b in zip(ours(), theirs(), strict=True))
    count = sum(len(spans(text)) for texts in calls for text in texts)
    found: dict[str, Any] = paired(ours, theirs, runs)
    each = {f"{who}_ms_a_span": 1000 * found[f"{who}_s"] / count for who in ("ours", "theirs")}
    return {**found, **each, "spans": count, "largest_difference": float(worst), "goal": ">= 20 x faster"}


def words(text: Text) -> list[Span]:
    return list(text.words)


def phrases(text: Text) -> list[Span]:
    return [Span(q, r) for q in range(len(text)) for r in range(q + 1, len(text) + 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("EXEGESIS_DATA"), help="folder with sst2/")
    parser.add_argument("--out", default=None, help="where to keep the figures, a .json file")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    if not options.data:
        parser.error("give --data, or set EXEGESIS_DATA")
    data = Path(options.data)
    module, model = trained(data, options.epochs)
    every = [model.read(str(e.text)) for e in read_examples(data / "sst2" / "test.tsv")]
    some = sorted(every[:: len(every) // 64][:64], key=len, reverse=True)
    found = {**heading(), "texts": len(some), "words": sum(map(len, some))}
    for variant in ("original", "acd"):
        found[f"all words of 64 sentences, {variant}"] = compare(module, model, [some], words, variant, options.runs)
    single = [[text] for text in some]
    found["all words, a sentence a call"] = compare(module, model, single, words, "original", options.runs)
    short = [text for text in some if len(text) <= 12]
    found["all phrases of the short sentences"] = compare(module, model, [short], phrases, "original", options.runs)
    report(found, options.out)


if __name__ == "__main__":
    main()
