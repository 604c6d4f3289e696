"""A whole measure in one file: ``import`` it, and ``exegesis.evaluate(..., measures=["top-words:words=2"])`` knows it.

A measure is a frozen dataclass of its parameters, whose annotations say which values are allowed. It scores one
explanation of one text and never calls the model: ``asks`` names the words to keep in each perturbed text, ``score``
reads the model's answers. All measures, methods and texts are asked together, and each perturbed text runs once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from exegesis.authoring import Answers, Case, Given, Score, Way, at_least, bits, measure


@measure("top-words", question="does the probability fall without the highest words?", paper="an example", higher=True)
@dataclass(frozen=True)
class TopWords:
    """The label's probability less its value without the ``words`` words of highest score, -1 to 1.

    ``how`` says what takes their place.
    """

    words: Annotated[int, at_least(1)] = 1
    how: Way = "drop"

    def asks(self, case: Case, given: Given) -> list[int]:
        return [bits(given.order()[self.words :])]  # a bit per word: those that stay

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        return Score(case.chance - float(answers.chance[0]))
