"""What Ghaeini et al. (2018) read off single examples, over many pairs.

    python claims.py MODEL [MODEL ...] --pairs PAIRS.tsv --out OUT.json [--limit N]

- maps: over premises with hypotheses that are predicted differently, the rank correlation of what the words of the
  premise receive (attention of the hypothesis, or |dS/de|, summed over the words of the hypothesis) between two
  hypotheses. The paper: attention maps are fairly alike, saliencies clearly different.
- gates: the mean rank correlation of the saliency curves of the gates i, f and o of one reading. The paper: somewhat
  consistent within a LSTM.
- focus: 1 - entropy / log(steps) of the saliency curves, of the inference LSTM less that of the input LSTM. The paper:
  the inference LSTM sees much more concentrated saliency.

Each is a mean with its 95 % bootstrap interval over premises (maps) or pairs.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

import exegesis
from exegesis.data.examples import read_examples
from exegesis.statistics.bootstrap import draw_texts, interval, resampled_means

GATES, INFERENCE = ("input", "forget", "output"), 3  # the number of the first call of the inference LSTM


def rank(first, second):
    return float(spearmanr(first, second).statistic) if np.ptp(first) and np.ptp(second) else np.nan


def focused(curve):
    shares = curve / curve.sum()
    entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum()
    return 1 - entropy / np.log(len(curve))


def maps(model, groups):
    """For each premise the mean correlations of attention, of saliency, and their difference."""
    rows = []
    for premise, hypotheses in groups:
        found = []
        for hypothesis in hypotheses:
            weights = exegesis.attention(model, (premise, hypothesis))
            slopes = exegesis.attention(model, (premise, hypothesis), "attention-saliency")
            found.append((weights.prediction.label, weights.map(2).values.sum(0), slopes.map(2).values.sum(0)))
        ranks = [(rank(a[1], b[1]), rank(a[2], b[2])) for a, b in combinations(found, 2) if a[0] != b[0]]
        if ranks:
            attention, saliency = np.nanmean(ranks, 0)
            rows.append((attention, saliency, attention - saliency))
    return np.array(rows)


def gates(model, pairs):
    """For each pair how alike the gates' curves are, and the focus of both LSTMs."""
    rows = []
    for pair in pairs:
        curves = [one for one in exegesis.gates(model, pair).curves if len(one.pieces) > 2]
        alike = np.nanmean(
            [rank(one.saliency[a], one.saliency[b]) for one in curves for a, b in combinations(GATES, 2)]
        )
        focus = {part: np.mean([focused(one.saliency[gate]) for one in curves for gate in GATES
                                if (one.recurrent >= INFERENCE) == part]) for part in (False, True)}  # fmt: skip
        rows.append((alike, focus[False], focus[True], focus[True] - focus[False]))
    return np.array(rows)


def told(values):
    low, high = interval(resampled_means(values[None], draw_texts(len(values), 2000, 0))[0], len(values))
    return [round(float(number), 3) for number in (values.mean(), low, high)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+"), parser.add_argument("--pairs", required=True)
    parser.add_argument("--out", type=Path, required=True), parser.add_argument("--limit", type=int, default=100)
    asked = parser.parse_args()
    examples = read_examples(asked.pairs)
    by_premise = defaultdict(list)
    for example in examples:
        by_premise[example.text[0]].append(example.text[1])
    groups = [(premise, found) for premise, found in by_premise.items() if len(found) > 1][: asked.limit]
    said = {}
    for folder in asked.models:
        model = exegesis.load(folder)
        of_maps, of_gates = maps(model, groups), gates(model, [one.text for one in examples[: asked.limit]])
        said[Path(folder).name] = {
            "premises": len(of_maps), "pairs": len(of_gates),
            **{f"maps {name}": told(of_maps[:, at]) for at, name in enumerate(("attention", "saliency", "apart"))},
            **{name: told(of_gates[:, at]) for at, name in enumerate(
                ("gates alike", "focus input", "focus inference", "focus apart"))},
        }  # fmt: skip
    asked.out.write_text(json.dumps(said, indent=1) + "\n")
    print(asked.out.read_text())


if __name__ == "__main__":
    main()
