"""Suspected label errors of a training set, and how far the suspicion can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.results.behaviour.study import Asked, Study


class Suspect(NamedTuple):
    """A training text whose label is suspected: its number (from 0), what the model says, and the signs.

    ``score`` is its self-influence, ``loss`` in nats, ``conformity`` the share of its neighbours with its own label.
    """

    number: int
    text: str
    label: str
    predicted: str
    score: float
    loss: float
    conformity: float


class Sign(NamedTuple):
    """A sign of wrong labels, tried on labels that were made wrong: the share of true finds among as many suspects.

    ``precision`` is the mean over trainings, ``low`` and ``high`` the lowest and the highest; ``above`` is the mean
    chance that a wrong label is more suspicious than a right one (the area under the curve).
    """

    name: str
    meaning: str
    precision: float
    low: float
    high: float
    above: float


class Cured(NamedTuple):
    """Test accuracies of a training with wrong labels, of one without the suspects, and of one with right labels."""

    seed: int
    before: float
    after: float
    right: float


@dataclass(frozen=True, eq=False)
class Mislabels(Study):
    """Suspected label errors (see ``exegesis.study.mislabels``).

    ``planted`` is the number of labels that were made wrong in each of ``trainings``; ``signs`` how well each sign
    found them, the best first; ``cured`` what leaving the suspects out did, where there were test texts. ``suspects``
    are those of the data as they are, the most suspicious first.
    """

    asked: Asked
    planted: int
    trainings: int
    signs: tuple[Sign, ...]
    cured: tuple[Cured, ...]
    suspects: tuple[Suspect, ...]

    kind: ClassVar[str] = "mislabels"
