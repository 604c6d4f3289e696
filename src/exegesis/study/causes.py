"""What stands out of the causes of wrong predictions: the checks of the REAT paper's Figure 9."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scipy import stats

from exegesis.results.faults import Cause, Training

RARE, SURE, GIVEAWAY, SHORTCUT = 10, 0.01, 20, 0.05
BLIND_SAME, BLIND_TRULY, BLIND_USES = 0.9, 0.75, 4


class Share(NamedTuple):
    """The texts, how many of them are predicted wrongly, and how many causes might be shortcuts by their training."""

    texts: int
    wrong: int
    asking: int

    def chance(self, errors: int, uses: int) -> float:
        """How likely ``errors`` or more among ``uses`` texts are where a word has no part in them.

        The exact hypergeometric tail, given one error (a word without one is no cause), for all causes that are asked
        about together (Bonferroni): it is by its errors that a word came to be asked about.
        """
        tail, one = (stats.hypergeom.sf(k - 1, self.texts, self.wrong, uses) for k in (errors, 1))
        return min(1.0, self.asking * float(tail / one))


def leans(held: Training) -> bool:
    """Whether training texts that hold a word have the label more often than others."""
    return held.texts > 0 and held.p < SURE and held.share > held.base


def findings(cause: Cause, share: Share) -> tuple[str, ...]:
    """What stands out; see ``FINDINGS``."""
    checks: list[tuple[str, Callable[[], bool]]] = [
        ("context-blind", lambda: cause.uses >= BLIND_USES and cause.same >= BLIND_SAME and cause.truly <= BLIND_TRULY)
    ]
    if cause.training is not None:
        held: Training = cause.training
        skewed = leans(held)
        checks = [
            ("unseen", lambda: not held.texts),
            ("rare", lambda: 0 < held.texts < RARE),
            ("imbalanced", lambda: skewed),
            ("giveaway", lambda: held.texts >= GIVEAWAY and max(held.labels.values()) >= 0.95 * held.texts),
            *checks,
            ("shortcut", lambda: skewed and share.chance(cause.errors, cause.uses) < SHORTCUT),
        ]
    return tuple(name for name, holds in checks if holds())
