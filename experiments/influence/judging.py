"""What the experiments share: their texts and arguments, how methods are asked, BM25, the halves, and the linear
datamodelling score with its intervals and its rows."""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import exegesis
from exegesis.data.examples import Example, read_examples
from exegesis.statistics.bootstrap import spread


def arguments(words: str | None, **sizes: int) -> argparse.ArgumentParser:
    """The arguments of an experiment: the data, the file for results, and sizes by name, with their defaults."""
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    for name, size in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    return parser


def sst2(data: Path, part: str, count: int, fits: Callable[[Example], bool] = lambda _: True) -> list[Example]:
    """The first sentences of a part of SST-2, of those that fit."""
    return [one for one in read_examples(str(data / "sst2" / f"{part}.tsv")) if fits(one)][:count]


def scored(
    model: Any,
    examples: Sequence[Example],
    asked: Sequence[str],
    labels: Sequence[str],
    method: str,
    parameters: Mapping[str, Any],
    number: Callable[[str], str] = lambda label: label,
) -> np.ndarray:
    """What a method gives the training texts for each query, ``[queries, texts]``, about the ``number`` of its label;
    0 where it did not look."""
    found = np.zeros((len(asked), len(examples)))
    for label in sorted(set(labels)):
        rows = [row for row, one in enumerate(labels) if one == label]
        texts = [asked[row] for row in rows]
        made = exegesis.influence(model, examples, texts, method, target=number(label), **parameters)
        found[rows] = np.nan_to_num([one.scores for one in made])
    return found


class Rows:
    """The rows of a report, one for each method; what the file has is kept, unless it is of other sizes."""

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        self.path, self.report = path, {**head, "rows": []}
        before = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        if {name: before.get(name) for name in head} == json.loads(json.dumps(head)):
            self.report = before

    def has(self, title: str) -> bool:
        return any(row["method"] == title for row in self.report["rows"])

    def add(self, row: Mapping[str, Any]) -> None:
        self.report["rows"].append(dict(row))
        print(json.dumps(row), flush=True)
        self.path.write_text(json.dumps(self.report, indent=1) + "\n")


def bm25(examples: Sequence[Example], query: str, label: str) -> np.ndarray:
    """BM25 (k1 1.2, b 0.75) of each training text for a query, with the sign of its label."""
    bags = [Counter(str(one.text).lower().split()) for one in examples]
    sizes = np.array([sum(bag.values()) for bag in bags])
    found = np.zeros(len(examples))
    for word in set(query.lower().split()):
        counts = np.array([bag[word] for bag in bags])
        rarity = math.log(1 + (len(bags) - (counts > 0).sum() + 0.5) / ((counts > 0).sum() + 0.5))
        found += rarity * counts * 2.2 / (counts + 1.2 * (0.25 + 0.75 * sizes / sizes.mean()))
    return found * np.where([one.label == label for one in examples], 1.0, -1.0)


def halves_of(texts: int, count: int) -> list[np.ndarray]:
    """Random halves of the texts, by their numbers."""
    draws = np.random.default_rng(0)
    return [np.sort(draws.permutation(texts)[: texts // 2]) for _ in range(count)]


def ranks(values: np.ndarray, halves: Sequence[np.ndarray], truth: np.ndarray) -> list[float]:
    """For each query, the rank correlation over the halves of the sums of scores with what the models say."""
    sums = np.array([values[:, half].sum(1) for half in halves])
    found = [stats.spearmanr(sums[:, q], truth[:, q])[0] for q in range(truth.shape[1])]
    return [float(one) for one in np.nan_to_num(found)]


def interval(found: Sequence[float]) -> dict[str, float]:
    """A mean over queries and its 95 % interval, by the bootstrap."""
    told = spread(np.array(found), np.arange(len(found)), 2000)
    return {"lds": told.mean, "low": told.mean_low, "high": told.mean_high}


def difference(first: Sequence[float], second: Sequence[float]) -> dict[str, float]:
    """The mean over queries of a difference between two methods' scores of the same queries, with its interval."""
    return interval([one - other for one, other in zip(first, second, strict=True)])


def table(
    title: str, values: np.ndarray, halves: Sequence[np.ndarray], truths: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """The row of a method: its score by each number that models are asked for."""
    return {"method": title, **{name: interval(ranks(values, halves, truth)) for name, truth in truths.items()}}


def agreement(said: np.ndarray) -> list[float]:
    """For each query, the rank correlation of what the models of one half of the seeds say of the halves with what
    those of the other say, of numbers ``[seeds, halves, queries]``: about what can be foretold at all."""
    first, second = (said[side::2].mean(0) for side in (0, 1))
    return [float(stats.spearmanr(first[:, q], second[:, q])[0]) for q in range(said.shape[2])]


def noise(queries: int, halves: int) -> float:
    """The standard deviation of the score of scores that say nothing, if queries were independent of each other."""
    return float(1 / math.sqrt(queries * (halves - 1)))
