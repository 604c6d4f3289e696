"""Do the most salient alignments and gates decide more than those with the largest weights and signals? Over pairs.

    python alignments.py MODEL [MODEL ...] --pairs PAIRS.tsv --out OUT.json [--limit N] [--cells K]

Each MODEL is a folder of ``exegesis train --arch esim``; several are seeds of one. For each pair the K cells of the
alignment matrix with the largest attention (the larger of both directions), with the largest saliency |dS/de| of the
predicted class, and K drawn cells are

- removed: their weights become zero in both directions and rows are scaled up to 1 again;
- resampled: each takes the score before the softmax of another cell of the pair, drawn, in both directions.

In each of the eight readings (input and inference LSTM, both texts, both directions) the step whose gates i, f and o
have the largest norm, that with the largest norm of dS/d(i, f, o), and one drawn take the gates of another step of
the same reading, drawn. OUT gets how often the decision flips and the Jensen-Shannon divergence of the probabilities,
each with a 95 % bootstrap interval over pairs (means over models), and the range of the models' means. Every pair is
written beside OUT (.jsonl) as soon as it is measured, and the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

import exegesis
from exegesis.data.examples import read_examples
from exegesis.mech.attending.interventions import jensen_shannon
from exegesis.mech.attending.layout import outputs_with, read
from exegesis.mech.gates import gate_slopes
from exegesis.nn.context import entry
from exegesis.nn.recurrent import step_of, weights_of
from exegesis.protocols.draws import generator
from exegesis.protocols.target import Ask
from exegesis.statistics.bootstrap import draw_texts, interval, owners_of, resampled_means

WAYS = ("salient", "attended", "random")
GATES = "ifo"


class Exchanged(TorchFunctionMode):
    """Runs LSTMs of one row step by step; at the steps of ``plan`` a direction of a call has other gates."""

    def __init__(self, plan: Mapping[tuple[int, bool], tuple[int, Sequence[torch.Tensor]]]) -> None:
        super().__init__()
        self.plan, self.calls = plan, 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if getattr(func, "__name__", "") != "lstm" or len(args) != 9:
            return func(*args, **(kwargs or {}))
        inputs, start, flat, biased, layers, _, _, both, first = args
        assert first, "ESIM reads texts first"
        outputs = []
        for way, (w_x, w_h, b_x, b_h) in enumerate(weights_of("lstm", flat, biased, layers, 1 + both)[0]):
            state, steps, found = [one[way] for one in start], inputs.shape[1], {}
            from_x = torch.nn.functional.linear(inputs, w_x, b_x)
            change = self.plan.get((self.calls, way == 1))
            for step in range(steps - 1, -1, -1) if way else range(steps):
                made = step_of("lstm", from_x[:, step], torch.nn.functional.linear(state[0], w_h, b_h), *state)
                h, c = made["h"], made["c"]
                if change is not None and change[0] == step:
                    i, f, o = change[1]
                    c = f * state[1] + i * made["g"]
                    h = o * torch.tanh(c)
                state, found[step] = [h, c], h
            outputs.append(torch.stack([found[step] for step in range(steps)], 1))
        self.calls += 1
        return torch.cat(outputs, -1), None, None


def judged(model, own, changed):
    """The divergence and the flip of the decision for each way."""
    flips = (changed.argmax(-1) != own.argmax(-1)).double()
    return jensen_shannon(changed, own).tolist(), flips.tolist()


def alignments(model, text, batch, target, own, cells):
    """What removing and resampling alignments does."""
    found = read(model, batch, target)
    (to_second, to_first), (by_second, by_first) = found.weights, found.by_scores
    slopes = (by_second + by_first.transpose(1, 2))[0].abs()
    weights = torch.maximum(to_second[0], to_first[0].T)
    draws = generator(text, 0)
    drawn = torch.rand(slopes.shape, generator=draws)
    count, size = slopes.numel(), slopes.shape[1]
    masks, orders = [], []
    for values in (slopes, weights, drawn):
        places = values.flatten().topk(min(cells, count - 1)).indices
        mask, order = torch.ones(count), torch.arange(count)
        mask[places] = 0.0
        order[places] = torch.randint(count, (len(places),), generator=draws)
        masks.append(mask.view(-1, size))
        orders.append(order)
    stacked, moved = torch.stack(masks), torch.stack(orders)

    def removed(place, rows, given):
        kept = (stacked if place == 0 else stacked.transpose(1, 2))[rows][:, None].to(given)
        left = given * kept
        sums = left.sum(-1, keepdim=True)
        return torch.where(sums > 1e-9, left / sums.clamp_min(1e-9), given)

    scores = to_second[0].clamp_min(1e-30).log()  # of the pair up to a number for each row ...
    scores = scores + (to_first[0].T / to_second[0].clamp_min(1e-30)).clamp_min(1e-30).log().mean(1, keepdim=True)

    def resampled(place, rows, given):  # ... which the other direction tells: e_ij up to one number
        other = scores.flatten()[moved[rows]].view(-1, *scores.shape)
        return torch.softmax(other if place == 0 else other.transpose(1, 2), -1)[:, None].to(given)

    copies = batch.take(torch.zeros(len(WAYS), dtype=torch.long))
    results = {}
    for name, change in (("removed", removed), ("resampled", resampled)):
        raw = outputs_with(model, copies, found.layout, change)
        results[f"alignments {name}"] = judged(model, own, model.link.probabilities(raw).double())
    return results


def gates(model, text, batch, target, own):
    """What resampling the gates of one step of every reading does."""
    readings = gate_slopes(model, batch, target)
    draws, changed = generator(text, 1), []
    for way in WAYS:
        plan = {}
        for reading, _ in readings:
            values = torch.stack([reading.value(letter) for letter in GATES])  # [gate, t, h]
            slopes = torch.stack([reading.slopes[letter] for letter in GATES])
            sizes = {"salient": slopes, "attended": values}.get(way)
            step = int(torch.randint(reading.steps, (1,), generator=draws))
            if sizes is not None:
                step = int(sizes.square().sum((0, 2)).argmax())
            other = int(torch.randint(max(reading.steps - 1, 1), (1,), generator=draws))
            other = min(other + (other >= step), reading.steps - 1)
            plan[reading.call, reading.reverse] = step, [values[gate, other][None] for gate in range(len(GATES))]
        with torch.no_grad(), Exchanged(plan):
            changed.append(model.outputs(batch)[0])
    return judged(model, own, model.link.probabilities(torch.stack(changed)).double())


@entry
def untouched(model, pair):
    """Check that the mode which exchanges gates gives the model's own outputs where it exchanges none."""
    batch = model.encode([model.read(pair)])
    with torch.no_grad():
        own = model.outputs(batch)
        with Exchanged({}):
            torch.testing.assert_close(model.outputs(batch), own, rtol=1e-4, atol=1e-5)


@entry
def measured(model, pair, cells):
    """All numbers of one pair, and the label that is predicted."""
    text = model.read(pair)
    batch = model.encode([text])
    own = model.link.probabilities(model.outputs(batch)).double()

    def target(raw):
        return Ask("logit").of(raw, model.link).of(raw)

    results = alignments(model, text, batch, target, own, cells)
    results["gates resampled"] = gates(model, text, batch, target, own)
    return results, model.labels[int(own.argmax())]


def kept(path, model, pairs, cells):
    """The rows of one model: those that are kept in a file, the others measured and kept as they are ready."""
    rows, name = {}, Path(model).name
    for line in path.read_text().splitlines() if path.exists() else ():
        one = json.loads(line)
        if (one["model"], one["cells"]) == (name, cells):
            rows[one["pair"]] = one
    if all(pair.id in rows for pair in pairs):
        return [(rows[pair.id]["results"], rows[pair.id]["label"]) for pair in pairs]
    loaded = exegesis.load(model)
    untouched(loaded, pairs[0].text)
    with path.open("a") as file:
        for pair in pairs:
            if pair.id not in rows:
                results, label = measured(loaded, pair.text, cells)
                rows[pair.id] = {"model": name, "cells": cells, "pair": pair.id, "results": results, "label": label}
                file.write(json.dumps(rows[pair.id]) + "\n")
                file.flush()
    return [(rows[pair.id]["results"], rows[pair.id]["label"]) for pair in pairs]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+"), parser.add_argument("--pairs", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=500), parser.add_argument("--cells", type=int, default=3)
    asked = parser.parse_args()
    examples = read_examples(asked.pairs)[: asked.limit]
    draws = draw_texts(len(examples), 2000, 0)
    distinct = len(set(owners_of([str(example.text) for example in examples]).tolist()))
    every, accuracy = [], []
    for folder in asked.models:
        rows = kept(asked.out.with_suffix(".jsonl"), folder, examples, asked.cells)
        accuracy.append(float(np.mean([label == one.label for (_, label), one in zip(rows, examples, strict=True)])))
        every.append([results for results, _ in rows])
    said = {"models": [Path(name).name for name in asked.models], "pairs": len(examples), "cells": asked.cells,
            "accuracy": accuracy}  # fmt: skip
    for name in every[0][0]:
        said[name] = {}
        for number, measure in enumerate(("divergence", "flips")):
            values = np.array([[row[name][number] for row in rows] for rows in every])  # [model, pair, way]
            named = {way: values[..., at] for at, way in enumerate(WAYS)}
            named["salient less attended"] = named["salient"] - named["attended"]
            named["attended less random"] = named["attended"] - named["random"]
            said[name][measure] = {}
            for what, numbers in named.items():
                low, high = interval(resampled_means(numbers.mean(0)[None], draws)[0], distinct)
                models = numbers.mean(1)
                told = [float(numbers.mean()), low, high, float(models.min()), float(models.max())]
                said[name][measure][what] = [round(number, 4) for number in told]
    asked.out.write_text(json.dumps(said, indent=1) + "\n")
    print(asked.out.read_text())


if __name__ == "__main__":
    main()
