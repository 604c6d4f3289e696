"""Sentences under an explanation: what its numbers are, whether they add up, what else to know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from exegesis.results.attribution import Attribution
from exegesis.show.documents.header import single
from exegesis.show.wording import adding, number, target_phrase, visible

ROUNDING = 1e-6  # share of the number up to which a gap is rounding


class Sum:
    """The equation of an explanation: a number is the total of the scores, an account, and a gap."""

    def __init__(self, target: str, explained: float, total: float, account: Mapping[str, Any]) -> None:
        values = {name: single(value) for name, value in account.items()}
        with np.errstate(all="ignore"):  # scores that are not finite have no sum, which the caller says
            self.gap = explained - total - sum(values.values())
        self.finite = math.isfinite(total + self.gap)
        self.closed = abs(self.gap) <= ROUNDING * max(1.0, abs(explained))
        large = [self.gap] if abs(self.gap) > 5e-4 * abs(explained) else []
        self._more = adding(explained, [total, *values.values(), *large])
        self.what, self.total, self.whole = target_phrase(target), self._number(total), self._number(explained)
        self.parts = [f"{visible(name)} {self._number(value)}" for name, value in values.items()]

    def _number(self, value: float) -> str:
        return number(value, more=self._more)

    def sentence(self, whose: str) -> str:
        """``The scores add up to 4.76; with output bias 0.11 they make the logit of positive, 4.87.``"""
        given = f"; with {' and '.join(self.parts)} they make" if self.parts else " for"
        gap = "" if self.closed else f", but for a gap of {number(self.gap)}"
        return f"{whose} add up to {self.total}{given} the {self.what}, {self.whole}{gap}."

    def equation(self) -> str:
        """``logit of positive 4.87 = sum 4.76 + output bias 0.11``"""
        gap = [] if self.closed else [f"gap {number(self.gap)}"]
        return f"{self.what} {self.whole} = " + " + ".join([f"sum {self.total}", *self.parts, *gap])


def account_line(result: Attribution) -> str:
    """One sentence on a result of one target: what its numbers are and whether they add up."""
    what, explained = target_phrase(result.target), single(result.explained)
    if not result.spans:
        return "There is nothing to score."
    if "reduced" in result.details:
        return f"{_reduced(result, 'Enough')}. The other words can go, the lowest scores first."
    if result.details.get("signed") is False:
        return f"A score is a size without a sign: how far the {what} depends on a word."
    found = _sum(result)
    whose = "The words' scores" if len(result.level_names) > 1 and result.level_names[0] == "word" else "The scores"
    if not found.finite:
        return f"Each score is a share in the {what}."
    if not result.complete:
        total = number(explained - single(result.residual))
        return f"{whose} add up to {total}; the {what} is {number(explained)} (this method promises no sum)."
    return found.sentence(whose)


def account_short(result: Attribution) -> str:
    """The account as a phrase, for a list of results: an equation if the method promises one."""
    what, explained = target_phrase(result.target), single(result.explained)
    if not result.spans:
        return "nothing to score"
    if "reduced" in result.details:
        return _reduced(result, "enough")
    if result.details.get("signed") is False:
        return f"sizes without a sign, of the {what} {number(explained)}"
    found = _sum(result)
    if not found.finite:
        return f"shares in the {what}"
    if not result.complete:
        total = number(explained - single(result.residual))
        return f"sum {total}, {what} {number(explained)} (promises no sum)"
    return found.equation()


def _sum(result: Attribution) -> Sum:
    explained = single(result.explained)
    with np.errstate(all="ignore"):
        return Sum(result.target, explained, explained - single(result.residual), result.account)


def _reduced(result: Attribution, enough: str) -> str:
    kept = visible(" ".join(map(str, result.details["reduced"])))
    return f"{enough} for {visible(result.prediction.label)}: {kept}"


def estimate_line(details: Mapping[str, Any]) -> str:
    """How exact sampled scores are; empty for exact ones."""
    error = details.get("standard_error")
    if error is None or not np.size(error):
        return ""
    return f"Estimated from drawn orders: standard errors up to {number(float(np.max(error)))}."


def unknown_line(result: Attribution) -> str:
    """The words that the model does not know, each once; empty if there are none."""
    if not result.details.get("unknown"):
        return ""
    words = result.words
    places = [word for word in result.details.get("unknown", ()) if word < len(words)]
    names = list(dict.fromkeys(words[word] for word in places))
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    quoted = ", ".join(f"“{visible(name)[:40]}”" for name in names[:6])
    return f"Unknown to the model: {quoted}{more}." if names else ""
