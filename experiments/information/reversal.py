"""Across time steps: what the last hidden layer of a model that reverses sequences holds (Guan et al. 2019, Sec. 4.1).

    python experiments/information/reversal.py --out experiments/information

A two-layer LSTM with attention learns to reverse sequences of four letters. The word that each step of the decoder must
look up is known, so a saliency map can be scored: ``largest`` is how often its largest value among the words that were
read stands at that word, ``above`` how many of the other words have a smaller value (chance is 0.5). The information
that the layer holds stands beside the paper's baselines (``baselines.py``), with 95 % intervals over sequences. Writes
``reversal-RATE.json`` and the maps of one sequence as ``reversal-RATE.svg`` (Figure 2).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import exegesis
from exegesis.statistics.bootstrap import spread

sys.path.insert(0, str(Path(__file__).parent))
from baselines import BASELINES, saliency
from coherence import draw, mean_vector

VOCABULARY = ["<pad>", "<unk>", "<sos>", "<eos>", "a", "b", "c", "d"]
SOS, EOS, LETTERS = 2, 3, range(4, 8)
WIDTH, STEPS, LENGTHS, SHOWN = 32, 1500, (3, 4, 5), 5


class Reverser(nn.Module):
    """Two layers of LSTM that read, two that write, and attention of each written step on the steps read.

    A text is ``<sos> a b c <eos> <sos> c b``; the outputs are the next letter.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), 16)
        self.encoder = nn.LSTM(16, WIDTH, 2, batch_first=True)
        self.decoder = nn.LSTM(16, WIDTH, 2, batch_first=True)
        self.key, self.joined = nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(2 * WIDTH, WIDTH)
        self.output = nn.Linear(WIDTH, len(VOCABULARY))

    def steps(self, vectors: Tensor, read: int) -> Tensor:
        """The hidden layer at every step that is written, when ``read`` words are read first."""
        seen, state = self.encoder(vectors[:, :read])
        written = self.decoder(vectors[:, read:], state)[0] if read < vectors.shape[1] else seen[:, -1:]
        weights = torch.softmax(self.key(written) @ seen.transpose(1, 2), -1)
        return torch.tanh(self.joined(torch.cat([written, weights @ seen], -1)))

    def forward(self, ids: Tensor) -> Tensor:
        vectors = self.embedding(ids)
        ends = [(row == EOS).nonzero()[:1].flatten().tolist() or [len(row) // 2] for row in ids]
        last = {}
        for read in sorted({end[0] + 1 for end in ends}):
            rows = [number for number, end in enumerate(ends) if end[0] + 1 == read]
            last.update(zip(rows, self.steps(vectors[rows], read)[:, -1], strict=True))
        return self.output(torch.stack([last[row] for row in range(len(ids))]))


def trained(seed: int) -> tuple[Reverser, float]:
    """A trained module, and the share of next letters that it gets right on new sequences."""
    torch.manual_seed(seed)
    draw, module = random.Random(seed), Reverser()
    adam = torch.optim.Adam(module.parameters(), lr=3e-3)

    def batch(length: int, rows: int) -> tuple[Tensor, Tensor]:
        letters = torch.tensor([[draw.choice(LETTERS) for _ in range(length)] for _ in range(rows)])
        sos, eos = torch.full((rows, 1), SOS), torch.full((rows, 1), EOS)
        turned = letters.flip(1)
        return torch.cat([sos, letters, eos, sos, turned[:, :-1]], 1), turned

    for _ in range(STEPS):
        length = draw.choice(LENGTHS)
        ids, goal = batch(length, 64)
        logits = module.output(module.steps(module.embedding(ids), length + 2))
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), goal.flatten())
        adam.zero_grad()
        loss.backward()
        adam.step()
    with torch.no_grad():
        ids, goal = batch(max(LENGTHS), 500)
        right = module.output(module.steps(module.embedding(ids), max(LENGTHS) + 2)).argmax(-1) == goal
    return module.eval(), float(right.float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sequences", type=int, default=10)
    parser.add_argument("--rate", type=float, default=0.0001, help="K λ")
    given = parser.parse_args()
    torch.set_num_threads(1)
    module, accuracy = trained(0)
    model = exegesis.wrap(module, vocabulary=VOCABULARY, tokenizer=str.split, labels=VOCABULARY, name="reverser")
    draws = random.Random(7)
    sequences = [[VOCABULARY[draws.choice(LETTERS)] for _ in range(SHOWN)] for _ in range(given.sequences)]
    every = [" ".join(["<sos>", *s, "<eos>", "<sos>", *s[::-1][:step]]) for s in sequences for step in range(SHOWN)]
    mean, inside = mean_vector(model, every), slice(1, SHOWN + 1)
    largest: dict[str, list[float]] = {name: [] for name in ("information", *BASELINES)}
    above: dict[str, list[float]] = {name: [] for name in largest}
    owners, states = list[int](), list[str]()
    first: dict[str, list[np.ndarray]] = {name: [] for name in largest}
    for step in range(SHOWN):
        raws = [" ".join(["<sos>", *s, "<eos>", "<sos>", *s[::-1][:step]]) for s in sequences]
        found = exegesis.information(model, raws, "pooled", rate=given.rate, reference=every)
        for number, (raw, one) in enumerate(zip(raws, found, strict=True)):
            values = {"information": one.kept[0]}
            for kind in BASELINES:
                values[kind] = saliency(model, raw, "pooled", kind, one.variance[0], mean)
            aligned = SHOWN - 1 - step
            for name, all_words in values.items():
                read = all_words[inside]
                others = np.delete(read, aligned)
                largest[name].append(float(np.argmax(read) == aligned))
                above[name].append(float((others < read[aligned]).mean() + 0.5 * (others == read[aligned]).mean()))
                if number == 0:
                    first[name].append(np.pad(all_words, (0, 2 * SHOWN + 2 - len(all_words))))
            owners.append(number)
            states.extend(one.states[0])
    scores: dict[str, dict[str, list[float]]] = {}
    for title, kinds in (("largest", largest), ("above", above)):
        for name, values_of in kinds.items():
            one_spread = spread(np.array(values_of), np.array(owners), 2000, 0)
            scores.setdefault(name, {})[title] = [one_spread.mean, one_spread.mean_low, one_spread.mean_high]
    answer: dict[str, Any] = {
        "accuracy of the next letter": accuracy,
        "sequences": given.sequences,
        "length": SHOWN,
        "at the word to look up": scores,
        "found for words": {state: states.count(state) for state in sorted(set(states))},
        "rate": given.rate,
    }
    (given.out / f"reversal-{given.rate:g}.json").write_text(json.dumps(answer, indent=1) + "\n")
    words = every[SHOWN - 1].split()
    maps = {name: np.stack(rows)[:, : len(words)] for name, rows in first.items()}
    draw(given.out / f"reversal-{given.rate:g}.svg", [f"step {step + 1}" for step in range(SHOWN)], words, maps)
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
