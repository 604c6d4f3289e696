"""What a store of explanations says as a whole, and how two stores differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.results.behaviour.study import Study


class Answered(NamedTuple):
    """One question of a store: how many texts were explained and how many failed, and how many of the ``labelled``
    ones are predicted right. ``asked`` is the start of the hash that names the question, ``kind`` says whether it is an
    explanation, an evaluation or an influence, ``setting`` names the measures or the training texts."""

    method: str
    parameters: str
    model: str
    fingerprint: str
    level: str
    wish: str
    asked: str
    texts: int
    failed: int
    labelled: int
    right: int
    kind: str = "explanation"
    setting: str = ""


class Slice(NamedTuple):
    """The rows of a question with one value of a column: how many, the mean probability of their predictions, and how
    many of the ``labelled`` ones are predicted right. The value is empty where the column is."""

    method: str
    value: str
    rows: int
    probability: float
    labelled: int
    right: int


class Strong(NamedTuple):
    """A word, in lower case, or a phrase: its mean score and its number of uses in a slice of a question's rows."""

    method: str
    value: str
    text: str
    mean: float
    uses: int


class Judged(NamedTuple):
    """The mean of a measure over the ``texts`` of a slice that have a number, for a method or a control, with its
    bootstrap interval of 95 %; ``higher`` if higher is better."""

    method: str
    value: str
    measure: str
    mean: float
    low: float
    high: float
    texts: int
    higher: bool


class Leading(NamedTuple):
    """A training text that is named in the rows of a slice: its number and label, how often as one that helps and as
    one that hurts, and its mean score where it is named."""

    method: str
    value: str
    number: int
    text: str
    label: str
    helps: int
    hurts: int
    mean: float


class Agreeing(NamedTuple):
    """How far two methods score the words of the same texts alike: the mean of Spearman's correlations (NaN if there is
    none) and of the shares of the three strongest words that both name, over ``rows`` of a store."""

    first: str
    second: str
    spearman: float
    top: float
    rows: int


class Moved(NamedTuple):
    """A word or phrase whose mean score differs between two stores, with its uses in each."""

    method: str
    value: str
    text: str
    here: float
    there: float
    uses_here: int
    uses_there: int


class Shifted(NamedTuple):
    """The share of a question's rows that have one value of a column, in each of two stores."""

    method: str
    value: str
    here: float
    there: float


class Same(NamedTuple):
    """The ``rows`` about the same texts that were compared between two stores: how many predict another label, and the
    mean of Spearman's correlations of their scores."""

    method: str
    rows: int
    changed: int
    spearman: float


@dataclass(frozen=True, eq=False)
class CorpusSummary(Study):
    """What a store holds, by the values of the column ``by`` (see ``exegesis.corpus``).

    ``strong`` has the words with the largest mean scores by magnitude, in each slice, of those with at least
    ``minimum`` uses. ``judged`` has the measures of methods and controls, ``leading`` the training texts that are named
    most often. ``failures`` counts the texts that failed by reason. ``other`` is the store that this one is
    compared with, empty without one; then ``moved``, ``shifted`` and ``same`` say how they differ.
    """

    store: str
    by: str
    level: str
    minimum: int
    answered: tuple[Answered, ...]
    slices: tuple[Slice, ...]
    strong: tuple[Strong, ...]
    agreeing: tuple[Agreeing, ...]
    failures: Mapping[str, int]
    other: str = ""
    moved: tuple[Moved, ...] = ()
    shifted: tuple[Shifted, ...] = ()
    same: tuple[Same, ...] = ()
    judged: tuple[Judged, ...] = ()
    leading: tuple[Leading, ...] = ()

    kind: ClassVar[str] = "corpus"
    filled: ClassVar[tuple[str, ...]] = ("answered",)
