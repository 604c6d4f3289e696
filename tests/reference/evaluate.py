"""Measures of explanations written plainly, one text and one call at a time.

``f`` takes the numbers of the words that are left and gives the label's probability.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

F = Callable[[list[int]], float]  # from the numbers of the words that are kept


def order(scores: Sequence[float]) -> list[int]:
    found = list(range(len(scores)))
    found.sort(key=lambda i: -scores[i])
    return found


def without(n: int, gone: Sequence[int]) -> list[int]:
    return [i for i in range(n) if i not in gone]


def faithfulness(f: F, units: Sequence[Sequence[int]], n: int, scores: Sequence[float]) -> float:
    """Eq. 23: units are lists of word numbers, scores theirs."""
    best = max(range(len(units)), key=lambda u: scores[u])
    return f(list(range(n))) - f(without(n, units[best]))


def area(points: Sequence[tuple[float, float]]) -> float:
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))


def deletion(f: F, scores: Sequence[float]) -> float:
    n, ranked = len(scores), order(scores)
    return area([(k / n, f(without(n, ranked[:k]))) for k in range(n + 1)])


def insertion(f: F, scores: Sequence[float]) -> float:
    n, ranked = len(scores), order(scores)
    return area([(k / n, f(sorted(ranked[:k]))) for k in range(n + 1)])


def taken(share: float, n: int) -> int:
    return max(1, round(share * n))


def comprehensiveness(f: F, scores: Sequence[float], share: float) -> float:
    n = len(scores)
    return f(list(range(n))) - f(without(n, order(scores)[: taken(share, n)]))


def sufficiency(f: F, scores: Sequence[float], share: float) -> float:
    n = len(scores)
    return f(list(range(n))) - f(sorted(order(scores)[: taken(share, n)]))


def aopc(one: Callable[[F, Sequence[float], float], float], f: F, scores: Sequence[float]) -> float:
    return sum(one(f, scores, share) for share in (0.01, 0.05, 0.1, 0.2, 0.5)) / 5


def decision_flip(f: F, scores: Sequence[float]) -> float:
    """For two labels: the label flips where its probability falls below one half."""
    n, ranked = len(scores), order(scores)
    for k in range(1, n):
        if (f(without(n, ranked[:k])) >= 0.5) != (f(list(range(n))) >= 0.5):
            return k / n
    return 1.0


def infidelity(g: F, scores: Sequence[float], drawn: Sequence[Sequence[int]]) -> tuple[float, float]:
    """The paper's number, and the scaled one, of the explained number ``g``."""
    n = len(scores)
    said = [sum(scores[i] for i in gone) for gone in drawn]
    lost = [g(list(range(n))) - g(without(n, gone)) for gone in drawn]
    plain = sum((s - d) ** 2 for s, d in zip(said, lost, strict=True)) / len(drawn)
    factor = max(0.0, sum(s * d for s, d in zip(said, lost, strict=True)) / sum(s * s for s in said))
    scaled = sum((factor * s - d) ** 2 for s, d in zip(said, lost, strict=True)) / sum(d * d for d in lost)
    return plain, scaled


def ranks(values: Sequence[float]) -> list[float]:
    """From 1, ties sharing their mean."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values
    ]


def correlation(first: Sequence[float], second: Sequence[float]) -> float:
    a, b = sum(first) / len(first), sum(second) / len(second)
    top = sum((x - a) * (y - b) for x, y in zip(first, second, strict=True))
    return top / math.sqrt(sum((x - a) ** 2 for x in first) * sum((y - b) ** 2 for y in second))


def monotonicity(f: F, scores: Sequence[float]) -> float:
    n = len(scores)
    lost = [f(list(range(n))) - f(without(n, [i])) for i in range(n)]
    return correlation(ranks(scores), ranks(lost))


def token_f1(scores: Sequence[float], marked: Sequence[bool], count: int) -> float:
    top = order(scores)[:count]
    hits = sum(marked[i] for i in top)
    return 2 * hits / (len(top) + sum(marked))


def average_precision(scores: Sequence[float], marked: Sequence[bool]) -> float:
    """Scores without ties: the mean over marked words of the precision at their place."""
    ranked, found, total = order(scores), 0, 0.0
    for place, i in enumerate(ranked, 1):
        if marked[i]:
            found += 1
            total += found / place
    return total / sum(marked)
