"""The scale of a picture: the score of its deepest colour, and shares of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from exegesis.show.wording import signed

FAINT = 0.05  # share of the scale below which a cell needs no number of its own


class Scale(NamedTuple):
    """A colour scale: the numbers at its ends (``−1.62``, ``+1.62``; ``−max`` if rows differ in theirs), whether there
    are signed scores and sizes, a note beside it, whether a cell is too faint for a number, what scores speak for."""

    low: str
    high: str
    signs: bool
    sizes: bool
    note: str = ""
    faint: bool = False
    label: str = ""

    @property
    def ramps(self) -> list[tuple[str, str, bool]]:
        """The text before and after each ramp of colours, and whether its scores are signed."""
        label = f" {self.label}" * bool(self.label)
        signed = [(f"against{label} {self.low}", f"{self.high} for{label}", True)] if self.signs else []
        return [*signed, *([("size 0", self.high.lstrip("+"), False)] if self.sizes else [])]


def largest(scores: Sequence[float]) -> float:
    """The largest finite magnitude; 0 if there is none."""
    return max((abs(score) for score in scores if math.isfinite(score)), default=0.0)


def scale_to(limit: float, signs: bool, sizes: bool, note: str = "", faint: bool = False) -> Scale | None:
    """The scale whose deepest colour is the score ``limit``; None if all scores are 0."""
    return Scale(signed(-limit, limit), signed(limit, limit, sign=signs), signs, sizes, note, faint) if limit else None


def share(score: float, limit: float) -> float:
    """A score's share of the scale, from -1 to 1; 0 for NaN."""
    return 0.0 if math.isnan(score) or not limit else max(-1.0, min(1.0, score / limit))
