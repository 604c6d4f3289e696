"""A report on one model: chapters of results, each with the command that repeats it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from exegesis.core.disk.files import write_whole
from exegesis.core.shown import Shown, drawn


class Rate(NamedTuple):
    """The mean of a property over texts, with its 95 % interval over whole texts (NaN for few texts)."""

    value: float
    low: float
    high: float


class Slice(NamedTuple):
    """Some texts of a corpus: all (``group`` is empty), those of a label, or those that hold a word of a group.

    ``right`` is the accuracy on those with a gold label, ``difference`` its difference from the other texts', and
    ``labels`` the share of the texts that each label is predicted for, ``shift`` the difference of the first from that
    of the other texts.
    """

    group: str
    texts: int
    labelled: int
    right: Rate
    labels: Mapping[str, float]
    difference: Rate
    shift: Rate


@dataclass(frozen=True, eq=False)
class Chapter:
    """A part of a report: what it answers, results of any kinds, slices, sentences, and the command that repeats it."""

    title: str
    question: str
    results: tuple[Any, ...] = ()
    slices: tuple[Slice, ...] = ()
    sentences: tuple[str, ...] = ()
    command: str = ""


@dataclass(frozen=True, eq=False)
class Report(Shown):
    """What the owner of a model hands to a reviewer; ``facts`` name the model, the data and the version."""

    facts: Mapping[str, str]
    chapters: tuple[Chapter, ...]
    command: str = ""

    view: ClassVar[str] = "report"

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write the report to a file, completely or not at all: ``.html`` or another view, ``.csv`` with the slices.

        Raises FileError for another ending or if the file cannot be written.
        """
        return write_whole(path, drawn([self], Path(path).suffix.lower(), **options))
