"""One sentence that follows from an evaluation's numbers. Imports no torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exegesis.core.evaluation import Evaluation

RANDOM = "random"
FASTER = 2.0  # times, from which a faster method is worth naming
FEW = 20  # texts, below which little can be known


def advice(result: Evaluation) -> str:
    """Which method to take, whether it is better than chance and than the next, and what is as good and faster."""
    order = result.ranking()
    best = order[0]
    measured = [one.name for one in result.measures if result.mean(one.name, best).texts > 1]
    few = f" ({len(result.texts)} texts are few: take more)" if len(result.texts) < FEW else ""
    if RANDOM in result.names:
        above = [d.measure for d in result.compare(best, RANDOM) if d.better == best]
        if not above:
            return f"Trust none of these explanations: even {best} is not above random scores on any measure{few}."
        chance = f"above random scores on {len(above)} of {len(measured)} measures"
    else:
        chance = f"measured on {len(measured)} measures, without the control of random scores"
    if len(order) == 1:
        return f"{best} is {chance}{few}."
    _, lost = result.wins(best)
    equal = [name for name in order[1:] if not any(d.better == best for d in result.compare(best, name))]
    worse = [name for name in order[1:] if name not in equal]
    against = f"better than {_listed(worse)} on at least one" if worse else "not to be told from the others"
    beaten = f" (and beaten in {lost} comparison{'s' * (lost > 1)})" if lost else " and never beaten"
    return f"Take {best}: {chance}, {against}{beaten}{_faster(result, best, equal)}{few}."


def _faster(result: Evaluation, best: str, equal: list[str]) -> str:
    seconds = {one.name: one.seconds for one in result.methods}
    quick = min(equal, key=lambda name: seconds[name] if seconds[name] > 0 else math.inf, default="")
    if quick and 0 < FASTER * seconds[quick] < seconds[best]:
        times = seconds[best] / seconds[quick]
        return f"; {quick} cannot be told from it and is {times:.0f} times faster"
    return f"; {_listed(equal)} cannot be told from it" if equal and len(equal) < len(result.ranking()) - 1 else ""


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
