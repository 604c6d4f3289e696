"""What the scripts of this folder share: their arguments, the sentences they measure, and the rows that are kept.

A row is written as soon as it is measured, so the same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import exegesis
from exegesis.statistics.bootstrap import spread

SHORTEST, REFERENCE, DRAWS = 8, 100, 2000


def arguments(about: str | None, *, models: str = "+", texts: int = 20) -> argparse.ArgumentParser:
    """The arguments of a script: its models (none where ``models`` is empty), its data, how many texts and of what
    length, and the folder that it writes to."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    if models:
        parser.add_argument("models", nargs=models, type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--texts", type=int, default=texts)
    parser.add_argument("--longest", type=int, default=20, help="words of a text")
    parser.add_argument("--out", type=Path, required=True)
    return parser


def sentences(asked: argparse.Namespace) -> tuple[list[str], list[str]]:
    """The texts to measure, and those that normalise; from here on one thread runs."""
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    every = [str(one.text) for one in exegesis.read_examples(asked.data)]
    return [raw for raw in every if SHORTEST <= len(raw.split()) <= asked.longest][: asked.texts], every[:REFERENCE]


class Rows:
    """The rows of a file of JSON lines, each of one text (``text``) and model (``model``)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        self._rows = {(row["model"], row["text"]): row for row in rows}

    def measure(self, model: str, texts: Sequence[str], one: Callable[[str], dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows of a model for these texts, in their order; those that are missing are made by ``one``."""
        for raw in texts:
            if (model, raw) not in self._rows:
                row = self._rows[model, raw] = {"model": model, "text": raw, **one(raw)}
                with self.path.open("a") as file:
                    file.write(json.dumps(row) + "\n")
        return [self._rows[model, raw] for raw in texts]


def interval(values: Sequence[float], owners: Sequence[int] | None = None) -> list[float]:
    """The mean over texts and its 95 % interval, of a bootstrap; those without a number (NaN) are left out. Values of
    one text have the same number in ``owners``; without it each is of a text of its own."""
    number, known = np.arange(len(values)) if owners is None else np.array(owners), ~np.isnan(values)
    one = spread(np.array(values)[known], number[known], DRAWS, 0)
    return [one.mean, one.mean_low, one.mean_high]


def write(path: Path, answer: dict[str, Any]) -> None:
    """Write the numbers of an experiment, and show them."""
    path.write_text(json.dumps(answer, indent=1) + "\n")
    print(json.dumps(answer, indent=1))
