"""Which method explains one model most faithfully, as it was measured; saved beside a model. Imports no torch."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from exegesis.core.errors import FileError
from exegesis.core.files import read_text, write_whole
from exegesis.core.same import ByValue
from exegesis.core.values import from_plain

FORMAT, VERSION = "exegesis.recommendation", 1


class Ranked(NamedTuple):
    """One candidate: how many comparisons with others within the budget it won and lost, ms a text, whether that is
    within the budget (those that are not stand last, uncompared). NaN ms where no time was taken."""

    method: str
    won: int
    lost: int
    milliseconds: float
    within: bool


@dataclass(frozen=True, eq=False)
class Recommendation(ByValue):
    """``method`` with its ``parameters`` is first in the ranking of ``Evaluation`` on ``texts`` texts of ``data``.

    ``sure``: it is above random scores on most measures, and against each other method it won more comparisons than it
    lost; without that its place may be chance. Of methods that are equals one is called so in at most one run of
    twenty. ``advice`` says it in words, ``lead`` the difference from the next in rank with its interval. ``budget`` is
    in ms a text, None without one. ``fingerprint`` is of the model's weights, empty where they cannot be seen.
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
    version: int = field(default=VERSION, repr=False)

    def __str__(self) -> str:
        among = sum(one.within for one in self.ranking)
        of = f"{among} method{'s' * (among != 1)}"
        texts, first = f"{self.texts} text{'s' * (self.texts != 1)}", self.ranking[0]
        lines = [f"{self.method} explains {self.model} best of {of} on {texts}."]
        if not self.sure:
            better = first.won > first.lost  # than some, at the level of ``Evaluation``
            place = f"among the best of {of} on {texts}." if better else f"first of {of} on {texts}, by chance perhaps."
            lines[0] = f"{self.method} is {place}"
        lines += [self.advice, *([self.lead] if self.lead else [])]
        width = max(len(one.method) for one in self.ranking)
        for one in self.ranking:
            time = f"{one.milliseconds:8.1f} ms a text" if math.isfinite(one.milliseconds) else " " * 18
            said = f"won {one.won:2d}, lost {one.lost:2d}" if one.within else "over the budget"
            lines.append(f"  {one.method:{width}}{time}  {said}")
        return "\n".join(lines)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it whole or not at all as JSON. Raises FileError where the place cannot be written."""
        return write_whole(path, to_json(self))


def to_json(found: Recommendation) -> str:
    """What ``save`` writes."""
    values = asdict(found)
    values["ranking"] = [
        {**one._asdict(), "milliseconds": one.milliseconds if math.isfinite(one.milliseconds) else None}
        for one in found.ranking
    ]
    return json.dumps({"format": FORMAT, **values}, indent=1, allow_nan=False) + "\n"


def read_recommendation(path: str | os.PathLike[str]) -> Recommendation:
    """What ``save`` wrote. Raises FileError where it is missing, damaged, newer, or something else."""
    content = read_text(path)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: not JSON ({error}); run exegesis recommend again") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise FileError(f"{path}: not a recommendation; give what exegesis recommend wrote")
    version = values.get("version")
    if type(version) is int and version > VERSION:
        raise FileError(f"{path}: of version {version}, newer than {VERSION}: upgrade exegesis")
    try:
        return restore_recommendation(values)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise FileError(f"{path}: damaged recommendation ({error}); run exegesis recommend again") from error


def restore_recommendation(values: Mapping[str, Any]) -> Recommendation:
    """What ``save`` wrote. Raises KeyError, TypeError or ValueError where it is damaged."""
    more = sorted(set(values) - {one.name for one in fields(Recommendation)} - {"format"})
    if more:
        raise ValueError(f"{more[0]!r:.40} is no field of it")
    found: Recommendation = from_plain(Recommendation, values)
    if not found.ranking:
        raise ValueError("its ranking is empty")
    to_json(found)  # refuses parameters that are no values of JSON
    return found
