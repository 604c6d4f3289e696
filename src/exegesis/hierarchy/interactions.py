"""Interactions of two words: what they do to the number together beyond what each does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.batch import Batch
from exegesis.core.errors import UsageError, unknown
from exegesis.core.explain import array, finite, prediction_of
from exegesis.core.model import Classifier
from exegesis.core.pairs import KINDS, Interactions
from exegesis.core.seed import generator
from exegesis.core.target import Ask, Target
from exegesis.core.text import Text
from exegesis.mech.coalitions import Game
from exegesis.mech.shapley import flat, orders

MOST = 12  # words up to which all coalitions can be asked for


@dataclass(frozen=True)
class Pairwise:
    """The interaction of every two words i and j, in the unit of the number ``v``; zero where the two only add up.

    ``shapley``: the Shapley interaction index (Grabisch and Roubens 1999), the mean of
    ``v(S+i+j) - v(S+i) - v(S+j) + v(S)`` over the coalitions S of the other words, each size as likely. Exact up to
    ``exact`` words; beyond, the mean over ``samples`` drawn orders (each followed by its reverse) of that difference at
    the words before i, j left out (so that both come in at i's place), with the standard errors in ``details``.
    ``removal``: the same difference at all other words, ``v(N) - v(N-i) - v(N-j) + v(N-i-j)``.
    ``alone``: the same at none, ``v(ij) - v(i) - v(j) + v()``.

    ``how`` says what stands for the words that are left out, as for leave-one-out.
    """

    kind: str = "shapley"
    how: str = "drop"
    samples: int = 50
    exact: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("kind of interaction", self.kind, KINDS)
        if self.samples < 4 or self.samples % 2 or not 0 <= self.exact <= MOST:
            raise UsageError(f"interactions need samples of 4 or more, an even number, and exact from 0 to {MOST}")

    def __call__(self, model: Classifier, texts: Sequence[Text], asked: Ask) -> list[Interactions]:
        start = time.perf_counter()
        batch = model.encode(texts)
        raw = finite(model.outputs(batch), model, "outputs")
        target = asked.of(raw, model.link)
        found = self._values(Game(model, batch, self.how), batch, target)
        explained, probabilities = array(target.of(raw)), array(model.link.probabilities(raw))
        decided = model.link.decide(raw).tolist()
        seconds = (time.perf_counter() - start) / len(texts)
        return [
            Interactions(
                text=text,
                values=values,
                kind=self.kind,
                how=self.how,
                target=target.names(row, model.labels)[0],
                prediction=prediction_of(model, probabilities[row], decided[row]),
                explained=float(explained[row, 0]),
                seconds=seconds,
                model=model.name,
                details=details,
            )
            for row, (text, (values, details)) in enumerate(zip(texts, found, strict=True))
        ]

    def _values(self, game: Game, batch: Batch, target: Target) -> list[tuple[np.ndarray, dict[str, Any]]]:
        plans = [self._plan(text) for text in batch.texts]
        found: dict[int, tuple[np.ndarray, dict[str, Any]]] = {}
        for row, numbers in game.each(target, lambda row: plans[row].ravel().tolist()):
            words = len(batch.texts[row].words)
            found[row] = self._mean(numbers[:, 0].reshape(plans[row].shape), words)
        return [found[row] for row in range(len(batch))]

    def _plan(self, text: Text) -> np.ndarray:
        """For every pair its sets S, and the four coalitions of each: ``[pair, S, 4]`` of Python's whole numbers."""
        words = len(text.words)
        drawn = self._drawn(text)
        pairs = [(i, j) for i in range(words) for j in range(i + 1, words)]
        every = []
        for i, j in pairs:
            two = [1 << i, 1 << j]
            sets = self._sets(words, i, j, drawn)
            every.append([[s | two[0] | two[1], s | two[0], s | two[1], s] for s in sets])
        shape = (len(pairs), len(every[0]) if every else 0, 4)
        found = np.empty(shape, dtype=object)
        if every:
            found[...] = every
        return found

    def _drawn(self, text: Text) -> list[list[int]]:
        if self.kind != "shapley" or len(text.words) <= self.exact:
            return []
        return orders(flat(len(text.words)), self.samples, generator(text, self.seed))

    def _sets(self, words: int, i: int, j: int, drawn: Sequence[Sequence[int]]) -> list[int]:
        rest = ((1 << words) - 1) ^ (1 << i) ^ (1 << j)
        if self.kind != "shapley":
            return [rest if self.kind == "removal" else 0]
        if drawn:
            return [_before(order, i, j) for order in drawn]
        found = [0]
        for word in range(words):
            if word not in (i, j):
                found += [one | 1 << word for one in found]
        return found

    def _mean(self, values: Float[Tensor, "p s 4"], words: int) -> tuple[np.ndarray, dict[str, Any]]:
        gains = values[..., 0] - values[..., 1] - values[..., 2] + values[..., 3]
        details: dict[str, Any] = {}
        if words < 2:
            return np.zeros((words, words)), details
        if self.kind != "shapley":
            mean = gains[:, 0]
        elif words <= self.exact:
            sizes = torch.tensor([number.bit_count() for number in range(gains.shape[1])])
            others = words - 2
            each = [factorial(s) * factorial(others - s) / factorial(others + 1) for s in range(others + 1)]
            mean = gains @ torch.tensor(each, dtype=gains.dtype)[sizes]
        else:
            pairs = (gains[:, 0::2] + gains[:, 1::2]) / 2
            mean = pairs.mean(1)
            error = _square(pairs.std(1) / pairs.shape[1] ** 0.5, words)
            details = {"orders": gains.shape[1], "standard_error": error.tolist()}
        return _square(mean, words), details


def _before(order: Sequence[int], i: int, j: int) -> int:
    """The words before i in an order, j left out."""
    found = 0
    for word in order:
        if word == i:
            break
        found |= 1 << word
    return found & ~(1 << j)


def _square(values: Float[Tensor, " p"], words: int) -> np.ndarray:
    found = np.zeros((words, words))
    upper = np.triu_indices(words, 1)
    found[upper] = values.numpy()
    return found + found.T
