"""Tables 3 to 5 as Markdown from ``numbers.json``: means and spreads over seeds, controls, paired intervals.

    python experiments/reat/report.py experiments/reat/numbers.json
    python experiments/reat/report.py experiments/reat/yelp/numbers.json

Intervals are 95 % of a bootstrap over texts (seed 0, 10,000 draws) of REAT less a method, each text's number being
its mean over seeds; "first" and "second" are the rank of a row among the paper's six.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from methods import SIX

CELLS = ("gru", "lstm", "bigru")
Rows = dict[str, tuple[float, float, float]]  # GRU, LSTM, BiGRU
PAPER: dict[str, dict[str, Rows]] = {
    "sst2": {
        "accuracy": {"accuracy": (81.9, 80.4, 80.9)},
        "faithfulness": {
            "VanillaGrad": (0.272, 0.243, 0.068),
            "InteGrad": (0.255, 0.253, 0.113),
            "GradInput": (0.301, 0.199, 0.178),
            "LIME": (0.209, 0.188, 0.092),
            "NaiveREAT": (0.213, 0.207, 0.114),
            "REAT": (0.311, 0.318, 0.196),
        },
        "interpretability": {
            "VanillaGrad": (41.0, 42.3, 26.9),
            "InteGrad": (44.9, 52.6, 42.3),
            "GradInput": (84.6, 80.8, 85.9),
            "LIME": (73.1, 80.8, 73.1),
            "NaiveREAT": (79.5, 87.2, 92.3),
            "REAT": (85.9, 89.7, 88.5),
        },
    },
    "yelp": {  # Table 4 has no Yelp
        "accuracy": {"accuracy": (90.2, 92.2, 93.5)},
        "faithfulness": {},
        "interpretability": {
            "VanillaGrad": (57.6, 44.4, 38.4),
            "InteGrad": (58.6, 42.4, 33.3),
            "GradInput": (84.8, 82.8, 90.9),
            "LIME": (74.7, 77.8, 80.8),
            "NaiveREAT": (55.6, 83.8, 86.9),
            "REAT": (87.9, 83.8, 92.9),
        },
    },
}
Numbers = dict[str, np.ndarray]  # row of a table: [seeds, texts]


def bits(given: str) -> np.ndarray:
    return np.array([int(one) for one in given])


def faithfulness(models: list[dict[str, Any]]) -> Numbers:
    """The probability lost by deleting the chosen clause (Eq. 23), for methods and controls."""
    lost = np.array([model["lost"] for model in models])
    found = {
        name: np.array([row[np.arange(len(row)), bits(m["clause"][name])] for row, m in zip(lost, models, strict=True)])
        for name in models[0]["clause"]
    }
    controls = {
        "Random clause": lost.mean(-1),
        "Always the first": lost[..., 0],
        "Always the second": lost[..., 1],
        "Best possible": lost.max(-1),
    }
    return found | controls


def interpretability(models: list[dict[str, Any]]) -> Numbers:
    """100 where the positive adjective scores higher (Eq. 24), for methods and random scores."""
    found = {name: 100.0 * np.array([bits(model["match"][name]) for model in models]) for name in models[0]["match"]}
    return found | {"Random": np.full_like(found["REAT"], 50.0)}


def interval(difference: np.ndarray) -> tuple[float, float]:
    """95 % of the means of texts drawn with replacement."""
    draws = np.random.default_rng(0).integers(len(difference), size=(10_000, len(difference)))
    low, high = np.quantile(difference[draws].mean(1), [0.025, 0.975])
    return float(low), float(high)


def spread(values: np.ndarray, digits: int) -> str:
    """The mean of the seeds, and their standard deviation where there are several."""
    deviation = f" ({values.std(ddof=1):.{digits}f})" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{deviation}"


def table(results: dict[str, Any], make: Callable[[list[dict[str, Any]]], Numbers], digits: int) -> str:
    """Mean (standard deviation over seeds), the paper's number where it has the table, REAT less the row with its
    interval; for each cell.
    """
    columns = {cell: make(of(results, cell)) for cell in CELLS}
    given = paper(results)[make.__name__]
    heads = [head for cell in CELLS for head in (cell.upper(), *(["paper"] if given else []), "REAT less it")]
    lines = ["| | " + " | ".join(heads).replace("BIGRU", "BiGRU") + " |", "|---|" + "---:|" * len(heads)]
    for name in columns["gru"]:
        row = [name.replace("|", r"\|")]
        for place, cell in enumerate(CELLS):
            values = columns[cell][name]
            means = values.mean(1)
            low, high = interval((columns[cell]["REAT"] - values).mean(0))
            row += [spread(means, digits)]
            row += [f"{given[name][place]:.{digits}f}" if name in given else ""] if given else []
            row += ["" if name == "REAT" else f"{low:+.{digits}f} to {high:+.{digits}f}"]
        lines.append("| " + " | ".join(row) + " |")
    ranks = "; ".join(f"{cell}: {wins(columns[cell])}" for cell in CELLS)
    return "\n".join([*lines, "", f"Seeds in which a row is the first of the paper's six: {ranks}."])


def wins(column: Numbers) -> str:
    """How often each of the paper's six is the best of them (ties count for each)."""
    means = np.array([column[name].mean(1) for name in SIX])
    best = means >= means.max(0) - 1e-9
    return ", ".join(f"{name} {int(count)}" for name, count in zip(SIX, best.sum(1), strict=True) if count)


def seconds(results: dict[str, Any]) -> str:
    """Mean seconds a model for both tables, by method."""
    models = [model for cell in CELLS for model in of(results, cell)]
    return ", ".join(f"{name} {np.mean([m['seconds'][name] for m in models]):.1f}" for name in models[0]["seconds"])


def picks(results: dict[str, Any]) -> str:
    """Percentage of texts in which a method chooses the second clause, and of its right choices where the first clause
    and where the second costs more; the last row is the choice that costs more.
    """
    lines = ["| | " + " | ".join(CELLS) + " |", "|---|" + "---:|" * len(CELLS)]
    for name in (*of(results, "gru")[0]["clause"], "Best possible"):
        shown = [name.replace("|", r"\|")]
        for cell in CELLS:
            models = of(results, cell)
            right = np.array([np.argmax(model["lost"], 1) for model in models])
            chosen = right if name == "Best possible" else np.array([bits(model["clause"][name]) for model in models])
            parts = [100 * (chosen == right)[right == side].mean() for side in (0, 1)]
            shown.append(f"{100 * chosen.mean():.0f} ({parts[0]:.0f}, {parts[1]:.0f})")
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines)


def paper(results: dict[str, Any]) -> dict[str, Rows]:
    """The paper's numbers for the texts of some results."""
    return PAPER[results.get("texts", "sst2")]


def of(results: dict[str, Any], cell: str) -> list[dict[str, Any]]:
    """The finished models of a cell, by seed."""
    most = max(len(model["match"]) for model in results["models"].values())
    return [m for name, m in sorted(results["models"].items()) if name.startswith(cell) and len(m["match"]) == most]


def main() -> None:
    results = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    print("| | test accuracy | paper |\n|---|---:|---:|")
    for place, cell in enumerate(CELLS):
        values = [100 * model["accuracy"] for model in of(results, cell)]
        each = ", ".join(f"{value:.1f}" for value in values)
        print(f"| {cell} | {spread(np.array(values), 1)}: {each} | {paper(results)['accuracy']['accuracy'][place]} |")
    some = of(results, "gru")[0]
    print(f"\n{len(some['lost'])} texts joined by but, {some['opinions']} texts of both opinions\n")
    print(
        table(results, faithfulness, 3),
        "\n\nThe second clause is chosen (right where the first, the second costs more), %:\n",
        picks(results),
        sep="\n",
    )
    print("\n" + table(results, interpretability, 1))
    print(f"\nSeconds a model: {seconds(results)}")


if __name__ == "__main__":
    main()
