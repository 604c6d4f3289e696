"""What stands beside every number: random scores, leave-one-out, and greedy removal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from exegesis.questions.trust.measure import DELETION, NONE, Case
from exegesis.results.evaluation import Measurand

RANDOM, LEFT_OUT, GREEDY = CONTROLS = ("random", "leave-one-out", "greedy")
LONGEST = 64  # words up to which greedy removal is tried: it asks for half their square of texts
PARAMETERS = {
    RANDOM: "normal scores that belong to the text",
    LEFT_OUT: "what the explained number loses without each word",
    GREEDY: f"each step removes the word whose loss costs most probability (texts of up to {LONGEST} words)",
}


def controls_of(methods: Sequence[Measurand]) -> list[Measurand]:
    """The controls as they stand in a result; leave-one-out takes another name where it is a method too."""
    taken = {one.name for one in methods}
    names = [f"{name} (control)" if name in taken else name for name in CONTROLS]
    return [Measurand(n, PARAMETERS[name], True, math.nan) for n, name in zip(names, CONTROLS, strict=True)]


def has(controls: str, name: str) -> bool:
    """Whether a measure of a kind of controls has the control of that name.

    Greedy removal gives an order and no amounts: it is a reference for taking words away, highest first. Where scores
    must add up, leaving words out is no reference either.
    """
    return name == RANDOM or (controls != NONE if name == LEFT_OUT else controls == DELETION)


class Greedy:
    """The order in which words go when each step takes the one without which the probability is lowest."""

    def __init__(self, case: Case) -> None:
        self.left = list(range(case.count)) if case.count <= LONGEST else []
        self.possible = case.count <= LONGEST
        self.gone: list[int] = []

    def asks(self) -> list[int]:
        """What stays after each next removal; nothing when one word is left."""
        whole = sum(1 << word for word in self.left)
        return [whole & ~(1 << word) for word in self.left] if len(self.left) > 1 else []

    def take(self, chance: Float[np.ndarray, " n"]) -> None:
        """The answers to ``asks``: one word goes."""
        if len(chance):
            self.gone.append(self.left.pop(int(np.argmin(chance))))

    def scores(self) -> Float[np.ndarray, " words"]:
        """The first to go scores highest."""
        order = [*self.gone, *self.left]
        found = np.zeros(len(order))
        found[order] = np.arange(len(order), 0, -1)
        return found
