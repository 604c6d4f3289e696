"""Wrong predictions put right by leaving out, or adding, the training texts that influence names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.results.behaviour.study import Asked, Study


class Amendment(NamedTuple):
    """One way to change the training data, retrained from each seed.

    ``change`` is ``remove`` or ``add``, ``chosen`` how the texts were chosen: by the method, or at random. ``fixed`` is
    the share of the wrong predictions that are right after it, ``test`` the change of the accuracy on texts that were
    not asked about, each a mean over seeds with a 95 % interval (Student's t; NaN with one seed).
    """

    change: str
    chosen: str
    fixed: float
    fixed_low: float
    fixed_high: float
    test: float
    test_low: float
    test_high: float


class Named(NamedTuple):
    """A text that the first seed's model was changed by: what was done, its summed score, its label and characters."""

    change: str
    score: float
    label: str
    text: str


@dataclass(frozen=True, eq=False)
class Amended(Study):
    """What leaving out or adding named training texts does to wrong predictions (see ``exegesis.study.amend``).

    ``wrong`` is the mean number of wrong predictions that were asked about, ``count`` the texts removed or added,
    ``before`` the mean accuracy on the judged texts.
    """

    asked: Asked
    wrong: float
    judged: int
    count: int
    trainings: int
    before: float
    amendments: tuple[Amendment, ...]
    named: tuple[Named, ...]

    kind: ClassVar[str] = "amend"
