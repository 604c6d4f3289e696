"""The bootstrap over texts: resampled means and medians, their 95 % intervals, and the spread of scores.

Every interval of the package is made here, so that "95 %" means one thing: whole texts are drawn with replacement, a
text that stands several times counts once, and the percentiles are expanded for small numbers of texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Integer

LEVEL = 0.95  # of every interval
MIN_TEXTS = 6  # with fewer texts, even unanimous differences occur by chance more than 5 % of the time
MAX_CELLS = 1 << 22  # numbers held at a time


def owners_of(texts: Sequence[str]) -> Int[np.ndarray, " texts"]:
    """Number the distinct texts from 0, in the order of their first occurrence; copies share a number."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)


def draw_texts(count: int, samples: int, seed: int) -> Integer[np.ndarray, "samples texts"]:
    """Draw ``count`` texts with replacement, ``samples`` times: how often each text is in each bootstrap sample."""
    return np.concatenate(list(_drawn_blocks(count, samples, seed, count)))


def _drawn_blocks(count: int, samples: int, seed: int, width: int) -> Iterator[Integer[np.ndarray, "block texts"]]:
    """The rows of ``draw_texts``, as many at a time as ``width`` numbers each may be held."""
    generator = np.random.default_rng(seed)
    step = max(1, MAX_CELLS // max(width, 1))
    for start in range(0, samples, step):
        rows = min(step, samples - start)
        cells = generator.integers(0, max(count, 1), (rows, count)) + count * np.arange(rows)[:, None]
        yield np.bincount(cells.reshape(-1), minlength=rows * count).reshape(rows, count).astype(np.uint16)


def resampled_means(
    values: Float[np.ndarray, "rows texts"], draws: Integer[np.ndarray, "samples texts"]
) -> Float[np.ndarray, "rows samples"]:
    """The mean of the finite values of each row in each bootstrap sample; NaN in a sample that holds none of them."""
    finite = np.isfinite(values)
    filled, parts = np.where(finite, values, 0.0), []
    for part in np.array_split(draws, max(draws.size // MAX_CELLS, 1)):
        counts = part.astype(np.float64).T
        sums = filled @ counts
        sizes = np.broadcast_to(counts.sum(0), sums.shape) if finite.all() else finite.astype(np.float64) @ counts
        parts.append(np.divide(sums, sizes, out=np.full(sums.shape, np.nan), where=sizes > 0))
    return np.concatenate(parts, 1)


def mean_intervals(
    values: Float[np.ndarray, "rows texts"], samples: int = 1000, seed: int = 0
) -> list[tuple[float, float]]:
    """The 95 % interval of the mean of each row over its texts, all of which differ; NaN, what a text has not. The same
    draws serve all rows, a block of them at a time."""
    texts = values.shape[1]
    blocks = [resampled_means(values, draws) for draws in _drawn_blocks(texts, samples, seed, texts)]
    means = np.concatenate(blocks, 1) if blocks else np.zeros((len(values), 0))
    return [interval(row, int(np.isfinite(own).sum())) for row, own in zip(means, values, strict=True)]


def resampled_ratios(
    sums: Float[np.ndarray, "rows texts"],
    counts: Float[np.ndarray, " texts"],
    draws: Integer[np.ndarray, "samples texts"],
) -> Float[np.ndarray, "rows samples"]:
    """Sums over a text's parts, over the number of parts, in each bootstrap sample of texts; NaN without any part."""
    taken = draws.astype(np.float64)
    sizes = taken @ counts
    found: np.ndarray = np.divide(sums @ taken.T, sizes, out=np.full((len(sums), len(draws)), np.nan), where=sizes > 0)
    return found


def interval(resampled: Float[np.ndarray, " samples"], texts: int) -> tuple[float, float]:
    """The 95 % interval of a statistic from its bootstrap samples over ``texts`` distinct texts.

    The percentiles are those that give normal data a t interval (Hesterberg, What Teachers Should Know About the
    Bootstrap, 2015, Sec. 5.2: "expanded percentiles"), since plain percentiles are too narrow by ``sqrt(1 - 1/n)`` and
    by the t distribution. NaN for fewer than ``MIN_TEXTS`` texts.
    """
    finite = resampled[np.isfinite(resampled)]
    if texts < MIN_TEXTS or not len(finite):
        return np.nan, np.nan
    from scipy.special import ndtr, stdtrit  # takes long to load

    tail = float(ndtr(np.sqrt(texts / (texts - 1)) * stdtrit(texts - 1, (1 - LEVEL) / 2)))
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)


class Spread(NamedTuple):
    """A distribution of scores as a box plot shows it.

    ``low`` and ``high`` are the ends of the whiskers: the outermost scores within 1.5 interquartile ranges of the box
    (Tukey's fences). ``texts`` is the number of texts that the ``size`` scores come from. ``median_low`` to
    ``median_high`` and ``mean_low`` to ``mean_high`` are 95 % bootstrap intervals over whole texts, since the words of
    a text depend on each other; NaN for fewer than ``MIN_TEXTS`` texts. ``positive`` is the share of scores above 0.
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
    """The spread of scores; ``owners`` numbers the text of each score. There must be at least one score."""
    q1, median, q3 = (float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
    reach = 1.5 * (q3 - q1)
    inside = values[(values >= q1 - reach) & (values <= q3 + reach)]
    medians, means, texts = _resampled(values, owners, samples, seed)
    return Spread(
        len(values), texts, float(inside.min()), q1, median, q3, float(inside.max()), *interval(medians, texts),
        float(values.mean()), *interval(means, texts), float((values > 0).mean()),
    )  # fmt: skip


def median_difference(
    first: tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]],
    second: tuple[Float[np.ndarray, " m"], Int[np.ndarray, " m"]],
    samples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95 % interval of the median of ``first`` minus that of ``second``, each given as scores and their texts.

    The texts of the two are drawn independently. NaN if either comes from fewer than ``MIN_TEXTS`` texts.
    """
    (one, _, few), (two, _, many) = (
        _resampled(values, owners, samples, seed + number) for number, (values, owners) in enumerate((first, second))
    )
    return interval(one - two, min(few, many)) if len(one) and len(two) else (np.nan, np.nan)


def _resampled(
    values: Float[np.ndarray, " n"], owners: Int[np.ndarray, " n"], samples: int, seed: int
) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, " s"], int]:
    """Medians and means of bootstrap samples of whole texts, and the number of texts; empty arrays for few texts."""
    names, numbers = np.unique(owners, return_inverse=True)
    texts, none = len(names), np.zeros(0)
    if texts < MIN_TEXTS:
        return none, none, texts
    order = np.argsort(values, kind="stable")
    ranked, owner = values[order], numbers[order]
    medians, means = [], []
    for counts in _drawn_blocks(texts, samples, seed, max(len(values), texts)):
        weights = counts.astype(np.int64)[:, owner]
        below = weights.cumsum(1)
        half = below[:, -1:] / 2
        first, last = (below >= half).argmax(1), (below > half).argmax(1)
        medians.append((ranked[first] + ranked[last]) / 2)
        means.append(weights @ ranked / below[:, -1])
    return np.concatenate(medians), np.concatenate(means), texts
