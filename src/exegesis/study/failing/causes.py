"""Conspicuous causes of wrong predictions: the checks of Figure 9 of the REAT paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scipy import stats

from exegesis.results.behaviour.faults import Cause, Training

RARE_TEXTS, GIVEAWAY_TEXTS = 10, 20  # training texts that hold a word
LEANING_LEVEL, SHORTCUT_LEVEL = 0.01, 0.05  # significance levels
BLIND_SAME, BLIND_TRULY, BLIND_USES = 0.9, 0.75, 4


class Share(NamedTuple):
    """Numbers of texts, of wrong predictions among them, and of causes tested as shortcuts together."""

    texts: int
    wrong: int
    tested: int

    def chance(self, errors: int, uses: int) -> float:
        """The probability of ``errors`` or more among ``uses`` texts if the word has no part in them.

        The exact hypergeometric tail, given at least one error (a word without errors is not a cause), with a
        Bonferroni correction for all causes tested together, since a word is tested because of its errors.
        """
        tail, any_error = (stats.hypergeom.sf(k - 1, self.texts, self.wrong, uses) for k in (errors, 1))
        return min(1.0, self.tested * float(tail / any_error))


def leans(held: Training) -> bool:
    """True if training texts that hold a word have the label significantly more often than others."""
    return held.texts > 0 and held.p < LEANING_LEVEL and held.share > held.base


def findings(cause: Cause, share: Share) -> tuple[str, ...]:
    """The names of the checks that a cause meets (keys of ``results.faults.FINDINGS``)."""
    checks: list[tuple[str, Callable[[], bool]]] = [
        ("context-blind", lambda: cause.uses >= BLIND_USES and cause.same >= BLIND_SAME and cause.truly <= BLIND_TRULY)
    ]
    if cause.training is not None:
        held: Training = cause.training
        skewed = leans(held)
        checks = [
            ("unseen", lambda: not held.texts),
            ("rare", lambda: 0 < held.texts < RARE_TEXTS),
            ("imbalanced", lambda: skewed),
            ("giveaway", lambda: held.texts >= GIVEAWAY_TEXTS and max(held.labels.values()) >= 0.95 * held.texts),
            *checks,
            ("shortcut", lambda: skewed and share.chance(cause.errors, cause.uses) < SHORTCUT_LEVEL),
        ]
    return tuple(name for name, holds in checks if holds())
