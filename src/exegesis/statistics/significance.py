"""What numbers of the same texts show: draws of texts, intervals of means, and which differences are no chance.

A text that stands several times is evidence once: its copies are drawn, and turn their sign, together. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int, Integer
from scipy.special import ndtr, stdtrit

LEVEL = 0.95  # of every interval, and of all that is said to be better, together
FEWEST = 6  # texts below which even a difference of one sign throughout comes by chance more than once in twenty times
ROUNDING = 1e-12  # of the larger number, below which a difference is none
BLOCK = 1 << 22  # places that are worked on at a time


def owners_of(texts: Sequence[str]) -> Int[np.ndarray, " texts"]:
    """The number of the distinct text that each text is, from 0."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)


def drawn(owners: Int[np.ndarray, " texts"], samples: int, seed: int) -> Integer[np.ndarray, "samples texts"]:
    """How often each text is in each bootstrap sample, which draws distinct texts with replacement."""
    count = int(owners.max(initial=-1)) + 1
    draws = np.random.default_rng(seed)
    rows = [np.bincount(draws.integers(0, count, count), minlength=count) for _ in range(samples)]
    return np.array(rows, dtype=np.uint16).reshape(samples, count)[:, owners]


def means(
    values: Float[np.ndarray, "rows texts"], draws: Integer[np.ndarray, "samples texts"]
) -> Float[np.ndarray, "rows samples"]:
    """The mean of the finite values of each row in each bootstrap sample; NaN in one without any of its texts."""
    known = np.isfinite(values)
    filled, found = np.where(known, values, 0.0), []
    for part in np.array_split(draws, max(draws.size // BLOCK, 1)):
        counts = part.astype(np.float64).T
        sums = filled @ counts
        sizes = np.broadcast_to(counts.sum(0), sums.shape) if known.all() else known.astype(np.float64) @ counts
        found.append(np.divide(sums, sizes, out=np.full(sums.shape, np.nan), where=sizes > 0))
    return np.concatenate(found, 1)


def interval(drawn: Float[np.ndarray, " samples"], texts: int) -> tuple[float, float]:
    """The percentile interval of bootstrap means over so many distinct texts, made wider for few of them.

    The percentiles are those that give normal data a t interval (Hesterberg, What Teachers Should Know About the
    Bootstrap, 2015, Sec. 5.2: "expanded percentiles"), since plain ones are too narrow by ``sqrt(1 - 1/n)`` and by the
    t distribution. NaN of fewer than ``FEWEST`` texts.
    """
    known = drawn[np.isfinite(drawn)]
    if texts < FEWEST or not len(known):
        return np.nan, np.nan
    tail = float(ndtr(np.sqrt(texts / (texts - 1)) * stdtrit(texts - 1, (1 - LEVEL) / 2)))
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


def differences(
    values: Float[np.ndarray, "measures methods texts"], owners: Int[np.ndarray, " texts"]
) -> Float[np.ndarray, "measures pairs groups"]:
    """Each first less each second method (pairs as ``itertools.combinations``), summed over the copies of each text;
    0 where one of the two has no number, or rounding made the difference."""
    first, second = np.array(list(combinations(range(values.shape[1]), 2)), dtype=int).reshape(-1, 2).T
    sizes = np.where(np.isfinite(values), np.abs(values), 0.0).max(2, initial=0.0)
    least = ROUNDING * np.maximum(np.maximum(sizes[:, first], sizes[:, second]), 1e-300)[..., None]
    each = values[:, first] - values[:, second]
    each = np.where(np.isfinite(each) & (np.abs(each) > least), each, 0.0)
    groups = np.zeros((*each.shape[:2], int(owners.max(initial=-1)) + 1))
    for text, owner in enumerate(owners.tolist()):
        groups[..., owner] += each[..., text]
    return np.where(np.abs(groups) > least, groups, 0.0)


def certain(differing: Float[np.ndarray, "rows groups"], samples: int, seed: int) -> Bool[np.ndarray, " rows"]:
    """Which rows of differences have a mean other than 0, all said at ``LEVEL`` together.

    A test by sign flips: were two methods alike, each text's difference might as well have the other sign. A row's
    number is ``|sum| / sqrt(sum of squares)`` (as good as its t value); what it must exceed is the ``LEVEL`` quantile
    of the largest of all rows when whole texts turn their sign at random, ``samples`` times. Rows found so are set
    aside, and the rest is held to its own largest, until nothing more is found (Westfall and Young, Resampling-Based
    Multiple Testing, 1993, step-down max T). So, were all methods alike, one evaluation in twenty would say of any two
    that one is better, however many methods and measures there are. That is exact for methods that could be exchanged
    text by text; for equal means of skewed differences it holds the better the more texts there are. Rows that differ
    on fewer than ``FEWEST`` texts are never certain.
    """
    found = np.zeros(len(differing), dtype=bool)
    left = np.flatnonzero((differing != 0).sum(1) >= FEWEST)
    scaled = differing[left] / np.linalg.norm(differing[left], axis=1, keepdims=True)
    seen = np.abs(scaled.sum(1))
    signs = np.random.default_rng([seed, 1]).integers(0, 2, (differing.shape[1], samples), dtype=np.int8) * 2.0 - 1
    while len(left):
        above = 1 + (_largest(scaled, signs)[None] >= seen[:, None] - 1e-9).sum(1)
        new = above <= (1 - LEVEL) * (1 + samples)
        if not new.any():
            break
        found[left[new]] = True
        left, scaled, seen = left[~new], scaled[~new], seen[~new]
    return found


def _largest(
    scaled: Float[np.ndarray, "rows groups"], signs: Float[np.ndarray, "groups samples"]
) -> Float[np.ndarray, " samples"]:
    """The largest number of any row under each turn of signs."""
    parts = np.array_split(signs, max(len(scaled) * signs.shape[1] // BLOCK, 1), axis=1)
    return np.concatenate([np.abs(scaled @ part).max(0, initial=0.0) for part in parts])
