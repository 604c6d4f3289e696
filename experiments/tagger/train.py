"""Trains the bundled tagger on EWT and writes config.json and model.safetensors.

    python experiments/tagger/train.py --data FOLDER --out src/exegesis/models/bundled/tagger \\
        --vectors FOLDER/word-vectors/glove.twitter.25d.11925.txt
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import ewt
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from exegesis.nn.tag_network import TagNetwork, features


@dataclass
class Trainer:
    network: TagNetwork
    tags: list[str]
    rows: int

    def batch(self, sentences: Sequence[ewt.Sentence]) -> tuple[Tensor, list[int], Tensor]:
        lengths = [len(sentence.words) for sentence in sentences]
        longest, number = max(lengths), {tag: at for at, tag in enumerate(self.tags)}
        pad = (0,) * len(features("", self.rows))
        rows = [[features(w, self.rows) for w in s.words] + [pad] * (longest - len(s.words)) for s in sentences]
        gold = [[number.get(t, -1) for t in s.tags] + [-1] * (longest - len(s.words)) for s in sentences]
        return torch.tensor(rows), lengths, torch.tensor(gold)

    @torch.no_grad()
    def accuracy(self, sentences: Sequence[ewt.Sentence]) -> float:
        self.network.eval()
        right = total = 0
        for at in range(0, len(sentences), 64):
            part = sentences[at : at + 64]
            inputs, lengths, gold = self.batch(part)
            right += int((self.network(inputs, lengths).argmax(-1) == gold)[gold >= 0].sum())
            total += sum(lengths)
        return right / total


def batches(sentences: list[ewt.Sentence], size: int, rng: random.Random) -> Iterator[list[ewt.Sentence]]:
    """One pass in random order; sentences of like length share a batch."""
    order = sorted(sentences, key=lambda s: len(s.words) + rng.random() * 4)
    parts = [order[at : at + size] for at in range(0, len(order), size)]
    rng.shuffle(parts)
    yield from ([ewt.augment(sentence, rng) for sentence in part] for part in parts)


def hide_words(inputs: Tensor, chance: float) -> Tensor:
    """Some words lose their own two features (row 0 instead), so that spelling must serve for them."""
    hidden = torch.rand(inputs.shape[:2]) < chance
    inputs = inputs.clone()
    inputs[..., :2][hidden] = 0
    return inputs


@torch.no_grad()
def begin_with(table: Tensor, path: Path) -> None:
    """Word vectors, scaled, into the rows of the words' first feature, as far as the width goes."""
    for line in reversed(path.read_text(encoding="utf-8").split("\n")):  # the more frequent word wins a shared row
        word, *numbers = line.split(" ")
        if numbers:
            vector = torch.tensor([float(number) for number in numbers])[: table.shape[1]]
            row = features(word, table.shape[0])[0]
            table[row, : len(vector)] = vector * 0.2


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    sentences, dev = ewt.split(args.data, "train"), ewt.split(args.data, "dev")
    dev = dev + [sentence.lower() for sentence in dev]
    tags = sorted({tag for sentence in sentences for tag in sentence.tags})
    network = TagNetwork(args.rows, args.width, args.hidden, len(tags), args.dropout)
    nn.init.normal_(network.table.weight, std=0.1)
    if args.vectors:
        begin_with(network.table.weight, args.vectors)
    trainer = Trainer(network, tags, args.rows)
    mean = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998))
    averaged = Trainer(mean.module, tags, args.rows)
    optimizer = torch.optim.AdamW(network.parameters(), lr=args.rate, weight_decay=args.decay)
    steps = args.epochs * (len(sentences) // args.batch + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.rate, total_steps=steps + 1, pct_start=0.1)
    loss_of, best = nn.CrossEntropyLoss(ignore_index=-1, label_smoothing=args.smoothing), 0.0
    for epoch in range(args.epochs):
        begun = time.perf_counter()
        network.train()
        for part in batches(sentences, args.batch, rng):
            inputs, lengths, gold = trainer.batch(part)
            loss = loss_of(network(hide_words(inputs, args.hide), lengths).flatten(0, 1), gold.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            mean.update_parameters(network)
        score = averaged.accuracy(dev)
        if score > best:
            best = score
            save(args, mean.module, tags)
        seconds = round(time.perf_counter() - begun, 1)
        print(json.dumps({"epoch": epoch, "dev": round(score, 5), "seconds": seconds}), flush=True)


def save(args: argparse.Namespace, network: nn.Module, tags: list[str]) -> None:
    """Weights in half precision beside the sizes and tags that rebuild the network."""
    args.out.mkdir(parents=True, exist_ok=True)
    config = {"rows": args.rows, "width": args.width, "hidden": args.hidden, "tags": tags}
    (args.out / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    weights = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, args.out / "model.safetensors")
    (args.out / "model.safetensors").chmod(0o644)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with ewt/ in it (default: EXEGESIS_DATA)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vectors", type=Path, help="word vectors (a word and its numbers a line) to begin with")
    parser.add_argument("--rows", type=int, default=50000)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--hidden", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.005)
    parser.add_argument("--decay", type=float, default=0.0)
    parser.add_argument("--dropout", type=float, default=0.4)
    parser.add_argument("--hide", type=float, default=0.1, help="chance that a word is known by its spelling only")
    parser.add_argument("--smoothing", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    train(arguments())
