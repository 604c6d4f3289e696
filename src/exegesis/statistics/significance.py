"""Comparisons of methods over texts: means with intervals, and differences that are unlikely to be due to chance.

A text that stands several times is evidence once: its copies are drawn, and change their sign, together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from exegesis.statistics.bootstrap import LEVEL, MAX_CELLS, MIN_TEXTS, draw_texts, interval, owners_of, resampled_means

ROUNDING = 1e-12  # differences below this share of the larger number count as equal


class Resampled:
    """Values of measures and methods on the same texts, with means over the same ``samples`` draws of the texts.

    Every answer is (value, low, high, texts): the mean over the texts that have a number, its 95 % interval (NaN for
    few texts, see ``statistics.bootstrap.interval``), and the number of those texts.
    """

    def __init__(
        self, values: Float[np.ndarray, "measures methods texts"], texts: Sequence[str], samples: int, seed: int
    ) -> None:
        self.values, self.samples, self.seed, self.owners = values, samples, seed, owners_of(texts)

    def mean(self, measure: int, method: int) -> tuple[float, float, float, int]:
        """The mean of a measure for a method."""
        return self._estimate(self.values[measure, method], self._means[measure, method])

    def difference(self, measure: int, first: int, second: int) -> tuple[float, float, float, int]:
        """The mean of the first method minus that of the second, over the texts that both have."""
        minuend, subtrahend = self.values[measure, first], self.values[measure, second]
        if np.array_equal(np.isfinite(minuend), np.isfinite(subtrahend)):
            resampled = self._means[measure, first] - self._means[measure, second]
        else:
            resampled = resampled_means((minuend - subtrahend)[None], self._draws)[0]
        return self._estimate(minuend - subtrahend, resampled)

    @cached_property
    def certain(self) -> Bool[np.ndarray, "measures methods methods"]:
        """The pairs of methods that differ on a measure, by ``certain`` over all pairs and measures together."""
        count, methods, _ = self.values.shape
        summed = differences(self.values, self.owners)
        decided = certain(summed.reshape(-1, summed.shape[2]), self.samples, self.seed).reshape(summed.shape[:2])
        square = np.zeros((count, methods, methods), dtype=bool)
        first, second = np.triu_indices(methods, 1)
        square[:, first, second] = square[:, second, first] = decided
        return square

    def _estimate(
        self, values: Float[np.ndarray, " texts"], resampled: Float[np.ndarray, " samples"]
    ) -> tuple[float, float, float, int]:
        finite = np.isfinite(values)
        mean = float(values[finite].mean()) if finite.any() else math.nan
        return mean, *interval(resampled, len(np.unique(self.owners[finite]))), int(finite.sum())

    @cached_property
    def _means(self) -> Float[np.ndarray, "measures methods samples"]:
        """The mean of every measure and method in each bootstrap sample; NaN in a sample without any of its texts."""
        shape = self.values.shape
        return resampled_means(self.values.reshape(-1, shape[2]), self._draws).reshape(*shape[:2], -1)

    @cached_property
    def _draws(self) -> Integer[np.ndarray, "samples texts"]:
        """The number of times that each text is in each bootstrap sample, which draws distinct texts."""
        return draw_texts(int(self.owners.max(initial=-1)) + 1, self.samples, self.seed)[:, self.owners]


def differences(
    values: Float[np.ndarray, "measures methods texts"], owners: Int[np.ndarray, " texts"]
) -> Float[np.ndarray, "measures pairs groups"]:
    """Each first method minus each second (pairs as ``itertools.combinations``), summed over the copies of each text;
    0 if one of the two has no number, or if the difference is within rounding."""
    first, second = np.array(list(combinations(range(values.shape[1]), 2)), dtype=int).reshape(-1, 2).T
    sizes = np.where(np.isfinite(values), np.abs(values), 0.0).max(2, initial=0.0)
    smallest = ROUNDING * np.maximum(np.maximum(sizes[:, first], sizes[:, second]), 1e-300)[..., None]
    apart = values[:, first] - values[:, second]
    apart = np.where(np.isfinite(apart) & (np.abs(apart) > smallest), apart, 0.0)
    groups = np.zeros((*apart.shape[:2], int(owners.max(initial=-1)) + 1))
    for text, owner in enumerate(owners.tolist()):
        groups[..., owner] += apart[..., text]
    return np.where(np.abs(groups) > smallest, groups, 0.0)


def certain(differing: Float[np.ndarray, "rows groups"], samples: int, seed: int) -> Bool[np.ndarray, " rows"]:
    """The rows of differences whose mean is not 0, all decided at ``LEVEL`` together.

    A test by sign flips: if two methods were alike, each text's difference might as well have the other sign. The
    statistic of a row is ``|sum| / sqrt(sum of squares)`` (equivalent to its t value); it must exceed the ``LEVEL``
    quantile of the largest statistic of all rows when whole texts change their sign at random, ``samples`` times. Rows
    found so are set aside, and the rest are held to their own largest statistic, until nothing more is found (Westfall
    and Young, Resampling-Based Multiple Testing, 1993, step-down max T). If all methods were alike, one evaluation in
    twenty would call some method better, however many methods and measures there are. That is exact for methods that
    could be exchanged text by text; for equal means of skewed differences it holds the better the more texts there are.
    Rows that differ on fewer than ``MIN_TEXTS`` texts are never certain.
    """
    decided = np.zeros(len(differing), dtype=bool)
    rows = np.flatnonzero((differing != 0).sum(1) >= MIN_TEXTS)
    scaled = differing[rows] / np.linalg.norm(differing[rows], axis=1, keepdims=True)
    observed = np.abs(scaled.sum(1))
    signs = np.random.default_rng([seed, 1]).integers(0, 2, (differing.shape[1], samples), dtype=np.int8) * 2.0 - 1
    while len(rows):
        above = 1 + (_largest(scaled, signs)[None] >= observed[:, None] - 1e-9).sum(1)
        new = above <= (1 - LEVEL) * (1 + samples)
        if not new.any():
            break
        decided[rows[new]] = True
        rows, scaled, observed = rows[~new], scaled[~new], observed[~new]
    return decided


def holm(values: Float[np.ndarray, " tests"]) -> Float[np.ndarray, " tests"]:
    """p values in Holm's correction (1979): those at most ``a`` are all right with a chance of at least ``1 - a``."""
    order = np.argsort(values, kind="stable")
    scaled = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(scaled, 1.0)
    return corrected


def _largest(
    scaled: Float[np.ndarray, "rows groups"], signs: Float[np.ndarray, "groups samples"]
) -> Float[np.ndarray, " samples"]:
    """The largest statistic of any row for each draw of signs."""
    parts = np.array_split(signs, max(len(scaled) * signs.shape[1] // MAX_CELLS, 1), axis=1)
    return np.concatenate([np.abs(scaled @ part).max(0, initial=0.0) for part in parts])
