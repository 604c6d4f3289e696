"""Are explanations of hidden states coherent across layers and across models (Guan et al. 2019, Figures 3 and 4)?

    python experiments/information/coherence.py MODEL --kind layers --data sst2/test.tsv --texts 10 --out OUT
    python experiments/information/coherence.py MODEL MODEL ... --kind models --data sst2/test.tsv --texts 10 --out OUT

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

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau

import exegesis
from exegesis.mech.noise.spread import pieces_of
from exegesis.protocols.batch import filled

sys.path.insert(0, str(Path(__file__).parent))
from baselines import BASELINES, saliency
from corpus import Rows, arguments, interval, sentences, write
from drawings import draw_maps

METHODS = ("information", *BASELINES)


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
    return {name: interval(values) for name, values in rows.items()}


def main() -> None:
    """Make the maps that are missing, then the numbers and the picture."""
    parser = arguments(__doc__)
    parser.add_argument("--kind", choices=("layers", "models"), required=True)
    asked = parser.parse_args()
    texts, reference = sentences(asked)
    by_layer = asked.kind == "layers"
    layers = "all" if by_layer else "pooled"
    kept, found = Rows(asked.out / f"{asked.kind}.jsonl"), dict[str, list[dict[str, Any]]]()
    for folder in asked.models[:1] if by_layer else asked.models:
        model = exegesis.load(folder)
        mean = mean_vector(model, reference)
        found[folder.name] = kept.measure(
            folder.name, texts, lambda raw, model=model, mean=mean: maps(model, raw, layers, reference, mean)
        )
    names, rows = list(found), [row for own in found.values() for row in own]
    answer: dict[str, Any] = {"texts": len(texts), "models": names}
    shown: dict[str, np.ndarray] = {}
    for method in METHODS:
        stacks = [np.concatenate([np.array(row[method]) for row in one]) for one in zip(*found.values(), strict=True)]
        answer[method], shown[method] = numbers(stacks), stacks[0]
        answer[method]["mean values"] = np.mean([stack.mean(1) for stack in stacks], 0).tolist()
    states = [state for row in rows for layer in row["states"] for state in layer]
    answer["words with a certified minimum"] = states.count("minimum") / len(states)
    write(asked.out / f"{asked.kind}.json", answer)
    labels = list(rows[0]["layers"]) if by_layer else names
    draw_maps(asked.out / f"{asked.kind}.svg", labels, rows[0]["words"], shown)


if __name__ == "__main__":
    main()
