"""Shapley values of words: the mean gain of the number by a word over all orders of adding words."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.parameters import at_least, between, even
from exegesis.core.text import Text
from exegesis.engine.methods import Scores, method
from exegesis.mech.removal.coalitions import Game
from exegesis.mech.removal.perturbed import How
from exegesis.mech.removal.shapley import Orders, Prefixes, along, exact, flat, orders
from exegesis.protocols.batch import Batch
from exegesis.protocols.draws import generator
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Target

MAX_EXACT = 16  # the most words for which all coalitions can be run
EMPTY = "the empty text"


@method(
    "shapley",
    question="which words?",
    summary="what a word adds to the number, averaged over all orders of adding words",
    paper="Lundberg and Lee, A Unified Approach to Interpreting Model Predictions",
    year=2017,
    complete=True,
)
@dataclass(frozen=True)
class Shapley:
    """A word's mean gain ``v(S + word) - v(S)`` over all orders of the words, where S are the words before it.

    ``v(S)`` is the explained number (a logit, a probability or a margin, by the target) if only the words S of the text
    are kept; ``how`` says what replaces the others, as for leave-one-out. Scores are in its units. Identity: words +
    the value of the empty text = the number, to rounding. The model reads a text without any remaining word as one pad
    token.

    Texts of at most ``exact`` words are computed over all of their coalitions. Scores of longer texts are means over
    ``samples`` drawn orders, each order followed by its reverse (antithetic, Mitchell et al. 2022); the identity still
    holds, and ``details`` have the standard error of each word's score for each target, and the number of coalitions or
    orders. Draws depend on the text and ``seed``.

    Raises UnsupportedError if the model cannot remove words in the way of ``how``.
    """

    samples: Annotated[int, at_least(4), even] = 100
    exact: Annotated[int, between(0, MAX_EXACT)] = 12
    how: How = "drop"
    seed: int = 0

    def __call__(self, model: Classifier, batch: Batch, target: Target) -> Scores:
        game = Game(model, batch, self.how)
        values = torch.zeros(len(batch), target.count, batch.ids.shape[1], dtype=torch.float64)
        empty = torch.zeros(len(batch), target.count, dtype=torch.float64)
        details: list[dict[str, Any]] = [{} for _ in batch.texts]
        orders_by_text = [self._draw(text) for text in batch.texts]
        for row, numbers in game.each(target, lambda row: self._coalitions(batch.texts[row], orders_by_text[row])):
            words = [word.start for word in batch.texts[row].words]
            scores, details[row] = self._score(numbers, orders_by_text[row])
            values[row, :, words], empty[row] = scores, numbers[0]
        return Scores(values, {EMPTY: empty}, details)

    def passes(self, words: int, numbers: int) -> int:
        """All coalitions, or those along the drawn orders."""
        return 1 << words if words <= self.exact else self.samples * (words + 1)

    def _draw(self, text: Text) -> Orders:
        if len(text.words) <= self.exact:
            return []
        return orders(flat(len(text.words)), self.samples, generator(text, self.seed))

    def _coalitions(self, text: Text, drawn_orders: Orders) -> Collection[int]:
        if not drawn_orders:
            return range(1 << len(text.words))
        return Prefixes(drawn_orders)

    def _score(
        self, numbers: Float[Tensor, "n k"], drawn_orders: Orders
    ) -> tuple[Float[Tensor, "k w"], dict[str, Any]]:
        if not drawn_orders:
            return exact(numbers), {"exact": True, "coalitions": len(numbers)}
        scores, error = along(drawn_orders, numbers.reshape(len(drawn_orders), -1, numbers.shape[1]).unbind())
        return scores, {"exact": False, "orders": len(drawn_orders), "standard_error": error.tolist()}
