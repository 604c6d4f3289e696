"""Slices of a corpus: how right a model is, and what it predicts, on some texts beside the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

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
) -> Iterator[Slice]:
    """A slice of each group of texts; a group's difference is taken from the texts outside it, on the same draws."""
    right = np.array([np.nan if gold is None else float(gold == label)
                      for gold, label in zip(golds, predicted, strict=True)])  # fmt: skip
    first = np.array([float(label == labels[0]) for label in predicted])
    draws = draw_texts(len(predicted), samples, seed)
    for name, inside in groups.items():
        count = int(inside.sum())
        own = [predicted[i] for i in np.flatnonzero(inside).tolist()]
        shares = {label: own.count(label) / count if count else np.nan for label in labels}
        whole = bool(inside.all()) or not count
        yield Slice(
            name, count, int(np.isfinite(right[inside]).sum()), _rate(right, inside, draws), shares,
            NOTHING if whole else _difference(right, inside, draws),
            NOTHING if whole else _difference(first, inside, draws),
        )  # fmt: skip


def holding(texts: Sequence[Text], words: Sequence[str]) -> Bool[np.ndarray, " texts"]:
    """Which texts hold one of the words, in whatever case."""
    wanted = {normal(word) for word in words}
    return np.array([any(normal(word) in wanted for word in text.word_strings()) for text in texts], dtype=bool)


def distinct(texts: Sequence[Text]) -> int:
    """How many different texts there are."""
    return len(set(owners_of([text.raw for text in texts]).tolist()))


def _rate(values: Float[np.ndarray, " texts"], inside: Bool[np.ndarray, " texts"], draws: np.ndarray) -> Rate:
    kept = np.where(inside, values, np.nan)
    known = kept[np.isfinite(kept)]
    if not len(known):
        return NOTHING
    return Rate(float(known.mean()), *interval(resampled_means(kept[None], draws)[0], len(known)))


def _difference(values: Float[np.ndarray, " texts"], inside: Bool[np.ndarray, " texts"], draws: np.ndarray) -> Rate:
    rows = np.stack([np.where(inside, values, np.nan), np.where(inside, np.nan, values)])
    sizes = np.isfinite(rows).sum(1)
    if not sizes.all():
        return NOTHING
    means = np.nanmean(rows, 1)
    moved = resampled_means(rows, draws)
    return Rate(float(means[0] - means[1]), *interval(moved[0] - moved[1], int(sizes.min())))
