"""What the two experiments share: BM25, the halves, and the linear datamodelling score with its intervals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from exegesis.data.examples import Example
from exegesis.statistics.bootstrap import spread


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


def table(
    title: str, values: np.ndarray, halves: Sequence[np.ndarray], truths: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """The row of a method: its score by each number that models are asked for."""
    return {"method": title, **{name: interval(ranks(values, halves, truth)) for name, truth in truths.items()}}


def noise(queries: int, halves: int) -> float:
    """The standard deviation of the score of scores that say nothing, if queries were independent of each other."""
    return float(1 / math.sqrt(queries * (halves - 1)))
