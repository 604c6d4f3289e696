"""Explain an LSTM of your own: an ordinary nn.Module over packed sequences, trained here in seconds on made-up reviews.

pip install exegesis
python examples/own_lstm.py [why.html]
"""

import random
import sys

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import exegesis

THINGS = ["soup", "room", "view", "bed", "waiter", "garden", "price", "street"]
GOOD = ["lovely", "fresh", "quiet", "friendly", "clean", "perfect"]
BAD = ["awful", "stale", "noisy", "rude", "dirty", "broken"]
WORDS = ["<pad>", "<unk>", "the", "was", "is", "and", "but", "not", "very", *THINGS, *GOOD, *BAD]


class MyLSTM(nn.Module):
    """Nothing here knows of Exegesis."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 24, padding_idx=0)
        self.lstm = nn.LSTM(24, 32, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.output = nn.Linear(32, 2)

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(self.embedding(ids), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (state, _) = self.lstm(packed)
        return self.output(self.dropout(state[-1]))


def review(draw: random.Random) -> tuple[list[str], int]:
    """One to three judgements; the last one decides. "not" turns a judgement round."""
    words: list[str] = []
    label = 0
    for number in range(draw.randint(1, 3)):
        good, negated = draw.random() < 0.5, draw.random() < 0.3
        adjective = draw.choice(GOOD if good else BAD)
        joint = [draw.choice(["and", "but"])] if number else []
        words += [*joint, "the", draw.choice(THINGS), "was", *(["not"] if negated else []), adjective]
        label = int(good != negated)
    return words, label


def train(module: nn.Module, steps: int = 400) -> float:
    """Train on made-up reviews; gives the accuracy on fresh ones."""
    draw = random.Random(0)
    optimizer = torch.optim.Adam(module.parameters(), lr=5e-3)

    def batch(size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        reviews = [review(draw) for _ in range(size)]
        lengths = torch.tensor([len(words) for words, _ in reviews])
        ids = torch.zeros(size, int(lengths.max()), dtype=torch.long)
        for row, (words, _) in enumerate(reviews):
            ids[row, : len(words)] = torch.tensor([WORDS.index(word) for word in words])
        return ids, lengths, torch.tensor([label for _, label in reviews])

    for _ in range(steps):
        ids, lengths, labels = batch(32)
        loss = nn.functional.cross_entropy(module(ids, lengths), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
    module.eval()
    with torch.no_grad():
        ids, lengths, labels = batch(1000)
        return float((module(ids, lengths).argmax(1) == labels).float().mean())


def main() -> None:
    torch.manual_seed(0)
    module = MyLSTM()
    print(f"accuracy on 1,000 fresh reviews: {train(module):.1%}")

    model = exegesis.wrap(module, vocabulary=WORDS, labels=["bad", "good"])
    text = "the soup was lovely but the waiter was not friendly"
    methods = ("reat", "integrated-gradients", "leave-one-out")
    results = [exegesis.explain(model, text, method, target="bad", level="clause") for method in methods]
    for result in results:
        scores = "  ".join(f"{row.text} {row.score:+.2f}" for row in result.rows())
        print(f"{result.name}: {result.target} is {result.explained:.2f}\n  {scores}")
    where = exegesis.save(results, sys.argv[1] if len(sys.argv) > 1 else "why.html")
    print(f"wrote {where}")


if __name__ == "__main__":
    main()
