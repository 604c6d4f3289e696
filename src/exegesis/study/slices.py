"""Slices of a corpus: how right a model is, and what it predicts, on some texts beside the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from exegesis.core.text import Text
from exegesis.results.behaviour.report import Rate, Slice
from exegesis.statistics.bootstrap import draw_texts, interval, owners_of, resampled_means
from exegesis.study.corpus import normal

NOTHING = Rate(np.nan, np.nan, np.nan)


def slices(
    golds: Sequence[str | None],
    predicted: Sequence[str],
    labels: Sequence[str],
    groups: Mapping[str, Bool[np.ndarray, " texts"]],
    samples: int = 2000,
    seed: int = 0,
    owners: Int[np.ndarray, " texts"] | None = None,
) -> Iterator[Slice]:
    """A slice of each group of texts; a group's difference is taken from the texts outside it, on the same draws.

    ``owners`` numbers the distinct texts, of which copies are drawn together; by default all differ.
    """
    numbers = np.arange(len(predicted)) if owners is None else owners
    right = np.array([np.nan if gold is None else float(gold == label)
                      for gold, label in zip(golds, predicted, strict=True)])  # fmt: skip
    first = np.array([float(label == labels[0]) for label in predicted])
    draws = draw_texts(int(numbers.max(initial=-1)) + 1, samples, seed)[:, numbers]
    for name, inside in groups.items():
        count = int(inside.sum())
        own = [predicted[i] for i in np.flatnonzero(inside).tolist()]
        shares = {label: own.count(label) / count if count else np.nan for label in labels}
        whole = bool(inside.all()) or not count
        yield Slice(
            name, count, int(np.isfinite(right[inside]).sum()), _rate(right, inside, draws, numbers), shares,
            NOTHING if whole else _difference(right, inside, draws, numbers),
            NOTHING if whole else _difference(first, inside, draws, numbers),
        )  # fmt: skip


def holding(texts: Sequence[Text], words: Sequence[str]) -> Bool[np.ndarray, " texts"]:
    """Which texts hold one of the words, in whatever case."""
    wanted = {normal(word) for word in words}
    return np.array([any(normal(word) in wanted for word in text.word_strings()) for text in texts], dtype=bool)


def numbered(texts: Sequence[Text]) -> Int[np.ndarray, " texts"]:
    """The number of each text among the distinct ones."""
    return owners_of([text.raw for text in texts])


def _rate(
    values: Float[np.ndarray, " texts"], inside: Bool[np.ndarray, " texts"], draws: np.ndarray,
    owners: Int[np.ndarray, " texts"],
) -> Rate:  # fmt: skip
    kept = np.where(inside, values, np.nan)
    known = np.isfinite(kept)
    if not known.any():
        return NOTHING
    low, high = interval(resampled_means(kept[None], draws)[0], len(np.unique(owners[known])))
    return Rate(float(kept[known].mean()), low, high)


def _difference(
    values: Float[np.ndarray, " texts"], inside: Bool[np.ndarray, " texts"], draws: np.ndarray,
    owners: Int[np.ndarray, " texts"],
) -> Rate:  # fmt: skip
    rows = np.stack([np.where(inside, values, np.nan), np.where(inside, np.nan, values)])
    sizes = [len(np.unique(owners[np.isfinite(row)])) for row in rows]
    if not all(sizes):
        return NOTHING
    means = np.nanmean(rows, 1)
    moved = resampled_means(rows, draws)
    return Rate(float(means[0] - means[1]), *interval(moved[0] - moved[1], min(sizes)))
