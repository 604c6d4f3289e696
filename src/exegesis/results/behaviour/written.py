"""How good the explanations are that a model writes, and whether its decisions follow them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.results.behaviour.study import Asked, Study


class WrittenText(NamedTuple):
    """A text with the label told, its probability, the gold label, the model's explanation and a person's."""

    text: str
    label: str
    probability: float
    gold: str
    explanation: str
    human: str


class Exchanged(NamedTuple):
    """What becomes of decisions when the explanations that they read are exchanged.

    ``accuracy`` is that of the decisions then, ``changed`` the share that become another label, ``followed`` the share
    that become the label whose explanation was put in (NaN where none was).
    """

    name: str
    meaning: str
    accuracy: float
    changed: float
    followed: float


class Simulated(NamedTuple):
    """How well fresh classifiers of words tell the model's label from the text, the explanation, and both.

    ``leaking`` is the share of explanations from which alone the label is told; ``score`` is the leakage-adjusted
    simulatability (Hase et al. 2020, Eq. 1): the gain of both over the text, the mean of that over leaking and over
    other explanations (where all leak or none does, that over all). It deviates from the paper in one point: three
    simulators stand in for one that is trained to do with any part of its input.
    """

    text: float
    explanation: float
    both: float
    leaking: float
    score: float


@dataclass(frozen=True, eq=False)
class WrittenStudy(Study):
    """The labels and explanations that an explainer writes (see ``exegesis.study.written``).

    ``order`` is that of label and explanation, ``accuracy`` that of the labels, ``majority`` the share of the commonest
    one. ``perplexity`` is that of people's explanations under the model, for the gold label; ``bleu`` (0 to 100) and
    ``rouge`` (ROUGE-L, 0 to 1) compare its explanations with theirs (NaN without the extra), ``human`` is the BLEU of
    one person's with the others', over the texts that have several (NaN where none has). ``exchanged`` are the tests of
    faithfulness.
    """

    asked: Asked
    order: str
    accuracy: float
    majority: float
    perplexity: float
    bleu: float
    rouge: float
    human: float
    exchanged: tuple[Exchanged, ...]
    simulated: Simulated
    remark: str
    texts: tuple[WrittenText, ...]

    kind: ClassVar[str] = "written"
    filled: ClassVar[tuple[str, ...]] = ("texts",)
