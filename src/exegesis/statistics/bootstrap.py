"""How scores are spread: quartiles, fences, and bootstrap intervals over texts. Imports no torch."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

LEVEL = 0.95  # of every interval
FEWEST = 5  # texts below which there is no interval: a bootstrap of so few says less than it seems to
_CELLS = 4_000_000  # numbers that are held at a time


class Spread(NamedTuple):
    """A distribution of scores as a box plot shows it.

    ``low`` and ``high`` are the ends of the whiskers: the outermost scores within 1.5 interquartile ranges of the box
    (Tukey's fences). ``texts`` is how many texts the ``size`` scores come from. ``median_low`` to ``median_high`` and
    ``mean_low`` to ``mean_high`` are percentile intervals (95 %) of a bootstrap that draws whole texts, since words of
    one text go together; NaN of fewer than five texts. ``positive`` is the share of scores above 0.
    """

    size: int
    texts: int
    low: float
    q1: float
    median: float
    q3: float
    high: float
    median_low: float
    median_high: float
    mean: float
    mean_low: float
    mean_high: float
    positive: float


def spread(
    values: Float[np.ndarray, " n"], owners: Int[np.ndarray, " n"], samples: int = 1000, seed: int = 0
) -> Spread:
    """The spread of scores; ``owners`` numbers the text that each comes from. There must be at least one score."""
    q1, median, q3 = (float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
    reach = 1.5 * (q3 - q1)
    inside = values[(values >= q1 - reach) & (values <= q3 + reach)]
    texts, own = np.unique(owners, return_inverse=True)
    medians, means = _drawn(values, own, len(texts), samples, seed)
    return Spread(
        len(values), len(texts), float(inside.min()), q1, median, q3, float(inside.max()), *_interval(medians),
        float(values.mean()), *_interval(means), float((values > 0).mean()),
    )  # fmt: skip


def difference(
    first: tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]],
    second: tuple[Float[np.ndarray, " m"], Int[np.ndarray, " m"]],
    samples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """The interval of a median less another, each given as scores and their texts, drawn on their own.

    NaN where either comes from fewer than five texts.
    """
    medians = []
    for number, (values, owners) in enumerate((first, second)):
        texts, own = np.unique(owners, return_inverse=True)
        medians.append(_drawn(values, own, len(texts), samples, seed + number)[0])
    return _interval(medians[0] - medians[1] if all(map(len, medians)) else np.zeros(0))


def _drawn(
    values: Float[np.ndarray, " n"], own: Int[np.ndarray, " n"], texts: int, samples: int, seed: int
) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, " s"]]:
    """Medians and means of bootstrap samples: each draws ``texts`` texts with replacement, with all their scores."""
    none = np.zeros(0)
    if texts < FEWEST:
        return none, none
    order = np.argsort(values, kind="stable")
    ranked, owner = values[order], own[order]
    draws = np.random.default_rng(seed)
    step = max(1, _CELLS // max(len(values), texts))
    medians, means = [], []
    for start in range(0, samples, step):
        rows = min(step, samples - start)
        picks = draws.integers(texts, size=(rows, texts)) + texts * np.arange(rows)[:, None]
        weights = np.bincount(picks.reshape(-1), minlength=rows * texts).reshape(rows, texts)[:, owner]
        below = weights.cumsum(1)
        half = below[:, -1:] / 2
        first, last = (below >= half).argmax(1), (below > half).argmax(1)
        medians.append((ranked[first] + ranked[last]) / 2)
        means.append(weights @ ranked / below[:, -1])
    return np.concatenate(medians), np.concatenate(means)


def _interval(drawn: Float[np.ndarray, " s"]) -> tuple[float, float]:
    if not len(drawn):
        return math.nan, math.nan
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
