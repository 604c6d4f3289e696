"""How well two seeds of the information measure agree: the rank correlation of σ over all words, layer by layer.

python experiments/information/seeds.py MODEL [MODEL ...] --data sst2/test.tsv --out seeds.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

import exegesis


def main() -> None:
    """Measure each text twice and keep the correlation of every layer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--texts", type=int, default=6)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--layers", default="all")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    texts = [one.text for one in exegesis.read_examples(asked.data)][: asked.texts]
    found: dict[str, dict[str, object]] = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    for folder in asked.models:
        name = f"{Path(folder).name}, K λ = {asked.rate}"
        if name in found:
            continue
        model = exegesis.load(folder)
        pair = [exegesis.information(model, texts, asked.layers, rate=asked.rate, seed=seed) for seed in (1, 2)]
        layers = pair[0][0].layers
        rows: dict[str, object] = {}
        for at, layer in enumerate(layers):
            by_text = [spearmanr(a.sigma[at], b.sigma[at]).statistic for a, b in zip(*pair, strict=True)]
            sigma = [np.concatenate([one.sigma[at] for one in results]) for results in pair]
            settled = [state for results in pair for one in results for state in one.states[at]]
            rows[layer] = {
                "worst text": float(np.nanmin(by_text)),
                "mean over texts": float(np.nanmean(by_text)),
                "all words": float(spearmanr(*sigma).statistic),
                "largest error of log sigma": float(max(one.error[at].max() for results in pair for one in results)),
                "minima": settled.count("minimum") / len(settled),
            }
            print(name, layer, rows[layer], flush=True)
        found[name] = rows
        asked.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
