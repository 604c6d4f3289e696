"""Information in hidden states beside a plain transcription of the released scheme, on one core.

    python benchmarks/information.py --out benchmarks/results/information.json [--texts FILE]

The transcription (``tests/reference/information.py``) is that of the code that came with the paper: Adam with a step
of 0.01 on a squashed σ, one draw a step, one layer and one text at a time. Both seek the σ of every word at the pooled
vector of the bundled model, over the same states, normaliser, λ and cap. The truth is our own search at a quarter of
the usual tolerance and other draws; the error is the largest |log σ / σ_true| of a text's words, averaged over texts.
Seconds are the processor's; ``times_ours`` is the median of pairs of runs, ours and the released scheme by turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

import exegesis
from exegesis.data.examples import read_examples
from exegesis.mech.noise.minimum import Search, minima
from exegesis.mech.noise.spread import components, pieces_of, variances
from exegesis.mech.noise.states import Texts
from exegesis.protocols.insides import site_of
from exegesis.questions.inside.information import Measure

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.reference.information import released

SENTENCES = (
    "The fight scenes are fun but it grows tedious .",
    "A rare bird with more than enough charm to make it memorable .",
    "It is a dull and long film that never comes alive .",
)
RATE, CAP, PAIRS = Measure().rate, 10.0, {150: 3, 1500: 1}  # pairs of runs of each text for so many steps


def measured(texts: Texts, site: Any, allowed: torch.Tensor, cap: float, search: Search) -> tuple[torch.Tensor, float]:
    start = time.process_time()
    (found,) = minima(texts, [site], allowed[None], cap, search)
    return found.sigma, time.process_time() - start


def against_released(model: Any, read: list[Any], layer: str) -> dict[str, Any]:
    errors: dict[str, list[float]] = {"ours": [], **{f"released, {steps} steps": [] for steps in PAIRS}}
    seconds: dict[str, list[float]] = {name: [] for name in errors}
    ratios: dict[str, list[float]] = {name: [] for name in errors}
    for text in read:
        batch = model.encode([text])
        site = site_of(layer, model.sites(batch))
        texts, pool = Texts.of(model, batch), pieces_of(read)
        allowed = RATE * variances(texts, [site], pool, 512, 0)[0][0]
        cap = CAP * components(texts, pool)
        truth, _ = measured(texts, site, allowed, cap, Search(pairs=1024, most=4096, tolerance=0.005, seed=99))
        ours, _ = measured(texts, site, allowed, cap, Search())
        errors["ours"].append(float((ours / truth).log().abs().max()))

        def state(x: torch.Tensor, batch: Any = batch, site: Any = site) -> torch.Tensor:
            (one,) = model.states_from(x[None], batch, [site])
            return one.flatten()

        for steps, pairs in PAIRS.items():
            name = f"released, {steps} steps"
            for _ in range(pairs):
                _, took = measured(texts, site, allowed, cap, Search())
                start = time.process_time()
                sigma = released(state, texts.vectors[0], float(allowed[0]), cap, steps)
                spent = time.process_time() - start
                seconds["ours"].append(took)
                seconds[name].append(spent)
                ratios[name].append(spent / took)
            errors[name].append(float((sigma.double() / truth[0]).log().abs().max()))
    return {
        name: {
            "seconds_per_text_and_layer": statistics.mean(seconds[name]),
            "worst_log_error": statistics.mean(errors[name]),
            "times_ours": statistics.median(ratios[name] or [1.0]),
            "least_and_most_times": [min(ratios[name] or [1.0]), max(ratios[name] or [1.0])],
            "pairs": len(ratios[name]),
        }
        for name in errors
    }


def growth(model: Any, raws: list[str]) -> dict[str, float]:
    """Seconds of whole calls as texts, words and layers grow."""

    def timed(texts: list[str], layers: str) -> float:
        start = time.process_time()
        exegesis.information(model, texts, layers, reference=raws)
        return time.process_time() - start

    long = " ".join(raws[:3])
    return {
        "one text, pooled": timed(raws[:1], "pooled"),
        "one text, all layers": timed(raws[:1], "all"),
        "eight texts of one length, pooled": timed(raws[:1] * 8, "pooled"),
        "a text of three times as many words, pooled": timed([long], "pooled"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", help="a file of texts instead of the three sentences")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = exegesis.load()
    raws = [str(one.text) for one in read_examples(given.texts)] if given.texts else list(SENTENCES)
    read = [model.read(raw) for raw in raws]
    found = {"model": model.name, "rate": RATE, "texts": len(raws), "layer": "pooled"}
    found["beside the released scheme"] = against_released(model, read, "pooled")
    found["growth, seconds"] = growth(model, raws)
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    print(given.out.read_text())


if __name__ == "__main__":
    main()
