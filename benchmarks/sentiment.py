"""What the benchmarks share: a trained classifier of sentiment, timing of pairs, saved figures.

The model is an LSTM classifier (300 wide, hidden 150, last state), trained for a few epochs of SST-2 with a fixed seed,
so that numbers are those of a real model.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import exegesis
from exegesis.data.examples import read_examples
from exegesis.models.text.vocabulary import Vocabulary

BATCH = 64


class Lstm(nn.Module):
    """A user's classifier: nothing of Exegesis in it."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 300)
        self.lstm = nn.LSTM(300, 150, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(150, 2)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        states, _ = self.lstm(self.embedding(ids))
        last = states[torch.arange(len(ids)), lengths - 1]
        return self.output(self.dropout(last))

    def from_vectors(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        states, _ = self.lstm(vectors)
        return self.output(self.dropout(states[torch.arange(len(vectors)), lengths - 1]))


def train(module: Lstm, model: Any, data: Path, epochs: int) -> None:
    examples = read_examples(data / "sst2" / "train.tsv")
    texts = [model.read(e.text) for e in examples]
    gold = torch.tensor([int(e.label or 0) for e in examples])
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    module.train()
    for _ in range(epochs):
        order = sorted(torch.randperm(len(texts), generator=generator).tolist(), key=lambda i: len(texts[i]) // 4)
        runs = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
        for number in torch.randperm(len(runs), generator=generator).tolist():
            batch = model.encode([texts[i] for i in runs[number]])
            loss = nn.functional.cross_entropy(module(batch.ids, batch.lengths), gold[runs[number]])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    module.eval()


def paired(ours: Callable[[], Any], theirs: Callable[[], Any], runs: int) -> dict[str, float]:
    """Median seconds of both and the median ratio theirs / ours, runs alternating, one warm-up each."""
    times: list[tuple[float, float]] = []
    for run in range(runs + 1):
        pair = []
        for call in (ours, theirs):
            start = time.perf_counter()
            call()
            pair.append(time.perf_counter() - start)
        if run:
            times.append((pair[0], pair[1]))
    return {
        "ours_s": statistics.median(a for a, _ in times),
        "theirs_s": statistics.median(b for _, b in times),
        "theirs_over_ours": statistics.median(b / a for a, b in times),
    }


def trained(data: Path, epochs: int) -> tuple[Lstm, Any]:
    """The module, and the same wrapped; all threads that there are."""
    torch.manual_seed(0)
    torch.set_num_threads(min(torch.get_num_threads(), os.cpu_count() or 1))
    vocabulary = Vocabulary.from_texts([str(e.text) for e in read_examples(data / "sst2" / "train.tsv")])
    module = Lstm(len(vocabulary))
    module.eval()
    model = exegesis.wrap(module, vocabulary=vocabulary, labels=["negative", "positive"])
    train(module, model, data, epochs)
    return module, model


def heading() -> dict[str, Any]:
    return {
        "date": date.today().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {platform.python_version()}",
    }


def report(found: dict[str, Any], out: str | None) -> None:
    """Print the figures, and keep them."""
    for name, values in found.items():
        if isinstance(values, dict):
            print(f"\n{name}")
            for key, value in values.items():
                print(f"  {key:32} {value:.4g}" if isinstance(value, float) else f"  {key:32} {value}")
        else:
            print(f"{name:10} {values}")
    if out:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        Path(out).write_text(json.dumps(found, indent=2) + "\n")
