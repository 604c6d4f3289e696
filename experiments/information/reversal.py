"""Across time steps: what the last hidden layer of a model that reverses sequences holds (Guan et al. 2019, Sec. 4.1).

    python experiments/information/reversal.py --out experiments/information

An encoder-decoder of two layers with attention (``exegesis train --arch encoder-decoder``) learns to reverse sequences
of four letters. The word that each step of the decoder must look up is known, so a saliency map can be scored:
``largest`` is how often its largest value among the words that were read stands at that word, ``above`` how many of the
other words have a smaller value (chance is 0.5). The information that the layer holds stands beside the paper's
baselines (``baselines.py``), with 95 % intervals over sequences. Writes ``reversal-RATE.json`` and the maps of one
sequence as ``reversal-RATE.svg`` (Figure 2).
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

import exegesis
from exegesis.data.examples import Example
from exegesis.data.steps import steps_of
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.folder import save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train

sys.path.insert(0, str(Path(__file__).parent))
from baselines import BASELINES, saliency
from coherence import mean_vector
from corpus import interval, write
from drawings import draw_maps

LETTERS, LENGTHS, SHOWN = "abcd", (3, 4, 5), 5


def trained(seed: int) -> tuple[Any, float]:
    """A model that learned to reverse, and the share of next letters that it gets right on sequences kept apart."""
    every = ["".join(one) for length in LENGTHS for one in itertools.product(LETTERS, repeat=length)]
    random.Random(seed).shuffle(every)
    examples = [Example.of(" ".join(one), " ".join(one[::-1])) for one in every]
    parts = [steps_of(part) for part in (examples[:-400], examples[-400:-300], examples[-300:])]
    config = RecurrentConfig("lstm", layers=2, embedding=16, hidden=32, readout="decoder", dropout=0.0)
    result = train(*parts, config=config, options=TrainOptions(epochs=8, lr=3e-3, seed=seed))
    assert result.test is not None
    with TemporaryDirectory() as folder:
        save_folder(Path(folder) / "reverser", result.model, "# reverser\n")
        return exegesis.load(Path(folder) / "reverser"), result.test.accuracy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sequences", type=int, default=10)
    parser.add_argument("--rate", type=float, default=0.0001, help="K λ")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model, accuracy = trained(0)
    draws = random.Random(7)
    sequences = [[draws.choice(LETTERS) for _ in range(SHOWN)] for _ in range(given.sequences)]
    every = [steps_of([Example.of(" ".join(s), " ".join(s[::-1]))])[:SHOWN] for s in sequences]
    reference = [step.text for steps in every for step in steps]
    mean = mean_vector(model, reference)
    largest: dict[str, list[float]] = {name: [] for name in ("information", *BASELINES)}
    above: dict[str, list[float]] = {name: [] for name in largest}
    owners, states = list[int](), list[str]()
    first: dict[str, list[np.ndarray]] = {name: [] for name in largest}
    for step in range(SHOWN):
        raws = [steps[step].text for steps in every]
        found = exegesis.information(model, raws, "pooled", rate=given.rate, reference=reference)
        for number, (raw, one) in enumerate(zip(raws, found, strict=True)):
            values = {"information": one.kept[0]}
            for kind in BASELINES:
                values[kind] = saliency(model, raw, "pooled", kind, one.variance[0], mean)
            aligned = SHOWN - 1 - step
            for name, all_words in values.items():
                read = all_words[:SHOWN]
                others = np.delete(read, aligned)
                largest[name].append(float(np.argmax(read) == aligned))
                above[name].append(float((others < read[aligned]).mean() + 0.5 * (others == read[aligned]).mean()))
                if number == 0:
                    first[name].append(np.pad(all_words, (0, 2 * SHOWN - len(all_words))))
            owners.append(number)
            states.extend(one.states[0])
    scores: dict[str, dict[str, list[float]]] = {}
    for title, kinds in (("largest", largest), ("above", above)):
        for name, values_of in kinds.items():
            scores.setdefault(name, {})[title] = interval(values_of, owners)
    answer: dict[str, Any] = {
        "accuracy of the next letter": accuracy,
        "sequences": given.sequences,
        "length": SHOWN,
        "at the word to look up": scores,
        "found for words": {state: states.count(state) for state in sorted(set(states))},
        "rate": given.rate,
    }
    write(given.out / f"reversal-{given.rate:g}.json", answer)
    words = " ".join(every[0][SHOWN - 1].text).split()
    maps = {name: np.stack(rows) for name, rows in first.items()}
    draw_maps(given.out / f"reversal-{given.rate:g}.svg", [f"step {step + 1}" for step in range(SHOWN)], words, maps)


if __name__ == "__main__":
    main()
