"""Advice: one sentence that follows from the numbers of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exegesis.statistics.bootstrap import MIN_TEXTS

if TYPE_CHECKING:
    from exegesis.results.evaluation import Evaluation

__all__ = ["FEW", "MIN_TEXTS", "RANDOM", "advice", "trusted"]
RANDOM = "random"
FASTER = 2.0  # a method that is fewer times faster is not worth naming
FEW = 20  # with fewer texts the advice asks for more


def advice(result: Evaluation, *, timed: bool = True) -> str:
    """Recommend a method: compare it with random scores and with the other methods, and if ``timed`` name a faster one.

    A method is recommended only if it is ``trusted`` and wins more comparisons than it loses. All comparisons hold
    together at one level (see ``Evaluation``): among methods that are only noise, at most one evaluation in twenty
    recommends one.
    """
    if result.remark:
        return result.remark
    order = result.ranking()
    best = order[0]
    if len(result.texts) == 1:
        return _alone(result, order)
    few = of_few(result)
    if result.distinct < MIN_TEXTS:
        return f"{few} to tell methods apart: take {FEW} or more."
    chance = "measured without the control of random scores"
    if RANDOM in result.names:
        above = result.above_random(best)
        if not above.won:
            return f"Trust none of these explanations: even {best} is not above random scores on any measure.{few}"
        chance = f"above random scores on {above.won} of {_measures(above.made)}"
        chance += f" and below them on {above.lost}" if above.lost else ""
        if not trusted(result, best):
            return f"No method can be recommended: even {best}, the first in rank, is only {chance}.{few}"
    if len(order) == 1:
        return f"{best} is {chance}.{few}"
    faster = _faster(result, best, order) if timed else ""
    won, lost, total = result.tally(best)
    if won <= lost:
        return f"No method is better than the others on these texts; {best} is {chance}.{faster}{few}"
    against = f"it wins {won} of {total} comparisons with the other methods and loses {lost or 'none'}"
    return f"Take {best}: {chance}; {against}{_level(result, best, order)}.{faster}{few}"


def trusted(result: Evaluation, method: str) -> bool:
    """True if a method is above random scores on more than half of the measures that rank it, and below on none."""
    won, lost, total = result.above_random(method)
    return 2 * won > total and not lost


def of_few(result: Evaluation) -> str:
    """A warning that the texts are few: a sentence to append, or the beginning of one if they are too few."""
    count = result.distinct
    named = f"{count} {'different ' * (count < len(result.texts))}text{'s' * (count != 1)}"
    if count < MIN_TEXTS:
        return f"{named} {'are' if count != 1 else 'is'} too few"
    return f" {named} are few: take more." if count < FEW else ""


def _alone(result: Evaluation, order: Sequence[str]) -> str:
    """The advice for a single text: one text has no interval, so the advice says nothing about other texts."""
    text = "of one text nothing follows for others"
    if len(order) == 1:
        return f"One method on one text: {text}."
    count = sum(not result.favoured(measure, order[0]) for measure in result.ranking_by)
    return f"On this text {order[0]} has the best mean rank over {_measures(count)}; {text}."


def _measures(count: int) -> str:
    return f"{count} measure{'s' * (count != 1)}"


def _level(result: Evaluation, best: str, order: Sequence[str]) -> str:
    """The methods that do as well against the best one as it does against them, as the end of a sentence."""
    alike = [name for name in order if name != best and result.tally(best, [name]).share <= 0]
    if not alike:
        return ""
    named = _listed(alike) if len(alike) <= 3 else f"{len(alike)} of them"
    return f", but is not seen to be better than {named}"


def _faster(result: Evaluation, best: str, order: Sequence[str]) -> str:
    """The highest-ranked of the clearly faster methods and the measures on which it is worse, as a sentence."""
    seconds = {method.name: method.seconds for method in result.methods}
    quick = [name for name in order if name != best and 0 < FASTER * seconds[name] < seconds[best]]
    if not quick:
        return ""
    named = [m.name for m in result.ranking_by if not result.favoured(m, best, quick[0])]
    worse = [d.measure for d in result.compare(best, quick[0]) if d.better == best and d.measure in named]
    times = f" {quick[0]} is {seconds[best] / seconds[quick[0]]:.0f} times faster"
    return f"{times} and {f'worse on {_listed(worse)}' if worse else 'no measure tells it worse'}."


def _listed(names: Sequence[str]) -> str:
    if len(names) > 3:
        return f"{len(names)} measures"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
