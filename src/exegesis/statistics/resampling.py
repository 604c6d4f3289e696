"""The numbers of an evaluation under the bootstrap: means and differences with intervals, and which are no chance.

Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Integer

from exegesis.statistics.significance import certain, differences, drawn, interval, means, owners_of


class Resampled:
    """Numbers of measures and methods on the same texts; all are means over the same ``samples`` draws of the texts.

    Every answer is (value, low, high, texts): the mean over the texts that have a number, its interval of 95 % (NaN of
    few texts, see ``core.evidence.interval``), and how many those texts are.
    """

    def __init__(
        self, values: Float[np.ndarray, "measures methods texts"], texts: Sequence[str], samples: int, seed: int
    ) -> None:
        self.values, self.samples, self.seed, self.owners = values, samples, seed, owners_of(texts)

    def mean(self, measure: int, method: int) -> tuple[float, float, float, int]:
        """The mean of one measure of one method."""
        return self._summed(self.values[measure, method], self._means[measure, method])

    def difference(self, measure: int, first: int, second: int) -> tuple[float, float, float, int]:
        """The mean of the first method less the second's, over the texts that both have."""
        one, two = self.values[measure, first], self.values[measure, second]
        if np.array_equal(np.isfinite(one), np.isfinite(two)):
            resampled = self._means[measure, first] - self._means[measure, second]
        else:
            resampled = means((one - two)[None], self._draws)[0]
        return self._summed(one - two, resampled)

    @cached_property
    def certain(self) -> Bool[np.ndarray, "measures methods methods"]:
        """Which two methods differ on a measure, by ``core.evidence.certain`` over all of them."""
        count, methods, _ = self.values.shape
        each = differences(self.values, self.owners)
        found = certain(each.reshape(-1, each.shape[2]), self.samples, self.seed).reshape(each.shape[:2])
        square = np.zeros((count, methods, methods), dtype=bool)
        first, second = np.triu_indices(methods, 1)
        square[:, first, second] = square[:, second, first] = found
        return square

    def _summed(
        self, values: Float[np.ndarray, " texts"], resampled: Float[np.ndarray, " samples"]
    ) -> tuple[float, float, float, int]:
        known = np.isfinite(values)
        mean = float(values[known].mean()) if known.any() else math.nan
        return mean, *interval(resampled, len(np.unique(self.owners[known]))), int(known.sum())

    @cached_property
    def _means(self) -> Float[np.ndarray, "measures methods samples"]:
        """The mean of every measure and method in each bootstrap sample; NaN in one without any of its texts."""
        shape = self.values.shape
        return means(self.values.reshape(-1, shape[2]), self._draws).reshape(*shape[:2], -1)

    @cached_property
    def _draws(self) -> Integer[np.ndarray, "samples texts"]:
        """How often each text is in each bootstrap sample."""
        return drawn(self.owners, self.samples, self.seed)
