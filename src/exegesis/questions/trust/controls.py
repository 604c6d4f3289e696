"""Controls that are measured beside the methods: random scores, leave-one-out, and greedy removal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from exegesis.core.text import Text
from exegesis.core.ties import SHARE, ranked
from exegesis.questions.trust.measure import DELETION, DRAWS, NONE, RESAMPLE, Case, Measure, card_of
from exegesis.results.evaluation import Measurand

RANDOM, LEFT_OUT, GREEDY = CONTROLS = ("random", "leave-one-out", "greedy")
LONGEST = 64  # the most words for greedy removal, which runs half their square of perturbed texts
PARAMETERS = {
    RANDOM: "normal scores that belong to the text",
    LEFT_OUT: "what the explained number loses without each word",
    GREEDY: f"each step removes the word whose loss costs most probability (texts of up to {LONGEST} words)",
}


def controls_of(methods: Sequence[Measurand]) -> list[Measurand]:
    """The controls as rows of a result; leave-one-out has another name if it is also one of the methods."""
    used = {method.name for method in methods}
    names = [f"{name} (control)" if name in used else name for name in CONTROLS]
    return [Measurand(n, PARAMETERS[name], True, math.nan) for n, name in zip(names, CONTROLS, strict=True)]


def has(controls: str, name: str) -> bool:
    """True if a measure with these ``controls`` (``DELETION``, ``SCORES`` or ``NONE``) has the control ``name``.

    Greedy removal gives an order without amounts, so it is a reference only for removing words, highest first. If
    scores must add up, leave-one-out is not a reference either.
    """
    return name == RANDOM or (controls != NONE if name == LEFT_OUT else controls == DELETION)


@dataclass(frozen=True)
class Searched:
    """What greedy removal costs an evaluation by these measures, for ``engine.cost``."""

    measures: Sequence[Measure]
    name: ClassVar[str] = "greedy removal (a control of evaluate)"

    @property
    def ways(self) -> set[str]:
        """The ways of removing words that are searched, each on its own."""
        return {measure.how or "drop" for measure in self.measures if searches(measure)}

    def passes(self, text: Text, numbers: int) -> int:
        """As often as each way of removing runs a text: a step removes each of the words that are left."""
        words = len(text.words)
        steps = words * (words + 1) // 2 - 1 if words <= LONGEST else 0
        return 1 + sum(steps * (DRAWS if way == RESAMPLE else 1) for way in self.ways)

    def held(self, text: Text, numbers: int) -> int:
        """Bytes of the answer, a score for each word."""
        return 8 * len(text.words)


def searches(measure: Measure) -> bool:
    """True if greedy removal is a control of a measure: an order of words is not one of phrases."""
    return has(card_of(measure).controls, GREEDY) and getattr(measure, "unit", "word") == "word"


class Greedy:
    """The order in which words are removed if each step removes the one without which the probability is lowest."""

    def __init__(self, case: Case) -> None:
        self.left = list(range(case.count)) if case.count <= LONGEST else []
        self.possible = case.count <= LONGEST
        self.gone: list[int] = []

    def asks(self) -> list[int]:
        """The words kept, as bits, after each possible next removal; nothing if one word is left."""
        whole = sum(1 << word for word in self.left)
        return [whole & ~(1 << word) for word in self.left] if len(self.left) > 1 else []

    def take(self, chance: Float[np.ndarray, " n"]) -> None:
        """Remove a word by the answers to ``asks``, the label's probability after each removal."""
        if len(chance):
            self.gone.append(self.left.pop(ranked((-chance).tolist(), SHARE, 1)[0]))

    def scores(self) -> Float[np.ndarray, " words"]:
        """Scores in the order of removal: the first word removed has the highest."""
        order = [*self.gone, *self.left]
        scores = np.zeros(len(order))
        scores[order] = np.arange(len(order), 0, -1)
        return scores
