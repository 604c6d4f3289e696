"""Searches that follow a given tree: any method's scores of its phrases, and Owen values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from exegesis.core.nested import Nest
from exegesis.core.parameters import at_least, even
from exegesis.core.text import Span
from exegesis.engine.answer import array, finite
from exegesis.engine.methods import card_of
from exegesis.engine.run import score_spans
from exegesis.mech.removal.coalitions import Game
from exegesis.mech.removal.perturbed import How
from exegesis.mech.removal.shapley import Orders, Predecessors, Prefixes, along, orders, predecessors, price
from exegesis.protocols.batch import Batch
from exegesis.protocols.draws import generator
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Target
from exegesis.questions.phrases.catalogue import PHRASE_METHODS, Scorer, search
from exegesis.questions.phrases.search import Grown, Mark, Trees

EMPTY = "the empty text"


@search("parse", paper="Murdoch, Liu and Yu 2018, Fig. 1", scorers=PHRASE_METHODS, free=True)
@dataclass(frozen=True)
class Parse:
    """Follow a tree; a phrase has the score that ``scorer``, any method, gives it, in the units of that method.

    A phrase's ``interaction`` is its score less the sum of its parts' scores, which is zero for a method that sums over
    words. The words' scores and the account add up to the number if the scorer promises it (Murdoch, Liu and Yu 2018,
    Fig. 1).
    """

    scorer: Scorer

    @property
    def scored(self) -> str:
        return f"{card_of(self.scorer).name}: {card_of(self.scorer).summary}"

    @property
    def complete(self) -> bool:
        return card_of(self.scorer).complete

    def passes(self, words: int) -> int | None:
        """Those of the scorer for the words, and for the spans of the tree if it scores them directly."""
        stated = getattr(self.scorer, "passes", None)
        if stated is None:
            return None
        count: int = stated(words, 1) + (stated(2 * words, 1) if hasattr(self.scorer, "spans") else 0)
        return count

    def __call__(self, model: Any, batch: Batch, target: Target, trees: Trees) -> list[Grown]:
        card = card_of(self.scorer)
        nests = [trees(text) for text in batch.texts]
        scores = self.scorer(model, batch, target)
        finite(scores.values, model, f"scores of {card.name}")
        spans = [[text.over(span) for span in tree.spans] for text, tree in zip(batch.texts, nests, strict=True)]
        scores_by_text = score_spans(self.scorer, model, batch, target, scores, spans)
        account = {part: array(value)[:, 0] for part, value in scores.account.items()}
        signed, pieces = getattr(self.scorer, "signed", card.signed), array(scores.values)[:, 0]
        grown = []
        for row, (text, tree, values) in enumerate(zip(batch.texts, nests, scores_by_text, strict=True)):
            parts = {part: float(value[row]) for part, value in account.items()}
            if any(text.special) and signed:  # like the account of an attribution
                inside = [piece for word in text.words for piece in range(*word)]
                parts["special tokens"] = float(pieces[row].sum() - pieces[row, inside].sum())
            marks = _marked(tree, values[0].tolist(), joins=hasattr(self.scorer, "spans"))
            grown.append(Grown(marks, parts, {} if signed else {"signed": False}))
        return grown


@search("owen", paper="Owen 1977, Winter 1989")
@dataclass(frozen=True)
class Owen:
    """Owen values of the words of a tree, in units of the number; a phrase has the sum over its words.

    A word's value is its mean gain over those orders of adding words in which the words of every phrase are adjacent
    (Owen 1977; Winter 1989 for nested phrases); without phrases these are the Shapley values. The words' values and the
    value of the empty text add up to the number, to rounding. ``how`` is that of ``shapley``. Interactions are not
    measured.

    If a tree has more than ``limit`` pairs of a word and a set of words that may come before it, ``samples`` orders are
    drawn instead, each followed by its reverse; the values still add up, and ``details`` have the standard error of
    each word. Draws depend on the text and ``seed``.
    """

    samples: Annotated[int, at_least(4), even] = 100
    limit: Annotated[int, at_least(0)] = 1 << 15
    how: How = "drop"
    seed: int = 0

    @property
    def scored(self) -> str:
        return "Owen value: what a word adds, averaged over the orders that keep phrases together"

    @property
    def complete(self) -> bool:
        return True

    def passes(self, words: int) -> int:
        """The coalitions of the pairs, or of the drawn orders, at most."""
        return min(1 << min(words, 62), max(2 * self.limit, self.samples * (words + 1)))

    def __call__(self, model: Classifier, batch: Batch, target: Target, trees: Trees) -> list[Grown]:
        game = Game(model, batch, self.how)
        nests = [trees(text) for text in batch.texts]
        before = [None if price(tree) > self.limit else predecessors(tree) for tree in nests]
        drawn_orders: list[Orders] = [
            [] if chances else orders(tree, self.samples, generator(text, self.seed))
            for text, tree, chances in zip(batch.texts, nests, before, strict=True)
        ]

        def coalitions_of(row: int) -> Collection[int]:
            chances = before[row]
            return _coalitions(chances) if chances else Prefixes(drawn_orders[row])

        trees_by_row: dict[int, Grown] = {}
        for row, numbers in game.each(target, coalitions_of):
            chances, values = before[row], numbers[:, :1]
            details: dict[str, Any]
            if chances:
                coalition_values = dict(zip(_coalitions(chances), values[:, 0].tolist(), strict=True))
                words = _gains(chances, coalition_values)
                details = {"exact": True, "coalitions": len(coalition_values)}
            else:
                mean, error = along(drawn_orders[row], values.reshape(len(drawn_orders[row]), -1, 1).unbind())
                words = mean[0].tolist()
                details = {"exact": False, "orders": len(drawn_orders[row]), "standard_error": error[0].tolist()}
            trees_by_row[row] = _summed(nests[row], words, float(values[0, 0]), details)
        return [trees_by_row[row] for row in range(len(batch))]


def _coalitions(before: Predecessors) -> list[int]:
    """The coalitions whose values the gains need, the empty one first."""
    pairs = ((s, s | 1 << word) for word, chances in enumerate(before) for s in chances)
    return list(dict.fromkeys([0, *(coalition for pair in pairs for coalition in pair)]))


def _gains(before: Predecessors, values: Mapping[int, float]) -> list[float]:
    return [
        sum(chance * (values[s | 1 << word] - values[s]) for s, chance in chances.items())
        for word, chances in enumerate(before)
    ]


def _summed(tree: Nest, words: Sequence[float], empty: float, details: Mapping[str, Any]) -> Grown:
    marks = {span: Mark(float(sum(words[span.start : span.stop]))) for span in tree.spans}
    return Grown(marks, {EMPTY: empty}, details)


def _marked(tree: Nest, scores: Sequence[float], *, joins: bool) -> dict[Span, Mark]:
    marks = {}
    for span, score, children in zip(tree.spans, scores, tree.children, strict=True):
        apart = sum(scores[child] for child in children)
        marks[span] = Mark(score, (score - apart if joins else 0.0) if children else None)
    return marks
