"""Interactions of two words: their joint effect on the number beyond the effect of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import factorial
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.core.parameters import at_least, between, even
from exegesis.core.registry import Registry
from exegesis.core.text import Text
from exegesis.engine.answer import Task, answer
from exegesis.mech.removal.coalitions import Game
from exegesis.mech.removal.perturbed import How
from exegesis.mech.removal.shapley import flat, orders
from exegesis.protocols.batch import Batch
from exegesis.protocols.draws import generator
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Ask, Target
from exegesis.results.header import Origin, Subject
from exegesis.results.interactions import Interactions

MAX_EXACT = 12  # the most words for which all coalitions can be run
COALITION = 300  # bytes of a coalition and its value
Effects = tuple[np.ndarray, dict[str, Any]]  # the matrix of one text, and its details
REMEDIES = {"removal": "take a shorter text", "alone": "take a shorter text",
        "shapley": "take fewer samples, kind 'removal' or a shorter text"}  # fmt: skip


@dataclass(frozen=True)
class KindCard:
    """The public facts about a kind of interaction."""

    name: str
    summary: str
    cls: type


KINDS: Registry[KindCard] = Registry("kind of interaction")
T = TypeVar("T", bound=type)


def interaction(name: str, summary: str, **preset: Any) -> Callable[[T], T]:
    """Register a frozen dataclass as a kind of interaction; ``preset`` are the parameters that this kind fixes.

    Raises UsageError if the name is taken or the class is not a frozen dataclass.
    """

    def register(cls: T) -> T:
        KINDS.add(KindCard(name, summary, cls), **preset)
        return cls

    return register


@interaction("shapley", "the Shapley interaction index of two words, over all sets of other words", kind="shapley")
@interaction("removal", "what two words do together in the whole text", kind="removal")
@interaction("alone", "what two words do together without all other words", kind="alone")
@dataclass(frozen=True)
class Pairwise:
    """The interaction of every two words i and j, in the unit of the number ``v``; zero if their effects only add up.

    ``shapley``: the Shapley interaction index (Grabisch and Roubens 1999), the mean of ``v(S+i+j) - v(S+i) - v(S+j) +
    v(S)`` over the coalitions S of the other words, with equal weight for each size. It is exact up to ``exact`` words;
    for longer texts it is the mean over ``samples`` drawn orders (each followed by its reverse) of that difference at
    the words before i without j (so that both enter at i's place), with the standard errors in ``details``.
    ``removal``: the same difference at all other words, ``v(N) - v(N-i) - v(N-j) + v(N-i-j)``. ``alone``: the same
    difference without other words, ``v(ij) - v(i) - v(j) + v()``.

    ``how`` says what replaces the words that are left out, as for leave-one-out. A text of n words has n (n - 1) / 2
    pairs, with four coalitions for every S; a text that needs more than ``most`` coalitions is refused.
    """

    kind: Literal["shapley", "removal", "alone"] = "shapley"
    how: How = "drop"
    samples: Annotated[int, at_least(4), even] = 50
    exact: Annotated[int, between(0, MAX_EXACT)] = 10
    seed: int = 0
    most: Annotated[int, at_least(4)] = 500_000

    def passes(self, text: Text, numbers: int) -> int:
        """The coalitions of the pairs of a text, at most."""
        words = len(text.words)
        sets = 1 if self.kind != "shapley" else 1 << max(words - 2, 0) if words <= self.exact else self.samples
        return 2 * words * (words - 1) * sets

    def held(self, text: Text, numbers: int) -> int:
        """Bytes of the matrix, while it is put together, and of the coalitions."""
        words = len(text.words)
        return 4 * 8 * words**2 + self.passes(text, numbers) * (words // 8 + COALITION)

    def affordable(self, text: Text, where: str = "") -> None:
        """Raise UsageError, which names the text by ``where``, if a text needs more coalitions than ``most``."""
        words, count = len(text.words), self.passes(text, 1)
        if count > self.most:
            raise UsageError(
                f"{where}{self.kind} interactions of {words:,} words run the model on up to {count:,} coalitions of "
                f"them (at most {self.most:,} unless most= says otherwise): {REMEDIES[self.kind]}"
            )

    @property
    def name(self) -> str:
        """The name of the question."""
        return "interactions"

    @property
    def parameters(self) -> str:
        """The interaction with its parameters, as code."""
        return repr(self)

    def answer(self, task: Task) -> list[Effects]:
        """The matrix of each text, with its details. Raises UsageError for a text that needs too many coalitions."""
        for text in task.texts:
            self.affordable(text)
        return self._values(Game(task.model, task.batch, self.how), task.batch, task.target)

    def result(self, subject: Subject, origin: Origin, body: Effects) -> Interactions:
        """The interactions of one text."""
        values, details = body
        told = replace(origin, details={**origin.details, **details})
        return Interactions(subject, told, values, self.kind, self.how)

    def _values(self, game: Game, batch: Batch, target: Target) -> list[Effects]:
        shapes: dict[int, tuple[int, ...]] = {}

        def coalitions_of(row: int) -> list[int]:
            plan = self._plan(batch.texts[row])
            shapes[row] = plan.shape
            coalitions: list[int] = plan.ravel().tolist()
            return coalitions

        effects: dict[int, Effects] = {}
        for row, numbers in game.each(target, coalitions_of):
            effects[row] = self._mean(numbers[:, 0].reshape(shapes[row]), len(batch.texts[row].words))
        return [effects[row] for row in range(len(batch))]

    def _plan(self, text: Text) -> np.ndarray:
        """The sets S of every pair, and the four coalitions of each set: ``[pair, S, 4]`` of Python's whole numbers."""
        words = len(text.words)
        drawn_orders = self._orders(text)
        pairs = [(i, j) for i in range(words) for j in range(i + 1, words)]
        rows = []
        for i, j in pairs:
            pair = [1 << i, 1 << j]
            sets = self._sets(words, i, j, drawn_orders)
            rows.append([[s | pair[0] | pair[1], s | pair[0], s | pair[1], s] for s in sets])
        shape = (len(pairs), len(rows[0]) if rows else 0, 4)
        plan = np.empty(shape, dtype=object)
        if rows:
            plan[...] = rows
        return plan

    def _orders(self, text: Text) -> list[list[int]]:
        if self.kind != "shapley" or len(text.words) <= self.exact:
            return []
        return orders(flat(len(text.words)), self.samples, generator(text, self.seed))

    def _sets(self, words: int, i: int, j: int, orders: Sequence[Sequence[int]]) -> list[int]:
        rest = ((1 << words) - 1) ^ (1 << i) ^ (1 << j)
        if self.kind != "shapley":
            return [rest if self.kind == "removal" else 0]
        if orders:
            return [_before(order, i, j) for order in orders]
        subsets = [0]
        for word in range(words):
            if word not in (i, j):
                subsets += [subset | 1 << word for subset in subsets]
        return subsets

    def _mean(self, values: Float[Tensor, "p s 4"], words: int) -> Effects:
        gains = values[..., 0] - values[..., 1] - values[..., 2] + values[..., 3]
        details: dict[str, Any] = {}
        if words < 2:
            return np.zeros((words, words)), details
        if self.kind != "shapley":
            mean = gains[:, 0]
        elif words <= self.exact:
            sizes = torch.tensor([number.bit_count() for number in range(gains.shape[1])])
            others = words - 2
            weights = [factorial(s) * factorial(others - s) / factorial(others + 1) for s in range(others + 1)]
            mean = gains @ torch.tensor(weights, dtype=gains.dtype)[sizes]
        else:
            pairs = (gains[:, 0::2] + gains[:, 1::2]) / 2
            mean = pairs.mean(1)
            error = _square(pairs.std(1) / pairs.shape[1] ** 0.5, words)
            details = {"orders": gains.shape[1], "standard_error": error.tolist()}
        return _square(mean, words), details


def interact(
    model: Classifier, texts: Sequence[Text], pairwise: Pairwise, choice: Ask
) -> Iterator[tuple[int, Interactions]]:
    """The interactions of texts as they are ready, each with the number of its text.

    Raises UsageError, before any text is run, for a text that needs more coalitions than ``pairwise.most``.
    """
    for number, text in enumerate(texts, 1):
        pairwise.affordable(text, f"text {number} of {len(texts)}: " if len(texts) > 1 else "")
    yield from answer(model, texts, pairwise, choice)


def _before(order: Sequence[int], i: int, j: int) -> int:
    """The coalition of the words before i in an order, without j."""
    coalition = 0
    for word in order:
        if word == i:
            break
        coalition |= 1 << word
    return coalition & ~(1 << j)


def _square(values: Float[Tensor, " p"], words: int) -> np.ndarray:
    """The symmetric matrix of the values of all pairs, with zeros on its diagonal."""
    matrix = np.zeros((words, words))
    upper = np.triu_indices(words, 1)
    matrix[upper] = values.numpy()
    return matrix + matrix.T
