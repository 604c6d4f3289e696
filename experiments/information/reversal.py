"""Across time steps: what the last hidden layer of a model that reverses sequences holds (Guan et al. 2019, Sec. 4.1).

    python experiments/information/reversal.py --out experiments/information

A two-layer LSTM with attention learns to reverse sequences of four letters. The word that each step of the decoder must
look up is known, so it can be counted how often a saliency map's largest value among the encoder's words stands at it:
for the information that the layer holds, and for the mean absolute gradient of the layer (the paper's baseline), with
95 % intervals over sequences. Writes ``reversal-RATE.json`` and the map of one sequence as
``reversal-RATE.svg``.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import exegesis
from exegesis.protocols.insides import site_of
from exegesis.statistics.bootstrap import spread

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


def gradients(model: Any, raw: str) -> np.ndarray:
    """The mean absolute derivative of the pooled vector by each word's vector."""
    batch = model.encode([model.read(raw)])
    site = site_of("pooled", model.sites(batch))
    vectors = model.embed(batch).repeat(WIDTH, 1, 1).requires_grad_()
    (state,) = model.states_from(vectors, batch.take(torch.zeros(WIDTH, dtype=torch.long)), [site])
    (slope,) = torch.autograd.grad(state[:, 0].diagonal().sum(), vectors)
    return slope.abs().mean((0, 2)).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sequences", type=int, default=10)
    parser.add_argument("--rate", type=float, default=0.01, help="K λ")
    given = parser.parse_args()
    torch.set_num_threads(1)
    module, accuracy = trained(0)
    model = exegesis.wrap(module, vocabulary=VOCABULARY, tokenizer=str.split, labels=VOCABULARY, name="reverser")
    draw = random.Random(7)
    sequences = [[VOCABULARY[draw.choice(LETTERS)] for _ in range(SHOWN)] for _ in range(given.sequences)]
    hits: dict[str, list[float]] = {"information": [], "gradient": []}
    owners, example, states = list[int](), [], list[str]()
    for step in range(SHOWN):
        raws = [" ".join(["<sos>", *s, "<eos>", "<sos>", *s[::-1][:step]]) for s in sequences]
        found = exegesis.information(model, raws, "pooled", rate=given.rate, most=128)
        example.append(found[0])
        for number, (raw, one) in enumerate(zip(raws, found, strict=True)):
            inside, aligned = slice(1, SHOWN + 1), SHOWN - 1 - step
            hits["information"].append(float(np.argmax(one.kept[0, inside]) == aligned))
            hits["gradient"].append(float(np.argmax(gradients(model, raw)[inside]) == aligned))
            owners.append(number)
            states.extend(one.states[0])
    scores = {}
    for name, values in hits.items():
        one = spread(np.array(values), np.array(owners), 2000, 0)
        scores[name] = {"aligned": one.mean, "low": one.mean_low, "high": one.mean_high}
    answer = {
        "accuracy of the next letter": accuracy,
        "sequences": given.sequences,
        "length": SHOWN,
        "chance": 1 / SHOWN,
        "largest at the word to look up": scores,
        "found for words": {state: states.count(state) for state in sorted(set(states))},
        "rate": example[0].rate,
    }
    (given.out / f"reversal-{given.rate:g}.json").write_text(json.dumps(answer, indent=1) + "\n")
    exegesis.save(example[-1:], given.out / f"reversal-{given.rate:g}.svg")
    print(json.dumps(answer, indent=1))
    for one in example:
        print(" ".join(f"{word}({kept:.2f})" for word, kept in zip(one.words, one.kept[0], strict=True)))


if __name__ == "__main__":
    main()
