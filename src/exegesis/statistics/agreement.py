"""The agreement of two lists of scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from exegesis.core.shown import Shown


@dataclass(frozen=True)
class Comparison(Shown):
    """Agreement of two explanations of the same words.

    ``spearman`` and ``kendall`` (tau-b) are rank correlations from -1 to 1, NaN where one side is constant or
    there is one word. ``top`` is the share of the k words of largest magnitude that both name. ``signs`` is the
    share of words on which both agree in sign, words that either scores zero left out. ``differences`` lists
    every word with both scores, each divided by the largest magnitude of its side (so that scales compare),
    the largest difference first. ``names`` tell the two sides apart.
    """

    spearman: float
    kendall: float
    top: float
    k: int
    signs: float
    differences: tuple[tuple[str, float, float], ...]
    names: tuple[str, str] = ("first", "second")


def compare(
    words: Sequence[str], first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"], k: int = 3
) -> Comparison:
    """Compare two scores of the same words."""
    from scipy import stats

    varied = len(words) > 1 and np.ptp(first) > 0 and np.ptp(second) > 0
    k = min(k, len(words))
    best = [set(np.argsort(-np.abs(scores), kind="stable")[:k].tolist()) for scores in (first, second)]
    signed = (first != 0) & (second != 0)
    scaled = [scores / (np.abs(scores).max() or 1.0) for scores in (first, second)]
    order = np.argsort(-np.abs(scaled[0] - scaled[1]), kind="stable")
    return Comparison(
        spearman=float(stats.spearmanr(first, second).statistic) if varied else float("nan"),
        kendall=float(stats.kendalltau(first, second).statistic) if varied else float("nan"),
        top=len(best[0] & best[1]) / k if k else float("nan"),
        k=k,
        signs=float((np.sign(first) == np.sign(second))[signed].mean()) if signed.any() else float("nan"),
        differences=tuple((words[i], float(scaled[0][i]), float(scaled[1][i])) for i in order),
    )
