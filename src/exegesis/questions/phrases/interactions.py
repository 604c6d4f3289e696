"""Interactions of two words: what they do to the number together beyond what each does."""

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
from exegesis.engine.answer import Asked, answer
from exegesis.mech.removal.coalitions import Game
from exegesis.mech.removal.perturbed import How
from exegesis.mech.removal.shapley import flat, orders
from exegesis.protocols.batch import Batch
from exegesis.protocols.draws import generator
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Ask, Target
from exegesis.results.header import Origin, Subject
from exegesis.results.interactions import Interactions

MAX_EXACT = 12  # words, of which all coalitions can be run
Effects = tuple[np.ndarray, dict[str, Any]]  # the matrix of one text, and its details
HERE = {"removal": "take a shorter text", "alone": "take a shorter text",
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
    """Register a frozen dataclass as a kind of interaction, with the parameters ``preset`` that this kind sets."""

    def register(cls: T) -> T:
        KINDS.add(KindCard(name, summary, cls), **preset)
        return cls

    return register


@interaction("shapley", "the Shapley interaction index of two words, over all sets of other words", kind="shapley")
@interaction("removal", "what two words do together in the whole text", kind="removal")
@interaction("alone", "what two words do together without all other words", kind="alone")
@dataclass(frozen=True)
class Pairwise:
    """The interaction of every two words i and j, in the unit of the number ``v``; zero where the two only add up.

    ``shapley``: the Shapley interaction index (Grabisch and Roubens 1999), the mean of
    ``v(S+i+j) - v(S+i) - v(S+j) + v(S)`` over the coalitions S of the other words, each size as likely. Exact up to
    ``exact`` words; beyond, the mean over ``samples`` drawn orders (each followed by its reverse) of that difference at
    the words before i, j left out (so that both come in at i's place), with the standard errors in ``details``.
    ``removal``: the same difference at all other words, ``v(N) - v(N-i) - v(N-j) + v(N-i-j)``.
    ``alone``: the same at none, ``v(ij) - v(i) - v(j) + v()``.

    ``how`` says what stands for the words that are left out, as for leave-one-out. A text of n words has n (n - 1) / 2
    pairs, each of four coalitions for every S; one that has more than ``most`` of them is refused.
    """

    kind: Literal["shapley", "removal", "alone"] = "shapley"
    how: How = "drop"
    samples: Annotated[int, at_least(4), even] = 50
    exact: Annotated[int, between(0, MAX_EXACT)] = 10
    seed: int = 0
    most: Annotated[int, at_least(4)] = 500_000

    def affordable(self, text: Text, where: str = "") -> None:
        """Raises UsageError, which says ``where`` the text stands, for one of more coalitions than ``most``."""
        words = len(text.words)
        sets = 1 if self.kind != "shapley" else 1 << max(words - 2, 0) if words <= self.exact else self.samples
        asked = 2 * words * (words - 1) * sets
        if asked > self.most:
            raise UsageError(
                f"{where}{self.kind} interactions of {words:,} words run the model on up to {asked:,} coalitions of "
                f"them (at most {self.most:,} unless most= says otherwise): {HERE[self.kind]}"
            )

    @property
    def name(self) -> str:
        """The name of the question."""
        return "interactions"

    @property
    def parameters(self) -> str:
        """The interaction with its parameters, as code."""
        return repr(self)

    def answer(self, asked: Asked) -> list[Effects]:
        """The matrix of each text, with its details. Raises UsageError for a text of too many coalitions."""
        for text in asked.texts:
            self.affordable(text)
        return self._values(Game(asked.model, asked.batch, self.how), asked.batch, asked.target)

    def result(self, subject: Subject, origin: Origin, body: Effects) -> Interactions:
        """The interactions of one text."""
        values, details = body
        return Interactions(subject, replace(origin, details=details), values, self.kind, self.how)

    def _values(self, game: Game, batch: Batch, target: Target) -> list[Effects]:
        shapes: dict[int, tuple[int, ...]] = {}

        def asked(row: int) -> list[int]:
            plan = self._plan(batch.texts[row])
            shapes[row] = plan.shape
            coalitions: list[int] = plan.ravel().tolist()
            return coalitions

        found: dict[int, Effects] = {}
        for row, numbers in game.each(target, asked):
            found[row] = self._mean(numbers[:, 0].reshape(shapes[row]), len(batch.texts[row].words))
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
            each = [factorial(s) * factorial(others - s) / factorial(others + 1) for s in range(others + 1)]
            mean = gains @ torch.tensor(each, dtype=gains.dtype)[sizes]
        else:
            pairs = (gains[:, 0::2] + gains[:, 1::2]) / 2
            mean = pairs.mean(1)
            error = _square(pairs.std(1) / pairs.shape[1] ** 0.5, words)
            details = {"orders": gains.shape[1], "standard_error": error.tolist()}
        return _square(mean, words), details


def interact(
    model: Classifier, texts: Sequence[Text], pairwise: Pairwise, asked: Ask
) -> Iterator[tuple[int, Interactions]]:
    """The interactions of texts as they are ready, each with the number of its text.

    Raises UsageError, before any text is run, for a text of more coalitions than ``pairwise.most``.
    """
    for number, text in enumerate(texts, 1):
        pairwise.affordable(text, f"text {number} of {len(texts)}: " if len(texts) > 1 else "")
    yield from answer(model, texts, pairwise, asked)


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
