"""One sentence that follows from an evaluation's numbers. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exegesis.core.evaluation import Evaluation

RANDOM = "random"
FASTER = 2.0  # times, from which a faster method is worth naming
FEW = 20  # texts, below which little can be known
FEWEST = 6  # below which even a difference of one sign throughout comes by chance more than once in twenty times


def advice(result: Evaluation) -> str:
    """Which method to take, whether it is better than chance, how it does against the others, and what is faster."""
    if result.remark:
        return result.remark
    order = result.ranking()
    best = order[0]
    if len(result.texts) == 1:
        return _alone(result, order)
    if len(result.texts) < FEWEST:
        return f"{len(result.texts)} texts are too few to tell methods apart: take {FEW} or more."
    counted = [one for one in result.measures if not result.favoured(one, best)]
    measured = sum(result.mean(one.name, best).texts > 1 for one in counted)
    few = f" {len(result.texts)} texts are few: take more." if len(result.texts) < FEW else ""
    chance = "measured without the control of random scores"
    if RANDOM in result.names:
        above = sum(result.compare(best, RANDOM, one.name)[0].better == best for one in counted)
        if not above:
            return f"Trust none of these explanations: even {best} is not above random scores on any measure.{few}"
        chance = f"above random scores on {above} of {measured} measures"
    if len(order) == 1:
        return f"{best} is {chance}.{few}"
    won, lost = result.wins(best)
    if not won:
        return (
            f"No method is better than another on these texts; {best} is {chance}.{_faster(result, best, order)}{few}"
        )
    return f"Take {best}: {chance}; {_against(won, lost)}.{_faster(result, best, order)}{few}"


def _alone(result: Evaluation, order: Sequence[str]) -> str:
    """Of one text no interval can be had, so nothing is said of other texts."""
    text = "of one text nothing follows for others"
    if len(order) == 1:
        return f"One method on one text: {text}."
    count = sum(not result.favoured(one, order[0]) for one in result.ranking_by)
    return f"On this text {order[0]} has the best mean rank over {_measures(count)}; {text}."


def _measures(count: int) -> str:
    return f"{count} measure{'s' * (count != 1)}"


def _against(won: int, lost: int) -> str:
    return f"against the other methods it wins {won} comparison{'s' * (won > 1)} and loses {lost or 'none'}"


def _faster(result: Evaluation, best: str, order: Sequence[str]) -> str:
    """The next in rank of those that are clearly faster, with what it costs."""
    seconds = {one.name: one.seconds for one in result.methods}
    quick = [name for name in order if name != best and 0 < FASTER * seconds[name] < seconds[best]]
    if not quick:
        return ""
    named = [one.name for one in result.ranking_by if not result.favoured(one, best, quick[0])]
    worse = [d.measure for d in result.compare(best, quick[0]) if d.better == best and d.measure in named]
    times = f" {quick[0]} is {seconds[best] / seconds[quick[0]]:.0f} times faster"
    return f"{times} and {f'worse on {_listed(worse)}' if worse else 'not worse on any measure'}."


def _listed(names: Sequence[str]) -> str:
    if len(names) > 3:
        return f"{len(names)} measures"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
