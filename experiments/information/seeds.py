"""How well two seeds of the information measure agree: rank correlations of σ over the words that have a certified
minimum at both seeds, layer by layer and over the layer x word map of a text.

    python experiments/information/seeds.py MODEL [MODEL ...] --data sst2/test.tsv --texts 20 --out OUT

Every text is measured twice; OUT gets ``seeds.jsonl`` and ``seeds.json``. Intervals are 95 % of a bootstrap over
texts.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

import exegesis

sys.path.insert(0, str(Path(__file__).parent))
from corpus import Rows, arguments, sentences, write

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
    parser = arguments(__doc__)
    parser.add_argument("--rate", type=float, help="K λ; by default that of the measure")
    parser.add_argument("--layers", default="all")
    asked = parser.parse_args()
    texts, reference = sentences(asked)
    own = {} if asked.rate is None else {"rate": asked.rate}
    rows, found = Rows(asked.out / "seeds.jsonl"), dict[str, Any]()
    for folder in asked.models:
        model = exegesis.load(folder)

        def twice(raw: str, model: Any = model) -> dict[str, Any]:
            start = time.process_time()
            a, b = (
                exegesis.information(model, raw, asked.layers, reference=reference, seed=seed, **own) for seed in (1, 2)
            )
            certified = [
                [x == y == "minimum" for x, y in zip(*both, strict=True)]
                for both in zip(a.states, b.states, strict=True)
            ]
            return {
                "layers": a.layers, "rate": a.rate, "sigma": [a.sigma.tolist(), b.sigma.tolist()],
                "error": a.error.tolist(), "certified": certified, "seconds": time.process_time() - start,
            }  # fmt: skip

        found[folder.name] = summary(rows.measure(folder.name, texts, twice))
    write(asked.out / "seeds.json", found)


if __name__ == "__main__":
    main()
