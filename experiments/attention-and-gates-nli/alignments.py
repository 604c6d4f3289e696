"""Do the most salient alignments decide more than the most attended ones? Over pairs, with intervals.

    python alignments.py MODEL PAIRS.tsv OUT.json [--limit N] [--cells K]

MODEL is a folder of ``exegesis train --arch esim``. For each pair the K cells of the alignment matrix with the largest
attention (the larger of both directions), with the largest saliency |dS/de| of the predicted class, and K drawn cells
are taken out: their weights become zero in both directions and rows are scaled up to 1 again. OUT gets how often the
decision flips, and the Jensen-Shannon divergence of the probabilities, each with a 95 % bootstrap interval over pairs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

import exegesis
from exegesis.data.examples import read_examples
from exegesis.mech.attending.interventions import jensen_shannon
from exegesis.mech.attending.layout import outputs_with, read
from exegesis.nn.context import entry
from exegesis.protocols.draws import generator
from exegesis.protocols.target import Ask
from exegesis.statistics.bootstrap import draw_texts, interval, owners_of, resampled_means

WAYS = ("salient", "attended", "random")


@entry
def taken_out(model, pair, cells):
    """The divergence and the flip of the decision for each way to choose alignments."""
    text = model.read(pair)
    batch = model.encode([text])
    found = read(model, batch, lambda raw: Ask("logit").of(raw, model.link).of(raw))
    (to_second, to_first), (by_second, by_first) = found.weights, found.by_scores
    slopes = (by_second + by_first.transpose(1, 2))[0].abs()
    weights = torch.maximum(to_second[0], to_first[0].T)
    drawn = torch.rand(slopes.shape, generator=generator(text, 0))
    size = slopes.shape[1]
    masks = []
    for values in (slopes, weights, drawn):
        mask = torch.ones(slopes.numel())
        mask[values.flatten().topk(min(cells, slopes.numel() - 1)).indices] = 0.0
        masks.append(mask.view(-1, size))
    stacked = torch.stack(masks)

    def change(place, rows, given):
        kept = (stacked if place == 0 else stacked.transpose(1, 2))[rows][:, None].to(given)
        left = given * kept
        sums = left.sum(-1, keepdim=True)
        return torch.where(sums > 1e-9, left / sums.clamp_min(1e-9), given)

    raw = outputs_with(model, batch.take(torch.zeros(len(WAYS), dtype=torch.long)), found.layout, change)
    own, changed = (model.link.probabilities(one).double() for one in (model.outputs(batch), raw))
    flips = (changed.argmax(-1) != own.argmax(-1)).double()
    return jensen_shannon(changed, own).tolist(), flips.tolist(), model.labels[int(own.argmax())]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model"), parser.add_argument("pairs"), parser.add_argument("out", type=Path)
    parser.add_argument("--limit", type=int, default=500), parser.add_argument("--cells", type=int, default=3)
    asked = parser.parse_args()
    model = exegesis.load(asked.model)
    examples = read_examples(asked.pairs)[: asked.limit]
    rows = [taken_out(model, example.text, asked.cells) for example in examples]
    right = np.mean([row[2] == example.label for row, example in zip(rows, examples, strict=True)])
    owners = owners_of([str(example.text) for example in examples])
    draws = draw_texts(len(rows), 2000, 0)
    said = {"model": asked.model, "pairs": len(rows), "cells": asked.cells, "accuracy": float(right)}
    for number, measure in enumerate(("divergence", "flips")):
        values = np.array([row[number] for row in rows]).T
        said[measure] = {}
        named = dict(zip(WAYS, values, strict=True))
        named["salient less attended"] = values[0] - values[1]
        named["attended less random"] = values[1] - values[2]
        for name, numbers in named.items():
            low, high = interval(resampled_means(numbers[None], draws)[0], len(set(owners.tolist())))
            said[measure][name] = [float(numbers.mean()), low, high]
    asked.out.write_text(json.dumps(said, indent=1) + "\n")
    print(asked.out.read_text())


if __name__ == "__main__":
    main()
