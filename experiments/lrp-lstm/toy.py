"""Table 11.2: which explanations of one-cell LSTMs that add or subtract two numbers follow the numbers?

    python experiments/lrp-lstm/toy.py --out FOLDER [--quick]

Trains 50 models a task (the state is kept in FOLDER; the same command goes on with an interrupted run), explains every
test sequence by every method, and writes ``toy.json``, ``toy.md`` (the table beside the paper's) and ``toy.png``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from toy_figure import draw
from toy_training import TASKS, Plan, Sequences, Weights, as_quick, error, splits, train

import exegesis
from exegesis.engine.methods import make
from exegesis.models.trained.card import machine
from exegesis.protocols.target import ask

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "Gradient x Input": ("gradient-x-input", {}),
    "Occlusion": ("leave-one-out", {"how": "zero"}),
    "LRP-prop": ("lrp", {"product": "prop", "epsilon": 0.0, "stabilizer": 0.0}),
    "LRP-abs": ("lrp", {"product": "abs", "epsilon": 0.0, "stabilizer": 0.0}),
    "LRP-half": ("lrp", {"product": "half", "epsilon": 0.0, "stabilizer": 0.0}),
    "LRP-all": ("lrp", {"product": "all", "epsilon": 0.0, "stabilizer": 0.0}),
    "CD": ("contextual-decomposition", {"variant": "original"}),
}
COLUMNS = ("rho a", "rho b", "share")
PAPER = {  # mean (standard deviation), in percent
    "addition": {
        "Gradient x Input": ((99.960, 0.017), (99.954, 0.019), (99.68, 0.53)),
        "Occlusion": ((99.990, 0.004), (99.990, 0.004), (99.82, 0.27)),
        "LRP-prop": ((0.785, 3.619), (10.111, 12.362), (18.14, 4.23)),
        "LRP-abs": ((7.002, 6.224), (12.410, 17.440), (18.01, 4.48)),
        "LRP-half": ((29.035, 9.478), (51.460, 19.939), (54.09, 17.53)),
        "LRP-all": ((99.995, 0.002), (99.995, 0.002), (99.95, 0.05)),
        "CD": ((99.997, 0.002), (99.997, 0.002), (99.92, 0.06)),
    },
    "subtraction": {
        "Gradient x Input": ((97.9, 1.6), (-98.8, 0.6), (98.3, 0.6)),
        "Occlusion": ((99.0, 2.0), (-69.0, 19.1), (25.4, 16.8)),
        "LRP-prop": ((3.1, 4.8), (-8.4, 18.9), (15.0, 2.4)),
        "LRP-abs": ((1.2, 7.6), (-23.0, 11.1), (15.1, 1.6)),
        "LRP-half": ((7.7, 15.3), (-28.9, 6.4), (42.3, 8.3)),
        "LRP-all": ((98.5, 3.5), (-99.3, 1.3), (99.3, 0.6)),
        "CD": ((-25.9, 39.1), (-50.0, 29.2), (49.4, 26.1)),
    },
}


class Toy(nn.Module):
    """One cell over vectors that an embedding holds, and a linear output without bias: 17 weights that were trained."""

    def __init__(self, weights: Weights, vectors: Tensor) -> None:
        super().__init__()
        self.vectors = nn.Embedding.from_pretrained(vectors)
        self.cell = nn.LSTM(2, 1, batch_first=True)
        self.out = nn.Linear(1, 1, bias=False)
        self.double()
        with torch.no_grad():
            self.cell.weight_ih_l0.copy_(weights["weight_ih"])
            self.cell.weight_hh_l0.copy_(weights["weight_hh"])
            self.cell.bias_ih_l0.copy_(weights["bias"])
            self.cell.bias_hh_l0.zero_()  # type: ignore[operator]
            self.out.weight.fill_(float(weights["out"]))

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.vectors(ids), lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.out(self.cell(packed)[1][0][-1])  # type: ignore[no-any-return]


def relevances(weights: Weights, data: Sequences) -> dict[str, np.ndarray]:
    """Relevance [n, t] of every step of every sequence, by every method of the package, and the outputs."""
    count, width = data.x.shape[:2]
    names = [str(number) for number in range(1 + count * width)]  # every vector of the test set is a word of its own
    vectors = torch.cat([torch.zeros(1, 2, dtype=torch.float64), data.x.reshape(-1, 2)])
    model = exegesis.wrap(
        Toy(weights, vectors), vocabulary=["<pad>", *names[1:]], tokenizer=str.split, labels=["result"]
    )
    rows = [[1 + row * width + t for t in range(n)] for row, n in enumerate(data.lengths.tolist())]
    batch = model.encode([model.read(" ".join(map(str, row))) for row in rows])
    raw = model.outputs(batch)
    target = ask(None, model.labels, model.link).of(raw, model.link)
    found = {}
    for name, (method, parameters) in METHODS.items():
        found[name] = make(method, parameters)(model, batch, target).values[:, 0].numpy()
    return {**found, "output": raw[:, 0].numpy()}


def statistics(found: np.ndarray, data: Sequences) -> tuple[float, float, float]:
    """Correlation with n_a and with n_b, and the mean share of relevance at a and b; all in percent."""
    rows, a, b = np.arange(len(found)), data.a.numpy(), data.b.numpy()
    number = data.x[..., 1].numpy()
    size = np.abs(found)
    share = (size[rows, a] + size[rows, b]) / size.sum(1)
    both = [np.corrcoef(number[rows, place], found[rows, place])[0, 1] for place in (a, b)]
    return (*(100 * float(each) for each in both), 100 * float(share.mean()))


def study(task: str, plan: Plan, out: Path, counts: tuple[int, int, int], progress: Progress) -> dict[str, Any]:
    """Train, explain, count. Models already explained are read from their file."""
    data = splits(task, plan.seed, counts)
    bar = progress.add_task(f"{task}: training", total=plan.models)
    start = time.perf_counter()
    models, tries = train(
        data, plan, out / f"{task}.pt", lambda step, done, begun: progress.update(bar, completed=min(done, plan.models))
    )
    seconds = time.perf_counter() - start
    kept = out / f"{task}.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    bar = progress.add_task(f"{task}: explaining", total=plan.models, completed=len(rows))
    with kept.open("a") as file:
        for weights in models[len(rows) :]:
            found = relevances(weights, data[2])
            mse = float(((found["output"] - data[2].y.numpy()) ** 2).mean())
            rows.append({"mse": mse, "rows": {name: statistics(found[name], data[2]) for name in METHODS}})
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
            progress.advance(bar)
    stacked = {key: torch.stack([weights[key] for weights in models]) for key in models[0]}
    validation = error(stacked, data[1])
    return {
        "models": len(rows),
        "begun": tries,
        "training seconds": round(seconds, 1),
        "weights of a model": sum(weight[0].numel() for weight in stacked.values()),
        "largest validation mse": float(validation.max()),
        "test mse": {"mean": float(np.mean([row["mse"] for row in rows])), "largest": max(row["mse"] for row in rows)},
        "table": {name: summary([row["rows"][name] for row in rows]) for name in METHODS},
    }


def summary(rows: Sequence[Sequence[float]]) -> dict[str, dict[str, float]]:
    values = np.array(rows)
    spread = values.std(0, ddof=1) if len(values) > 1 else np.zeros(3)
    return {
        column: {"mean": float(m), "std": float(s)}
        for column, m, s in zip(COLUMNS, values.mean(0), spread, strict=True)
    }


def table(result: dict[str, Any]) -> str:
    lines = []
    for task in TASKS:
        lines += [f"| {task} | rho(n_a, R_a) | paper | rho(n_b, R_b) | paper | share of relevance | paper |"]
        lines += ["|---|" + "---:|" * 6]
        for name, row in result[task]["table"].items():
            cells = []
            for column, (mean, std) in zip(COLUMNS, PAPER[task][name], strict=True):
                own = row[column]
                cells += [f"{own['mean']:.2f} ({own['std']:.2f})", f"{mean:.2f} ({std:.2f})"]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Table 11.2 of Arras et al. 2019")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="little of everything, any error will do: a trial")
    given = parser.parse_args(arguments)
    plan, counts = Plan(models=given.models, seed=given.seed), (10_000, 2_500, 2_500)
    if given.quick:
        plan, counts = as_quick(plan), (100, 30, 12)
    given.out.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"seed": given.seed, "enough": plan.enough, "machine": machine(), "quick": given.quick}
    result["date"] = f"{datetime.now(UTC):%Y-%m-%d}"
    with Progress() as progress:
        for task in TASKS:
            result[task] = study(task, plan, given.out, counts, progress)
    (given.out / "toy.json").write_text(json.dumps(result, indent=1) + "\n")
    (given.out / "toy.md").write_text(table(result))
    draw(result, PAPER, given.out / "toy.png")


if __name__ == "__main__":
    main()
