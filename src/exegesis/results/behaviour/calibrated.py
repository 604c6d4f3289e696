"""How far the confidence of a model can be believed, before and after it is read off nearest training texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.results.behaviour.study import Asked, Study


class Step(NamedTuple):
    """Test texts of like confidence: how many they are, their mean confidence, the share that is predicted rightly."""

    texts: int
    confidence: float
    right: float


class Reading(NamedTuple):
    """A way to say how sure a prediction is.

    ``gap`` is the mean distance of confidence and share of right predictions over ten groups of like confidence (the
    expected calibration error with groups of equal size instead of equal width; texts of the same confidence are in one
    group), ``brier`` the mean square of the confidence less 1 for a right and 0 for a wrong prediction, each with a
    95 % interval over texts. ``steps`` are the groups, the least confident first.
    """

    name: str
    meaning: str
    gap: float
    gap_low: float
    gap_high: float
    brier: float
    brier_low: float
    brier_high: float
    steps: tuple[Step, ...]


@dataclass(frozen=True, eq=False)
class Calibrated(Study):
    """The reliability of a model's confidence by several readings (see ``exegesis.study.calibrate``).

    ``accuracy`` is that on the test texts, ``held`` the number of held-out texts that fitted readings were fitted on.
    """

    asked: Asked
    accuracy: float
    held: int
    neighbours: int
    readings: tuple[Reading, ...]

    kind: ClassVar[str] = "calibrate"
    filled: ClassVar[tuple[str, ...]] = ("readings",)
