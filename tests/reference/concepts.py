"""TCAV written plainly: one set, one text, one step at a time (Kim et al. 2018)."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize


def direction(inside: np.ndarray, outside: np.ndarray, everyone: np.ndarray, penalty: float) -> np.ndarray:
    """The normal of a logistic regression of the states that are scaled as in the package, by scipy's BFGS."""
    middle = everyone.mean(0)
    size = np.sqrt(((everyone - middle) ** 2).sum(1).mean())
    rows = np.concatenate([inside, outside])
    rows = (rows - middle) / size
    y = np.array([1.0] * len(inside) + [-1.0] * len(outside))

    def loss(parameters: np.ndarray) -> float:
        w, b = parameters[:-1], parameters[-1]
        total = 0.0
        for x, sign in zip(rows, y, strict=True):
            total += np.log1p(np.exp(-sign * (x @ w + b)))
        return total / len(rows) + penalty / 2 * float(w @ w)

    w = minimize(loss, np.zeros(rows.shape[1] + 1), method="BFGS", options={"gtol": 1e-9}).x[:-1]
    return w / np.linalg.norm(w)


def sensitivity(number, states: np.ndarray, v: np.ndarray, step: float) -> float:
    """S (Eq. 1) by a difference: ``number`` of states ``[step, dimension]``, all of which move along v."""
    return (number(states + step * v) - number(states - step * v)) / (2 * step)


def score(sensitivities: list[float]) -> float:
    """TCAV (Eq. 2): the share of texts whose sensitivity is above zero."""
    return sum(1 for value in sensitivities if value > 0) / len(sensitivities)


def holm(values: list[float]) -> list[float]:
    """p values times the number of those not yet rejected, never falling, at most 1."""
    corrected, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=lambda n: values[n])):
        largest = max(largest, values[place] * (len(values) - rank))
        corrected[place] = min(1.0, largest)
    return corrected
