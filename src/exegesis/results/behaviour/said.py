"""What models write to explain their labels, and what is written of the words on which a decision rests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.results.behaviour.study import Asked, Study


class Fact(NamedTuple):
    """What a resource says of a word of a text: a relation, and a phrase that stands in it to the word."""

    word: str
    relation: str
    phrase: str


class SaidText(NamedTuple):
    """A text, the label told of it with its probability, and the explanation.

    ``words`` are those on which the decision rests and ``facts`` what a resource says of them, for a decision that is
    explained through both. ``others`` are explanations written for the other labels, by label.
    """

    text: str
    label: str
    probability: float
    explanation: str
    words: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    others: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Said(Study):
    """Written explanations of some texts (see ``exegesis.study.said`` and ``exegesis.study.bridge``).

    ``order`` is that of label and explanation, or ``bridge`` where words, facts and a sentence lead from one to the
    other.
    """

    asked: Asked
    order: str
    texts: tuple[SaidText, ...]

    kind: ClassVar[str] = "said"
    filled: ClassVar[tuple[str, ...]] = ("texts",)
