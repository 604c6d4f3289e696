"""Are explanations of hidden states coherent across layers and across models (Guan et al. 2019, Figures 3 and 4)?

    python experiments/information/coherence.py layers MODEL --data sst2/test.tsv --texts 10 --out OUT
    python experiments/information/coherence.py models MODEL MODEL ... --data sst2/test.tsv --texts 10 --out OUT

``layers`` asks of one model's layers, ``models`` of the last layer of models whose L2 penalty grows in the order given.
What the paper shows by eye becomes numbers for the information and the four baselines (``baselines.py``), means over
texts with 95 % intervals of a bootstrap:

- ``falls``: how often a word's value falls from one layer (model) to the next; 0.5 is chance;
- ``trend``: Kendall's τ of a layer's (model's) number and its mean value; -1 where every step falls;
- ``scale``: the largest mean value of a layer (model) over the least; 1 where they compare directly.

That information falls is the paper's finding, no identity. Every map goes to OUT/KIND.jsonl at once, and the same
command goes on where it was interrupted; OUT/KIND.json has the numbers, OUT/KIND.svg the maps of one text.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau

import exegesis
from exegesis.mech.noise.spread import pieces_of
from exegesis.protocols.batch import filled
from exegesis.statistics.bootstrap import spread

sys.path.insert(0, str(Path(__file__).parent))
from baselines import BASELINES, saliency

METHODS = ("information", *BASELINES)
DRAWS = 2000


def maps(model: Any, raw: str, layers: str, reference: list[str], mean: torch.Tensor) -> dict[str, Any]:
    """The values of every method for every layer and word of a text."""
    held = exegesis.information(model, raw, layers, reference=reference)
    found: dict[str, Any] = {"words": held.words, "layers": held.layers, "states": held.states}
    found["information"] = held.kept.tolist()
    for kind in BASELINES:
        found[kind] = [
            saliency(model, raw, layer, kind, variance, mean).tolist()
            for layer, variance in zip(held.layers, held.variance, strict=True)
        ]
    return found


def mean_vector(model: Any, reference: list[str]) -> torch.Tensor:
    """The mean vector of the pieces of some texts."""
    ids = pieces_of([model.read(raw) for raw in reference])
    with torch.no_grad():
        return model.embed(filled(ids, len(ids))).flatten(0, 1)[: len(ids)].mean(0)


def numbers(stacks: list[np.ndarray]) -> dict[str, Any]:
    """Of each text's values ``[layer or model, word]``, the three numbers with their intervals."""
    rows = {
        "falls": [float((np.diff(stack, axis=0) < 0).mean()) for stack in stacks],
        "trend": [float(kendalltau(np.arange(len(stack)), stack.mean(1)).statistic) for stack in stacks],
        "scale": [float(stack.mean(1).max() / stack.mean(1).min()) for stack in stacks],
    }
    answer: dict[str, Any] = {}
    for name, values in rows.items():
        one = spread(np.array(values), np.arange(len(values)), DRAWS, 0)
        answer[name] = [one.mean, one.mean_low, one.mean_high]
    return answer


def draw(path: Path, rows: list[str], words: list[str], stacks: dict[str, np.ndarray]) -> None:
    """One map beside the other, each from 0 to its own largest value."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.3 * len(stacks), 0.35 * len(rows) + 1.6), layout="constrained")
    for axis, (name, stack) in zip(figure.subplots(1, len(stacks), sharey=True), stacks.items(), strict=True):
        axis.imshow(stack, cmap="Blues", vmin=0, vmax=max(stack.max(), 1e-12), aspect="auto")
        axis.set_title(name, fontsize=10)
        axis.set_xticks(range(len(words)), words, rotation=70, ha="right", rotation_mode="anchor", fontsize=8)
        axis.set_yticks(range(len(rows)), rows, fontsize=8)
    figure.savefig(path)


def main() -> None:
    """Make the maps that are missing, then the numbers and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("layers", "models"))
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--texts", type=int, default=10)
    parser.add_argument("--longest", type=int, default=20, help="words of a text")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    every = [str(one.text) for one in exegesis.read_examples(asked.data)]
    texts, reference = [raw for raw in every if 8 <= len(raw.split()) <= asked.longest][: asked.texts], every[:100]
    lines = asked.out / f"{asked.kind}.jsonl"
    rows = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    layers = "all" if asked.kind == "layers" else "pooled"
    for folder in asked.models if asked.kind == "models" else asked.models[:1]:
        name = Path(folder).name
        done = {row["number"] for row in rows if row["model"] == name}
        if len(done) >= len(texts):
            continue
        model = exegesis.load(folder)
        mean = mean_vector(model, reference)
        for number, raw in enumerate(texts):
            if number not in done:
                rows.append({"model": name, "number": number, **maps(model, raw, layers, reference, mean)})
                with lines.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    names = list(dict.fromkeys(row["model"] for row in rows))
    answer: dict[str, Any] = {"texts": len(texts), "models": names}
    shown: dict[str, np.ndarray] = {}
    for method in METHODS:
        stacks = [
            np.concatenate([np.array(row[method]) for row in rows if row["number"] == number])
            for number in range(len(texts))
        ]
        answer[method], shown[method] = numbers(stacks), stacks[0]
        answer[method]["mean values"] = np.mean([stack.mean(1) for stack in stacks], 0).tolist()
    states = [state for row in rows for layer in row["states"] for state in layer]
    answer["words with a certified minimum"] = states.count("minimum") / len(states)
    (asked.out / f"{asked.kind}.json").write_text(json.dumps(answer, indent=1) + "\n")
    labels = list(rows[0]["layers"]) if asked.kind == "layers" else names
    draw(asked.out / f"{asked.kind}.svg", labels, rows[0]["words"], shown)
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
