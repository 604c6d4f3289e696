"""An evaluation: how methods did on texts, each number beside its controls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError, unknown
from exegesis.core.values import published, to_plain
from exegesis.results.advice import RANDOM, advice
from exegesis.results.attribution import Attribution
from exegesis.results.result import Result, drawn
from exegesis.statistics.significance import Resampled


class Measured(NamedTuple):
    """What one measure asks: its name with its parameters, question, paper, and whether a higher number is better.

    ``ranks``: methods are ranked by it. What people would mark, and whether numbers add up, says nothing of how
    faithful an explanation is. ``favours``: the methods that have the best number by definition, because the measure
    compares with what they compute; they are not ranked by it.
    """

    name: str
    question: str
    paper: str
    higher: bool
    ranks: bool = True
    favours: tuple[str, ...] = ()


class Measurand(NamedTuple):
    """One method, or a control: its name here, its parameters, seconds a text (NaN where nobody took the time), and the
    name that it has whatever its parameters (empty where that is the name here; leave-one-out's where its scores are
    those of leave-one-out)."""

    name: str
    parameters: str
    control: bool
    seconds: float
    method: str = ""


class Mean(NamedTuple):
    """A mean over ``texts`` texts with its bootstrap interval (NaN of fewer than six different ones); NaN over none."""

    value: float
    low: float
    high: float
    texts: int


class Difference(NamedTuple):
    """One measure of a less that of b, paired over the ``texts`` that both have, with its bootstrap interval.

    ``better`` is the name of the better one where that is no chance, and empty where nothing is known: the interval
    leaves out 0, the two differ on six different texts or more, and the difference is too large to be the largest by
    chance among all comparisons of the evaluation (``core.evidence.certain``).
    """

    measure: str
    value: float
    low: float
    high: float
    texts: int
    better: str


class Tally(NamedTuple):
    """Comparisons of a method with others that it ``won`` and ``lost``, of those ``made``."""

    won: int
    lost: int
    made: int

    @property
    def share(self) -> float:
        """Those won less those lost, of those made; 0 where none was."""
        return (self.won - self.lost) / self.made if self.made else 0.0


MAX_SAMPLES = 1_000_000  # of the bootstrap, all of which are drawn again when a result is shown
UNMEASURED = np.zeros((0, 0))  # stands for NaN, one number for each pair of methods
UNDISPUTED = np.zeros(0)  # stands for NaN, one number for each text


@published
@dataclass(frozen=True, eq=False)
class Evaluation(Result):
    """How far the explanations of several methods can be trusted, over the same texts.

    ``values[m, k, i]`` is measure m of method k on text i, NaN where it has none. Methods stand first, controls
    (random scores, leave-one-out, greedy removal) behind them. ``curves`` has, for a measure that is read from one, the
    mean curve of each method over ``grid`` (shares of words). ``agreement[k, l]`` is the mean rank correlation of two
    methods' scores, ``overlap[k, l]`` the mean share of their top ``k`` words in common, ``disputes[i]`` the mean rank
    correlation over all pairs of methods on text i. ``contested`` holds the explanations of the texts on which methods
    agree least (of eight words or more, if any are). ``counts``: perturbed texts ``asked`` for, those ``run`` (each
    once), and pooled ``calls``.

    ``remark`` says what follows where this is a check and nothing is to be ranked; it then is the advice.

    Intervals of 95 % are percentiles of the mean over ``samples`` draws of texts with replacement, the same draws for
    all methods (a paired bootstrap), seeded by ``seed``; of few texts wider ones (``core.evidence.interval``). Each
    stands for itself; what is ``better`` holds for all comparisons together. A text that stands twice counts once.
    """

    model: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    measures: tuple[Measured, ...]
    methods: tuple[Measurand, ...]
    values: Float[np.ndarray, "measures methods texts"]
    curves: Mapping[str, Float[np.ndarray, "methods points"]] = field(default_factory=dict)
    grid: tuple[float, ...] = ()
    agreement: Float[np.ndarray, "own own"] = field(default_factory=lambda: UNMEASURED)
    overlap: Float[np.ndarray, "own own"] = field(default_factory=lambda: UNMEASURED)
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
        own = sum(not method.control for method in self.methods)
        for name, due in (("agreement", (own, own)), ("overlap", (own, own)), ("disputes", (len(self.texts),))):
            values = getattr(self, name)
            if values is UNMEASURED or values is UNDISPUTED:
                object.__setattr__(self, name, np.full(due, math.nan))
            elif values.shape != due:
                raise UsageError(f"{name} must have the shape {due}, not {values.shape}")
        if not own:
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
        """The methods, controls behind them."""
        return tuple(one.name for one in self.methods)

    def of(self, measure: str, method: str) -> Float[np.ndarray, " texts"]:
        """A measure's number for each text."""
        found: np.ndarray = self.values[self._measure(measure), self._method(method)]
        return found

    def mean(self, measure: str, method: str) -> Mean:
        """The mean over texts, with its interval (NaN of fewer than six different texts)."""
        return Mean(*self._resampled.mean(self._measure(measure), self._method(method)))

    @property
    def distinct(self) -> int:
        """How many different texts there are."""
        return len(set(self.texts))

    def compare(self, first: str, second: str, measure: str | None = None) -> tuple[Difference, ...]:
        """First less second on every measure (or the one named), and which of them is better."""
        named = [self.measures[self._measure(measure)]] if measure is not None else self.measures
        return tuple(self._difference(first, second, one) for one in named)

    def wins(self, method: str, others: Sequence[str] | None = None) -> tuple[int, int]:
        """How often a method is better, and how often worse, as ``tally`` counts."""
        return self.tally(method, others)[:2]

    def tally(self, method: str, others: Sequence[str] | None = None) -> Tally:
        """How a method does against other methods (controls left out), over the measures that rank, favour neither by
        definition, and have numbers of both."""
        rivals = [one.name for one in self.methods if not one.control] if others is None else others
        found = [
            self.compare(method, rival, one.name)[0]
            for rival in rivals
            if rival != method
            for one in self.ranking_by
            if not self.favoured(one, method, rival)
        ]
        won = sum(d.better == method for d in found)
        lost = sum(d.better not in ("", method) for d in found)
        return Tally(won, lost, sum(d.texts > 0 for d in found))

    def above_random(self, method: str) -> Tally:
        """How a method does against random scores, over the same measures."""
        return self.tally(method, [RANDOM]) if RANDOM in self.names else Tally(0, 0, 0)

    @property
    def ranking_by(self) -> tuple[Measured, ...]:
        """The measures that methods are ranked by: those that rank, or all where none does."""
        return tuple(one for one in self.measures if one.ranks) or self.measures

    def favoured(self, measure: Measured, *methods: str) -> bool:
        """Whether one of the methods has the measure's best number by definition (a control never has)."""
        own = [self.methods[self._method(name)] for name in methods]
        return any((one.method or one.name) in measure.favours for one in own if not one.control)

    def ranking(self) -> tuple[str, ...]:
        """Methods, controls left out: first the most comparisons won less those lost, as a share of those made with
        it (a method that some measures favour takes part in fewer), then the better mean rank."""
        own = [one.name for one in self.methods if not one.control]

        def rank(name: str) -> tuple[float, float]:
            return -self.tally(name).share, self._mean_rank(name, own)

        return tuple(sorted(own, key=rank))

    def _mean_rank(self, name: str, own: Sequence[str]) -> float:
        ranks = []
        for one in self.ranking_by:
            means = {other: self._signed(one, other) for other in own if not self.favoured(one, other)}
            if name in means and math.isfinite(means[name]):
                ranks.append(sum(value > means[name] for value in means.values()))
        return float(np.mean(ranks)) if ranks else math.inf

    def _signed(self, measure: Measured, method: str) -> float:
        """The mean, so that higher is better."""
        values = self.of(measure.name, method)
        known = values[np.isfinite(values)]
        return math.nan if not len(known) else float(known.mean()) * (1 if measure.higher else -1)

    def _difference(self, first: str, second: str, measure: Measured) -> Difference:
        key = (first, second, measure.name)
        if key not in self._differences:
            found = self._differences[key] = self._compared(first, second, measure)
            turned = found._replace(value=0.0 - found.value, low=0.0 - found.high, high=0.0 - found.low)
            self._differences[second, first, measure.name] = turned
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
        names = [one.name for one in self.measures]
        if name not in names:
            raise unknown("measure of this evaluation", name, names)
        return names.index(name)

    def _method(self, name: str) -> int:
        if name not in self.names:
            raise unknown("method of this evaluation", name, self.names)
        return self.names.index(name)

    # words, files and views -----------------------------------------------------------------------------

    def advice(self) -> str:
        """One sentence of advice that follows from the numbers."""
        return advice(self)

    def table(self, **options: Any) -> str:
        """Methods, controls among them, by measures, as plain lines: each mean with its interval."""
        return str(drawn([self], ".txt", **options))

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: the advice, and each measure's means with their intervals by method."""
        means = {
            one.name: {name: to_plain(list(self.mean(one.name, name))) for name in self.names} for one in self.measures
        }
        return {"advice": self.advice(), "means": means}

    def __repr__(self) -> str:
        best = self.ranking()[:1]
        return (
            f"<Evaluation of {len(self.texts)} texts: {len(self.measures)} measures, "
            f"{len(self.methods)} methods and controls; first {best[0] if best else 'none'}>"
        )
