"""Word removal one text at a time, LIME's regression in plain numpy, input reduction as a plain beam search.

``f`` takes a list of words and gives a number (or a pair of number and label).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np


def without(words: Sequence[str], start: int, stop: int, filler: str | None) -> list[str]:
    """The words with those from start to stop dropped, or each replaced by ``filler``."""
    middle = [] if filler is None else [filler] * (stop - start)
    return [*words[:start], *middle, *words[stop:]]


def leave_one_out(f: Callable[[list[str]], float], words: Sequence[str], filler: str | None) -> list[float]:
    return [f(list(words)) - f(without(words, t, t + 1, filler)) for t in range(len(words))]


def lime_weight(present: Sequence[int], kernel: float) -> float:
    """Ribeiro et al. 2016, Sec. 3.4, as their text explainer: cosine distance times 100, exponential kernel, root."""
    dot = sum(present)
    length = math.sqrt(sum(z * z for z in present)) * math.sqrt(len(present))
    distance = 1 - dot / length if length else 1.0
    return math.sqrt(math.exp(-((100 * distance) ** 2) / kernel**2))


def ridge(Z: np.ndarray, y: np.ndarray, weight: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Minimise sum_i w_i (y_i - a - b z_i)^2 + penalty |b|^2 over b and a by its normal equations."""
    samples, words = Z.shape
    A = np.zeros((words + 1, words + 1))
    B = np.zeros(words + 1)
    for i in range(samples):
        row = np.append(Z[i], 1.0)
        A += weight[i] * np.outer(row, row)
        B += weight[i] * row * y[i]
    for j in range(words):
        A[j, j] += penalty
    solution = np.linalg.solve(A, B)
    return solution[:-1], float(solution[-1])


def input_reduction(
    f: Callable[[list[str]], tuple[float, int]], words: Sequence[str], beam: int
) -> tuple[list[int], list[int]]:
    """Words left and words gone, in order: Feng et al. 2018, every removal tried, the label kept."""
    label = f(list(words))[1]
    paths: list[tuple[list[int], list[int]]] = [(list(range(len(words))), [])]
    while True:
        found: list[tuple[float, list[int], list[int]]] = []
        met: list[list[int]] = []
        for left, gone in paths:
            if len(left) == 1:
                continue
            for word in left:
                rest = [other for other in left if other != word]
                if rest in met:
                    continue
                met.append(rest)
                number, now = f([words[i] for i in rest])
                if now == label:
                    found.append((number, rest, [*gone, word]))
        if not found:
            return paths[0]
        found.sort(key=lambda one: -one[0])
        paths = [(left, gone) for _, left, gone in found[:beam]]
