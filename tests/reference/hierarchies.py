"""Shapley and Owen values, HEDGE, ACD and SOC with one call of the model a text: the papers' letters, no pooling.

``f`` takes the set of words that are kept (numbers) and gives a number; ``s`` takes a span of word numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, permutations
from math import factorial

Value = Callable[[frozenset[int]], float]
Tree = int | list  # a word, or a list of trees


def shapley(f: Value, n: int) -> list[float]:
    """The mean gain of each word over all n! orders."""
    found = [0.0] * n
    for order in permutations(range(n)):
        seen: frozenset[int] = frozenset()
        for word in order:
            found[word] += f(seen | {word}) - f(seen)
            seen |= {word}
    return [value / factorial(n) for value in found]


def words_of(tree: Tree) -> list[int]:
    return [tree] if isinstance(tree, int) else [word for part in tree for word in words_of(part)]


def orders_of(tree: Tree) -> list[list[int]]:
    """Every order in which the words of each subtree stand together."""
    if isinstance(tree, int):
        return [[tree]]
    found = []
    for turn in permutations(tree):
        rows: list[list[int]] = [[]]
        for part in turn:
            rows = [row + more for row in rows for more in orders_of(part)]
        found += rows
    return found


def owen(f: Value, tree: Tree) -> list[float]:
    """The mean gain of each word over the orders that keep phrases together, each as likely."""
    rows = orders_of(tree)
    found = [0.0] * len(words_of(tree))
    for order in rows:
        seen: frozenset[int] = frozenset()
        for word in order:
            found[word] += (f(seen | {word}) - f(seen)) / len(rows)
            seen |= {word}
    return found


def shapley_interaction(f: Value, players: Sequence[frozenset[int]], i: int, j: int) -> float:
    """Grabisch and Roubens 1999: of players i and j, over all coalitions of the others."""
    others = [p for number, p in enumerate(players) if number not in (i, j)]
    total, m = 0.0, len(players)
    for size in range(len(others) + 1):
        weight = factorial(size) * factorial(m - size - 2) / factorial(m - 1)
        for chosen in combinations(others, size):
            S = frozenset().union(*chosen)
            gain = f(S | players[i] | players[j]) - f(S | players[i]) - f(S | players[j]) + f(S)
            total += weight * gain
    return total


def hedge(f: Value, n: int, m: int) -> list[tuple[tuple[int, int], int, float]]:
    """Chen, Zheng and Ji 2020, Algorithm 1: (phrase, cut, its interaction) in the order of cutting.

    The two parts interact within a window of m phrases on either side.
    """
    phrases = [(0, n)]
    found = []
    while len(phrases) < n:
        best: tuple[float, int, int] | None = None
        for place, (start, stop) in enumerate(phrases):
            for cut in range(start + 1, stop):
                near = [
                    *phrases[max(0, place - m) : place],
                    (start, cut),
                    (cut, stop),
                    *phrases[place + 1 : place + 1 + m],
                ]
                players = [frozenset(range(*phrase)) for phrase in near]
                at = min(m, place)
                phi = shapley_interaction(f, players, at, at + 1)
                if best is None or phi < best[0] - 1e-9:
                    best = (phi, place, cut)
        assert best is not None
        phi, place, cut = best
        start, stop = phrases[place]
        found.append(((start, stop), cut, phi))
        phrases[place : place + 1] = [(start, cut), (cut, stop)]
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """Between the two values that the share falls between, linearly."""
    ordered = sorted(values)
    place = share / 100 * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def acd(
    s: Callable[[int, int], float], n: int, share: float, less_own: bool = False
) -> list[tuple[tuple[int, int], list[tuple[int, int]], int]]:
    """Singh, Murdoch and Yu 2019, Algorithm 1 with runs of selected words as groups: (group, its parts, round)."""
    selected: list[int] = []
    groups: list[tuple[int, int]] = []
    found = []
    round_ = 0
    while len(selected) < n:
        round_ += 1
        left = [word for word in range(n) if word not in selected]
        priority = {}
        for word in left:
            gains = []
            for start, stop in groups:
                if word == start - 1:
                    gains.append(s(word, stop) - s(start, stop))
                if word == stop:
                    gains.append(s(start, word + 1) - s(start, stop))
            own = s(word, word + 1)
            priority[word] = max(abs(gain - own * less_own) for gain in gains) if gains else abs(own)
        lowest = percentile(list(priority.values()), share)
        selected += [word for word in left if priority[word] >= lowest - 1e-9]
        before, groups = groups, []
        for word in sorted(selected):
            if groups and groups[-1][1] == word:
                groups[-1] = (groups[-1][0], word + 1)
            else:
                groups.append((word, word + 1))
        for start, stop in groups:
            if stop - start > 1 and (start, stop) not in before:
                old = [group for group in before if start <= group[0] and group[1] <= stop]
                inside = [word for a, b in old for word in range(a, b)]
                parts = sorted(old + [(word, word + 1) for word in range(start, stop) if word not in inside])
                found.append(((start, stop), parts, round_))
    return found


def soc(
    f: Callable[[list[str]], float], words: Sequence[str], start: int, stop: int,
    places: Sequence[int], drawn: Sequence[Sequence[str]], filler: str | None,
) -> float:  # fmt: skip
    """Jin et al. 2020, Eq. 7, over given draws for the words at ``places``."""
    total = 0.0
    for filling in drawn:
        text = list(words)
        for place, word in zip(places, filling, strict=True):
            text[place] = word
        middle = [] if filler is None else [filler] * (stop - start)
        total += f(text) - f([*text[:start], *middle, *text[stop:]])
    return total / len(drawn)
