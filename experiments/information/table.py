"""Table 2 of Guan et al. 2019 from the cards of trained models, with the paper's numbers beside them.

    python experiments/information/table.py MODEL MODEL ...

Folders are named TASK-MODEL (``sst2-lstm``). SST-2 and MRPC, which stands for QQP, have accuracies, CoLA Matthews
correlation coefficients; 95 % intervals are a bootstrap over the test texts of each card's table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

PAPER = {
    "sst2": {"bert": 0.9323, "transformer": 0.8245, "lstm": 0.8486, "cnn": 0.8200},
    "cola": {"bert": 0.6110, "transformer": 0.1560, "lstm": 0.1296, "cnn": 0.0985},
    "mrpc": {"bert": 0.9129, "transformer": 0.7637, "lstm": 0.8658, "cnn": 0.8099},
}
DRAWS = 2000


def confusion(card: str) -> np.ndarray:
    """The last table ``[gold, predicted]`` of a model card, the test texts'. Raises ValueError if there is none."""
    tables = list[list[list[int]]]()
    for line in card.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| gold"):
            tables.append([])
        elif line.startswith("| ") and tables and cells[1].isdigit():
            tables[-1].append([int(cell) for cell in cells[1:]])
    if not tables:
        raise ValueError("the card has no table of gold and predicted labels")
    return np.array(tables[-1])


def accuracy(counts: np.ndarray) -> np.ndarray:
    """The share of right labels, of tables ``[..., gold, predicted]``."""
    right: np.ndarray = np.trace(counts, axis1=-2, axis2=-1) / counts.sum((-2, -1))
    return right


def matthews(counts: np.ndarray) -> np.ndarray:
    """The Matthews correlation coefficient of tables of two classes; 0 where only one is predicted."""
    product = counts[..., 0, 0] * counts[..., 1, 1] - counts[..., 0, 1] * counts[..., 1, 0]
    sides = np.prod([counts.sum(-1)[..., 0], counts.sum(-1)[..., 1], counts.sum(-2)[..., 0], counts.sum(-2)[..., 1]], 0)
    answer: np.ndarray = product / np.sqrt(np.maximum(sides.astype(float), 1e-300)) * (sides > 0)
    return answer


def interval(counts: np.ndarray, measure: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float, float]:
    """A number of a table and its 95 % interval over texts."""
    drawn = np.random.default_rng(0).multinomial(counts.sum(), counts.ravel() / counts.sum(), DRAWS)
    low, high = np.quantile(measure(drawn.reshape(DRAWS, *counts.shape)), (0.025, 0.975))
    return float(measure(counts)), float(low), float(high)


def main() -> None:
    """Print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    for folder in parser.parse_args().models:
        task, name = folder.name.split("-", 1)
        counts = confusion((folder / "README.md").read_text(encoding="utf-8"))
        found = interval(counts, matthews if task == "cola" else accuracy)
        print(f"{task} {name}: {found[0]:.4f} [{found[1]:.4f}, {found[2]:.4f}] of {counts.sum()} texts "
              f"(the paper: {PAPER[task][name]:.4f}{' on QQP' if task == 'mrpc' else ''})")  # fmt: skip


if __name__ == "__main__":
    main()
