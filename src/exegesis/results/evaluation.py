"""An evaluation: measures of methods on the same texts, beside the same measures of controls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError, unknown
from exegesis.core.escapes import escaped
from exegesis.core.plain import to_plain
from exegesis.core.shown import drawn
from exegesis.core.values import published
from exegesis.results.advice import RANDOM, advice
from exegesis.results.attribution import Attribution
from exegesis.results.result import Result
from exegesis.statistics.significance import Resampled


class Measured(NamedTuple):
    """A measure as it was used: its name with parameters, its question, its paper; ``higher`` if higher is better.

    ``ranks``: methods are ranked by the measure. Agreement with people's marks, and sums that close, say nothing about
    faithfulness, so such measures do not rank. ``favours`` names the methods that have the best number by definition,
    because the measure compares with the scores that they compute; the measure does not rank them.
    """

    name: str
    question: str
    paper: str
    higher: bool
    ranks: bool = True
    favours: tuple[str, ...] = ()


class Measurand(NamedTuple):
    """A method or a control that is measured.

    ``name`` is its name in this evaluation, ``seconds`` the time per text (NaN if it was not measured). ``method`` is
    the name without parameters: empty if it equals ``name``, and ``leave-one-out`` for any method whose scores equal
    those of leave-one-out.
    """

    name: str
    parameters: str
    control: bool
    seconds: float
    method: str = ""


class Mean(NamedTuple):
    """A mean over ``texts`` texts (NaN without texts) with its bootstrap interval (NaN with fewer than six texts)."""

    value: float
    low: float
    high: float
    texts: int


class Difference(NamedTuple):
    """The difference of two methods on one measure, paired over ``texts`` texts, with its bootstrap interval.

    ``better`` is the name of the better method if the difference is unlikely to be due to chance, else empty. Three
    things must hold: the interval excludes 0, the methods differ on at least six different texts, and the difference
    exceeds the largest one that chance gives among all comparisons of the evaluation.
    """

    measure: str
    value: float
    low: float
    high: float
    texts: int
    better: str


class Tally(NamedTuple):
    """Counts of a method's comparisons with other methods: those it ``won``, those it ``lost``, and all ``made``."""

    won: int
    lost: int
    made: int

    @property
    def share(self) -> float:
        """Comparisons won less comparisons lost, as a share of all; 0 without comparisons."""
        return (self.won - self.lost) / self.made if self.made else 0.0


MAX_SAMPLES = 1_000_000  # bootstrap samples, all of which are drawn again when a saved result is shown
UNMEASURED = np.zeros((0, 0))  # replaced by NaN for each pair of methods
UNDISPUTED = np.zeros(0)  # replaced by NaN for each text


@published
@dataclass(frozen=True, eq=False)
class Evaluation(Result):
    """Measures of the faithfulness of several methods, over the same texts.

    ``values[m, k, i]`` is measure m of method k on text i, NaN if it could not be measured. Methods come first, then
    controls (random scores, leave-one-out, greedy removal). For a measure that is the area under a curve, ``curves``
    has the mean curve of each method over ``grid`` (shares of words). ``agreement[k, l]`` is the mean rank correlation
    of two methods' scores, ``overlap[k, l]`` the mean share of their top ``k`` words in common, ``disputes[i]`` the
    mean rank correlation over all pairs of methods on text i. ``contested`` holds the explanations of the texts on
    which methods agree least (texts of eight words or more, if there are any). ``counts``: perturbed texts ``asked``
    for, those ``run`` (each once), and pooled ``calls``. ``remark`` replaces the advice for a check that ranks nothing.

    Intervals of 95 % are percentiles of the mean over ``samples`` draws of texts with replacement, the same draws for
    all methods (a paired bootstrap), seeded by ``seed``; with few texts wider ones (``statistics.bootstrap``). Each
    interval holds by itself; ``better`` holds for all comparisons together. A repeated text counts once.

    Raises UsageError if shapes do not fit each other, if no method is measured, and for ``samples`` outside 1 to
    1,000,000.
    """

    model: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    measures: tuple[Measured, ...]
    methods: tuple[Measurand, ...]
    values: Float[np.ndarray, "measures methods texts"]
    curves: Mapping[str, Float[np.ndarray, "methods points"]] = field(default_factory=dict)
    grid: tuple[float, ...] = ()
    agreement: Float[np.ndarray, "compared compared"] = field(default_factory=lambda: UNMEASURED)
    overlap: Float[np.ndarray, "compared compared"] = field(default_factory=lambda: UNMEASURED)
    k: int = 3
    disputes: Float[np.ndarray, " texts"] = field(default_factory=lambda: UNDISPUTED)
    contested: tuple[tuple[Attribution, ...], ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    remark: str = ""
    seed: int = 0
    samples: int = 2000

    form: ClassVar[str] = "exegesis.evaluate"
    noun: ClassVar[str] = "evaluation"
    aside: ClassVar[tuple[str, ...]] = ("advice", "means")

    def __post_init__(self) -> None:
        shape = (len(self.measures), len(self.methods), len(self.texts))
        if self.values.shape != shape or len(self.labels) != len(self.texts):
            raise UsageError(f"measures, methods and texts {shape} do not fit values {self.values.shape}")
        count = sum(not method.control for method in self.methods)
        for name, due in (("agreement", (count, count)), ("overlap", (count, count)), ("disputes", (len(self.texts),))):
            values = getattr(self, name)
            if values is UNMEASURED or values is UNDISPUTED:
                object.__setattr__(self, name, np.full(due, math.nan))
            elif values.shape != due:
                raise UsageError(f"{name} must have the shape {due}, not {values.shape}")
        if not count:
            raise UsageError("an evaluation needs a method that is not a control")
        for name, curve in self.curves.items():
            if curve.shape != (shape[1], len(self.grid)):
                raise UsageError(
                    f"the curve {name} must have the shape {(shape[1], len(self.grid))}, not {curve.shape}"
                )
        if not 1 <= self.samples <= MAX_SAMPLES:
            raise UsageError(f"samples must be from 1 to {MAX_SAMPLES:,}, not {self.samples}")
        if self.seed < 0 or self.k < 0:
            raise UsageError(f"seed and k must be 0 or more, not {self.seed} and {self.k}")

    # numbers --------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the methods, then of the controls."""
        return tuple(method.name for method in self.methods)

    def of(self, measure: str, method: str) -> Float[np.ndarray, " texts"]:
        """The number of a measure for each text, NaN if it could not be measured.

        Raises UsageError for a name that this evaluation does not have.
        """
        numbers: np.ndarray = self.values[self._measure(measure), self._method(method)]
        return numbers

    def mean(self, measure: str, method: str) -> Mean:
        """The mean of a measure over texts, with its interval (NaN with fewer than six different texts).

        Raises UsageError for a name that this evaluation does not have.
        """
        return Mean(*self._resampled.mean(self._measure(measure), self._method(method)))

    @property
    def distinct(self) -> int:
        """The number of different texts."""
        return len(set(self.texts))

    def compare(self, first: str, second: str, measure: str | None = None) -> tuple[Difference, ...]:
        """The first method less the second on every measure (or the named one), and the better of the two.

        Raises UsageError for a name that this evaluation does not have.
        """
        measures = [self.measures[self._measure(measure)]] if measure is not None else self.measures
        return tuple(self._difference(first, second, measured) for measured in measures)

    def wins(self, method: str, others: Sequence[str] | None = None) -> tuple[int, int]:
        """The numbers of comparisons that a method wins and loses, counted by ``tally``."""
        return self.tally(method, others)[:2]

    def tally(self, method: str, others: Sequence[str] | None = None) -> Tally:
        """The comparisons of a method with ``others`` (by default all methods, no controls).

        They run over the measures that rank, favour neither method by definition, and have numbers for both.
        """
        rivals = [rival.name for rival in self.methods if not rival.control] if others is None else others
        differences = [
            self.compare(method, rival, measure.name)[0]
            for rival in rivals
            if rival != method
            for measure in self.ranking_by
            if not self.favoured(measure, method, rival)
        ]
        won = sum(d.better == method for d in differences)
        lost = sum(d.better not in ("", method) for d in differences)
        return Tally(won, lost, sum(d.texts > 0 for d in differences))

    def above_random(self, method: str) -> Tally:
        """The comparisons of a method with random scores; none if random scores were not measured."""
        return self.tally(method, [RANDOM]) if RANDOM in self.names else Tally(0, 0, 0)

    @property
    def ranking_by(self) -> tuple[Measured, ...]:
        """The measures by which methods are ranked: those that rank, or all if none does."""
        return tuple(measure for measure in self.measures if measure.ranks) or self.measures

    def favoured(self, measure: Measured, *methods: str) -> bool:
        """True if a method among ``methods`` has the measure's best number by definition (a control never does)."""
        named = [self.methods[self._method(name)] for name in methods]
        return any((method.method or method.name) in measure.favours for method in named if not method.control)

    def ranking(self) -> tuple[str, ...]:
        """The methods without controls, best first: by the share of comparisons won less lost, then by mean rank.

        The share is of the comparisons that were made: a method that some measures favour takes part in fewer.
        """
        names = [method.name for method in self.methods if not method.control]

        def rank(name: str) -> tuple[float, float]:
            return -self.tally(name).share, self._mean_rank(name, names)

        return tuple(sorted(names, key=rank))

    def _mean_rank(self, name: str, names: Sequence[str]) -> float:
        ranks = []
        for measure in self.ranking_by:
            means = {rival: self._signed(measure, rival) for rival in names if not self.favoured(measure, rival)}
            if name in means and math.isfinite(means[name]):
                ranks.append(sum(value > means[name] for value in means.values()))
        return float(np.mean(ranks)) if ranks else math.inf

    def _signed(self, measure: Measured, method: str) -> float:
        """The mean over texts, negated if lower is better; NaN without numbers."""
        values = self.of(measure.name, method)
        finite = values[np.isfinite(values)]
        return math.nan if not len(finite) else float(finite.mean()) * (1 if measure.higher else -1)

    def _difference(self, first: str, second: str, measure: Measured) -> Difference:
        key = (first, second, measure.name)
        if key not in self._differences:
            forth = self._differences[key] = self._compared(first, second, measure)
            back = forth._replace(value=0.0 - forth.value, low=0.0 - forth.high, high=0.0 - forth.low)
            self._differences[second, first, measure.name] = back
        return self._differences[key]

    def _compared(self, first: str, second: str, measure: Measured) -> Difference:
        m, a, b = self._measure(measure.name), self._method(first), self._method(second)
        value, low, high, count = self._resampled.difference(m, a, b)
        better = ""
        if a != b and self._resampled.certain[m, a, b] and not low <= 0 <= high:
            better = first if (value > 0) == measure.higher else second
        return Difference(measure.name, value, low, high, count, better)

    @cached_property
    def _resampled(self) -> Resampled:
        return Resampled(self.values, self.texts, self.samples, self.seed)

    @cached_property
    def _differences(self) -> dict[tuple[str, str, str], Difference]:
        return {}

    def _measure(self, name: str) -> int:
        names = [measure.name for measure in self.measures]
        if name not in names:
            raise unknown("measure of this evaluation", name, names)
        return names.index(name)

    def _method(self, name: str) -> int:
        if name not in self.names:
            raise unknown("method of this evaluation", name, self.names)
        return self.names.index(name)

    # words, files and views -----------------------------------------------------------------------------

    def advice(self) -> str:
        """The advice that follows from the numbers, in one sentence or a few."""
        return advice(self)

    def table(self, **options: Any) -> str:
        """A table of methods and controls by measures, as plain lines: each mean with its interval."""
        return str(drawn([self], ".txt", **options))

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: the advice, and each measure's means with their intervals by method.

        The advice names no faster method, so that the same numbers give the same advice whatever the clock said.
        """
        means = {
            measure.name: {name: to_plain(list(self.mean(measure.name, name))) for name in self.names}
            for measure in self.measures
        }
        return {"advice": advice(self, timed=False), "means": means}

    def __repr__(self) -> str:
        best = self.ranking()[:1]
        return escaped(
            f"<Evaluation of {len(self.texts)} texts: {len(self.measures)} measures, "
            f"{len(self.methods)} methods and controls; first {best[0] if best else 'none'}>"
        )
