"""Orders in which rounding does not decide: numbers that are as good as equal keep the order in which they came.

And how many places a share of them is.
"""

from __future__ import annotations

from collections.abc import Sequence

SHARE = 1e-6  # of the largest of some scores: within it they count as equal


def ranked(values: Sequence[float], slack: float, most: int | None = None) -> list[int]:
    """The places of values, the highest first, or those of the ``most`` highest.

    A value within ``slack`` of the highest of those that are left counts as equal to it; of equal ones the first place
    comes first.
    """
    falling = sorted(range(len(values)), key=lambda place: -values[place])
    places: list[int] = []
    start = 0
    while start < len(falling) and (most is None or len(places) < most):
        lowest, stop = values[falling[start]] - slack, start + 1
        while stop < len(falling) and values[falling[stop]] >= lowest:
            stop += 1
        places += sorted(falling[start:stop])
        start = stop
    return places[:most]


def slack_of(values: Sequence[float]) -> float:
    """The difference within which scores count as equal: ``SHARE`` of the largest."""
    return SHARE * max((abs(value) for value in values), default=0.0)


def top_count(share: float, count: int) -> int:
    """The number of words in a share of ``count`` words: rounded, a half to the even number (2 of 5), at least one."""
    return max(1, round(share * count))
