"""The agreement of methods: rank correlation and common top words, per text and over a corpus."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.silence import silent
from exegesis.questions.trust.measuring.scores import ranks as spearman_ranks
from exegesis.results.attribution import Attribution

TOP = 3


class Agreement(NamedTuple):
    """The agreement of methods on the same texts.

    ``ranks`` is the mean Spearman correlation of each two methods over texts, ``tops`` the mean share of top words that
    two methods have in common, ``disputes`` the mean correlation over pairs of methods for each text.
    """

    ranks: Float[np.ndarray, "methods methods"]
    tops: Float[np.ndarray, "methods methods"]
    disputes: Float[np.ndarray, " texts"]


def agreement(results: Sequence[Sequence[Attribution | None]]) -> Agreement:
    """The agreement of methods' explanations ``[method][text]``; NaN if a pair has no text in common or equal scores.

    The top words are the ``TOP`` words of largest magnitude (fewer in a shorter text); ties go in reading order.
    """
    methods, texts = len(results), len(results[0])
    ranks, tops = np.full((texts, methods, methods), math.nan), np.full((texts, methods, methods), math.nan)
    for i in range(texts):
        scores = [None if (result := results[k][i]) is None else result.over_words().scores for k in range(methods)]
        ranked = [None if values is None else spearman_ranks(values) for values in scores]
        best = [None if values is None else _top(values) for values in scores]
        for k in range(methods):
            for m in range(methods):
                first, second, mine, theirs = ranked[k], ranked[m], best[k], best[m]
                if first is not None and second is not None:
                    ranks[i, k, m] = float(first @ second) if len(first) else math.nan
                if mine is not None and theirs is not None:
                    tops[i, k, m] = len(mine & theirs) / len(mine)
    pairs = np.triu_indices(methods, 1)
    with silent(RuntimeWarning):  # means of nothing are NaN
        disputes = np.nanmean(ranks[:, pairs[0], pairs[1]], 1) if methods > 1 else np.full(texts, math.nan)
        return Agreement(np.nanmean(ranks, 0), np.nanmean(tops, 0), disputes)


def _top(scores: Float[np.ndarray, " words"]) -> set[int]:
    return set(np.argsort(-np.abs(scores), kind="stable")[:TOP].tolist())
