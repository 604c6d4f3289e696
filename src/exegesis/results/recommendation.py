"""A recommendation: the method that explains one model most faithfully, as measured; saved beside the model."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from exegesis.core.disk.files import read_text, write_whole
from exegesis.core.errors import FileError, UsageError
from exegesis.core.escapes import escaped
from exegesis.core.values import published
from exegesis.results.result import VERSION, Saved, to_json


class Ranked(NamedTuple):
    """A candidate of a recommendation.

    ``won`` and ``lost`` count its comparisons with the other candidates within the budget. ``milliseconds`` per text
    are NaN if the time was not measured. ``within``: the time is within the budget; candidates over the budget come
    last and are not compared.
    """

    method: str
    won: int
    lost: int
    milliseconds: float
    within: bool


@published
@dataclass(frozen=True, eq=False)
class Recommendation(Saved):
    """``method`` with its ``parameters`` is first in the ranking of ``Evaluation`` on ``texts`` texts of ``data``.

    ``sure``: the method is above random scores on most measures, and won more comparisons than it lost against every
    other method; otherwise its rank may be due to chance. Among equal methods, at most one run in twenty calls one
    sure. ``advice`` says this in words, ``lead`` gives the difference from the next in rank with its interval.
    ``budget`` is in milliseconds per text, None if there is none. ``fingerprint`` identifies the model's weights, empty
    if they are not accessible.
    """

    model: str
    fingerprint: str
    labels: tuple[str, ...]
    method: str
    parameters: Mapping[str, Any]
    data: str
    texts: int
    measures: tuple[str, ...]
    ranking: tuple[Ranked, ...]
    sure: bool
    advice: str
    lead: str = ""
    budget: float | None = None
    seed: int = 0

    form: ClassVar[str] = "exegesis.recommendation"
    noun: ClassVar[str] = "recommendation"
    damage: ClassVar[str] = "damaged recommendation ({}); run exegesis recommend again"
    version: ClassVar[int] = VERSION

    def __post_init__(self) -> None:
        if not self.ranking:
            raise UsageError("a recommendation needs a ranking of one method or more")

    def __str__(self) -> str:
        among = sum(candidate.within for candidate in self.ranking)
        of = f"{among} method{'s' * (among != 1)}"
        texts, first = f"{self.texts} text{'s' * (self.texts != 1)}", self.ranking[0]
        lines = [f"{self.method} explains {self.model} best of {of} on {texts}."]
        if not self.sure:
            better = first.won > first.lost  # better than some methods, at the level of ``Evaluation``
            place = f"among the best of {of} on {texts}." if better else f"first of {of} on {texts}, by chance perhaps."
            lines[0] = f"{self.method} is {place}"
        lines += [self.advice, *([self.lead] if self.lead else [])]
        width = max(len(ranked.method) for ranked in self.ranking)
        for ranked in self.ranking:
            time = f"{ranked.milliseconds:8.1f} ms a text" if math.isfinite(ranked.milliseconds) else " " * 18
            place = f"won {ranked.won:2d}, lost {ranked.lost:2d}" if ranked.within else "over the budget"
            lines.append(f"  {ranked.method:{width}}{time}  {place}")
        return "\n".join(map(escaped, lines))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the recommendation as JSON, completely or not at all. Raises FileError if that fails."""
        return write_whole(path, to_json([self]))


def read_recommendation(path: str | os.PathLike[str]) -> Recommendation:
    """Read a recommendation from a file that ``save`` wrote.

    Raises FileError if the file is missing, damaged, of a newer version, or not a recommendation.
    """
    content = read_text(path)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: not JSON ({error}); run exegesis recommend again") from error
    if not isinstance(values, dict) or values.get("format") != Recommendation.form:
        raise FileError(f"{path}: not a recommendation; give what exegesis recommend wrote")
    try:
        return Recommendation.from_dict(values)
    except FileError as error:
        raise FileError(f"{path}: {error}") from error
