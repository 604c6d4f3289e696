"""Train the small language model that SOC and SCD draw words from.

    python experiments/language-model/train.py --data DATA --out FOLDER

DATA is a folder with ``sst2``, ``sst-trees``, ``sentence-classification``, ``yelp-polarity`` and ``movies-eraser``
(README.md says which parts are read). An interrupted run goes on when the command is given again.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from bigram import Bigram
from corpus import read_sentences
from torch import Tensor
from torch.nn import functional

from exegesis.models.language_models.bundled import ClozeLanguageModel, load_language, save_language
from exegesis.models.language_models.cloze import BLANK, START, STOP, ClozeConfig, ClozeNetwork
from exegesis.models.text.tokenizer import tokenize
from exegesis.models.text.vocabulary import Vocabulary

SPECIAL = (BLANK, START, STOP)


@dataclass(frozen=True)
class Options:
    epochs: int
    batch: int  # words a batch
    lr: float
    seed: int
    cool: int  # steps
    stop: int

    def rate(self, step: int, planned: int) -> float:
        """The rate of a step counted from 0."""
        line = min((step + 1) / 200, 1 - step / planned)
        return self.lr * line if step < self.cool else self.lr * line_at(step, self.cool, self.stop, planned)


def line_at(step: int, cool: int, stop: int, planned: int) -> float:
    return (1 - cool / planned) * (stop - step) / (stop - cool)


def numbered(texts: Sequence[str], vocabulary: Vocabulary) -> list[Tensor]:
    """Each text as numbers, between start and stop token."""
    start, stop = (vocabulary.numbers[token] for token in (START, STOP))
    unknown = vocabulary.unknown or 0
    rows = []
    for text in texts:
        words = [vocabulary.numbers.get(word.string, unknown) for word in tokenize(text)]
        if words:
            rows.append(torch.tensor([start, *words, stop]))
    return rows


def blanked(row: Tensor, blank: int, draw: random.Random) -> Tensor:
    """A copy with words replaced by the blank: in half of the texts none, else a random share or one window."""
    row, words = row.clone(), len(row) - 2
    kind = draw.random()
    if kind < 0.25:
        share = draw.random()
        chosen = [place for place in range(1, words + 1) if draw.random() < share]
        row[chosen] = blank
    elif kind < 0.5:
        start = draw.randint(1, words)
        row[start : min(start + draw.randint(1, 10), words + 1)] = blank
    return row


def batches(rows: Sequence[Tensor], size: int, draw: random.Random | None) -> Iterator[list[int]]:
    """Numbers of rows of like length, about ``size`` words together; in random order where ``draw`` is given."""
    order = sorted(range(len(rows)), key=lambda i: (len(rows[i]), draw.random() if draw else 0.0))
    groups, start = [], 0
    while start < len(order):
        stop = start + max(1, size // len(rows[order[start]]))
        groups.append(order[start:stop])
        start = stop
    if draw:
        draw.shuffle(groups)
    yield from groups


def padded(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
    mirrored = torch.nn.utils.rnn.pad_sequence([row.flip(0) for row in rows], batch_first=True)
    return ids, mirrored, lengths


def words_of(rows: Sequence[Tensor]) -> Tensor:
    return torch.cat([row[1:-1] for row in rows])


@torch.no_grad()
def log_loss(network: ClozeNetwork, rows: Sequence[Tensor], size: int) -> float:
    """Mean negative log probability of a word given all others, in nats; unlisted words count as the unknown one."""
    network.eval()
    total, count = 0.0, 0
    for group in batches(rows, size, None):
        chosen = [rows[i] for i in group]
        wanted = words_of(chosen)
        total += float(functional.cross_entropy(network(*padded(chosen)), wanted, reduction="sum"))
        count += len(wanted)
    network.train()
    return total / count


def save_state(path: Path, network: ClozeNetwork, optimizer: torch.optim.Adam, state: dict[str, float]) -> None:
    fresh = path.with_suffix(".new")
    torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict(), "state": state}, fresh)
    fresh.replace(path)


def run(
    network: ClozeNetwork, rows: list[Tensor], valid: list[Tensor], options: Options, blank: int, path: Path
) -> None:
    """Adam; the state is saved every 200 steps.

    The rate rises over 200 steps and falls along a straight line that would reach zero at the end of the epochs; from
    step ``options.cool`` on it falls faster, to zero at step ``options.stop``.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=options.lr, betas=(0.9, 0.98))
    plans = [list(batches(rows, options.batch, random.Random(f"{options.seed} {e}"))) for e in range(options.epochs)]
    plan = [(epoch, group) for epoch, groups in enumerate(plans) for group in groups]
    done, seconds = 0, 0.0
    if path.exists():
        kept = torch.load(path, weights_only=True)
        network.load_state_dict(kept["network"])
        optimizer.load_state_dict(kept["optimizer"])
        done, seconds = int(kept["state"]["done"]), kept["state"]["seconds"]
    start, running = time.perf_counter() - seconds, math.nan
    last = min(options.stop, len(plan))
    for step in range(done, last):
        torch.manual_seed(options.seed * 1_000_003 + step)
        draw = random.Random(f"{options.seed} step {step}")
        for group in optimizer.param_groups:
            group["lr"] = options.rate(step, len(plan))
        chosen = [rows[i] for i in plan[step][1]]
        logits = network(*padded([blanked(row, blank, draw) for row in chosen]))
        loss = functional.cross_entropy(logits, words_of(chosen))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        running = loss.item() if math.isnan(running) else 0.99 * running + 0.01 * loss.item()
        if (step + 1) % 200 == 0 or step + 1 == last:
            save_state(path, network, optimizer, {"done": step + 1, "seconds": time.perf_counter() - start})
            told = (step + 1) % 1000 == 0 or step + 1 == last
            held = f", held out {log_loss(network, valid, options.batch):.4f}" if told else ""
            took = time.perf_counter() - start
            print(f"step {step + 1} of {last}: loss {running:.4f}{held}, {took:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--cool", type=int, default=7_800, help="step from which the rate falls faster")
    parser.add_argument("--stop", type=int, default=8_600, help="the last step")
    parser.add_argument("--batch", type=int, default=1024, help="words a batch")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sentences = read_sentences(given.data, given.seed)
    vocabulary = Vocabulary.from_texts(sentences.train, limit=10_000 - 2 - len(SPECIAL), extra=SPECIAL)
    rows = numbered(sentences.train, vocabulary)
    valid = numbered(sentences.valid, vocabulary)
    print(sentences.counts, len(rows), "texts", sum(len(row) - 2 for row in rows), "words", flush=True)
    torch.manual_seed(given.seed)
    network = ClozeNetwork(ClozeConfig(vocabulary=len(vocabulary)))
    options = Options(given.epochs, given.batch, given.lr, given.seed, given.cool, given.stop)
    given.out.mkdir(parents=True, exist_ok=True)
    run(network, rows, valid, options, vocabulary.numbers[BLANK], given.out / "state.pt")
    save_language(given.out / "model", ClozeLanguageModel(network, vocabulary))
    stored = load_language(given.out / "model").network  # float16 on the disk
    bigram = Bigram.fit(rows, valid, len(vocabulary))
    dev = numbered(sentences.dev, vocabulary)
    parts = {"held-out sentences": valid, "SST-2 development sentences": dev}
    unknown = vocabulary.unknown or 0
    numbers = {
        "sentences": sentences.counts,
        "training sentences": len(rows),
        "training words": sum(len(row) - 2 for row in rows),
        "weights": sum(weight.numel() for weight in network.parameters()),
        "add-k": bigram.k,
        "perplexity": {
            name: {
                "words": len(words_of(part)),
                "unlisted": float((words_of(part) == unknown).double().mean()),
                "cloze": math.exp(log_loss(stored, part, options.batch)),
                "bigram": math.exp(bigram.log_loss(part)),
            }
            for name, part in parts.items()
        },
    }
    (given.out / "numbers.json").write_text(json.dumps(numbers, indent=1) + "\n")
    print(json.dumps(numbers, indent=1))


if __name__ == "__main__":
    main()
