"""Spreads written plainly: one bootstrap sample, one text, one score at a time."""

from __future__ import annotations

import math
import statistics

import numpy as np
from scipy import stats


def fences(values):
    """The outermost values within 1.5 interquartile ranges of the box."""
    q1, _, q3 = np.quantile(values, [0.25, 0.5, 0.75])
    kept = [v for v in values if q1 - 1.5 * (q3 - q1) <= v <= q3 + 1.5 * (q3 - q1)]
    return min(kept), max(kept)


def expanded(drawn, texts):
    """The expanded percentile interval of Hesterberg 2015, Sec. 5.2, in the letters of the paper: n texts, alpha."""
    alpha, n = 0.05, texts
    z = math.sqrt(n / (n - 1)) * stats.t.ppf(alpha / 2, n - 1)
    tail = stats.norm.cdf(z)
    return np.quantile(drawn, [tail, 1 - tail])


def bootstrap(values, owners, samples, seed):
    """Medians and means of samples that draw whole texts, in order of the texts' numbers."""
    texts = sorted(set(owners))
    held = {text: [v for v, o in zip(values, owners, strict=True) if o == text] for text in texts}
    picks = np.random.default_rng(seed).integers(len(texts), size=(samples, len(texts)))
    medians, means = [], []
    for row in picks:
        drawn = [value for pick in row for value in held[texts[pick]]]
        medians.append(statistics.median(drawn))
        means.append(statistics.fmean(drawn))
    return medians, means
