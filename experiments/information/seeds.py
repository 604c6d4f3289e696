"""How well two seeds of the information measure agree: rank correlations of σ over the words that have a certified
minimum at both seeds, layer by layer and over the layer x word map of a text.

    python experiments/information/seeds.py MODEL [MODEL ...] --data sst2/test.tsv --texts 20 --out seeds.json

Every text is measured twice and written to OUT's neighbour ``.jsonl`` at once; the same command goes on where it was
interrupted. Intervals are 95 % of a bootstrap over texts.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

import exegesis

DRAWS = 1000


def correlation(pairs: list[np.ndarray]) -> float:
    """The rank correlation of two rows of numbers, which come in parts."""
    both = np.concatenate(pairs, 1)
    return float(spearmanr(both[0], both[1]).statistic) if both.shape[1] > 2 else float("nan")


def interval(values: list[Any], measure: Any) -> list[float]:
    """A number over texts with its 95 % interval."""
    draws = np.random.default_rng(0)
    drawn = [
        measure([values[number] for number in draws.integers(len(values), size=len(values))]) for _ in range(DRAWS)
    ]
    return [measure(values), *np.nanquantile(drawn, (0.025, 0.975)).tolist()]


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Agreement by layer and of whole maps."""
    layers = rows[0]["layers"]
    answer: dict[str, Any] = {"texts": len(rows), "rate": rows[0]["rate"]}
    answer["seconds of processor per text, layer and seed"] = float(
        np.mean([row["seconds"] / (2 * len(layers)) for row in rows])
    )
    certified = [np.array(row["certified"]) for row in rows]
    logs = [np.log(np.array(row["sigma"])) for row in rows]
    for at, layer in enumerate(layers):
        parts = [log[:, at, fine[at]] for log, fine in zip(logs, certified, strict=True)]
        answer[layer] = {
            "certified words": float(np.mean(np.concatenate([fine[at] for fine in certified]))),
            "rank correlation of all words": interval(parts, correlation),
            "median over texts": float(np.nanmedian([correlation([part]) for part in parts])),
            "spread of log sigma": float(np.concatenate(parts, 1)[0].std()),
            "error of log sigma, root mean square": float(
                np.sqrt(np.mean(np.concatenate([np.array(row["error"])[at] for row in rows]) ** 2))
            ),
        }
    whole = [log[:, fine] for log, fine in zip(logs, certified, strict=True)]
    answer["maps"] = {
        "mean over texts": interval(whole, lambda some: float(np.mean([correlation([one]) for one in some]))),
        "worst text": min(correlation([one]) for one in whole),
    }
    return answer


def main() -> None:
    """Measure each text twice and keep the correlations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--texts", type=int, default=20)
    parser.add_argument("--longest", type=int, default=20, help="words of a text")
    parser.add_argument("--rate", type=float, help="K λ; by default that of the measure")
    parser.add_argument("--layers", default="all")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    lines, own = asked.out.with_suffix(".jsonl"), {} if asked.rate is None else {"rate": asked.rate}
    every = [str(one.text) for one in exegesis.read_examples(asked.data)]
    texts, reference = [raw for raw in every if len(raw.split()) <= asked.longest][: asked.texts], every[:100]
    rows = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    for folder in asked.models:
        name, model = Path(folder).name, exegesis.load(folder)
        done = {row["text"] for row in rows if row["model"] == name}
        for number, raw in enumerate(texts):
            if number in done:
                continue
            start = time.process_time()
            a, b = (
                exegesis.information(model, raw, asked.layers, reference=reference, seed=seed, **own) for seed in (1, 2)
            )
            fine = [
                [x == y == "minimum" for x, y in zip(*both, strict=True)]
                for both in zip(a.states, b.states, strict=True)
            ]
            rows.append({
                "model": name, "text": number, "layers": a.layers, "rate": a.rate,
                "sigma": [a.sigma.tolist(), b.sigma.tolist()], "error": a.error.tolist(), "certified": fine,
                "seconds": time.process_time() - start,
            })  # fmt: skip
            with lines.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    names = dict.fromkeys(row["model"] for row in rows)
    found = {name: summary([row for row in rows if row["model"] == name]) for name in names}
    asked.out.write_text(json.dumps(found, indent=1) + "\n")
    print(asked.out.read_text())


if __name__ == "__main__":
    main()
