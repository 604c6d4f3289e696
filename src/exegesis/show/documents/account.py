"""Sentences under an explanation: what its numbers are, whether they add up, how far to trust it, what else to know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from exegesis.results.attribution import Attribution
from exegesis.show.wording import adding, decimal, number, percent, target_phrase, visible

ROUNDING = 1e-6  # share of the number up to which a gap is rounding
SEEN = 1e-4  # share of the number or the sum from which a gap shows in the digits that are written
CANCELLING = 50  # times the number: scores of such sizes are said to cancel
NAMED = 4  # words that are named one by one


class Sum:
    """The equation of an explanation: a number is the total of the scores, an account, and a gap."""

    def __init__(self, target: str, explained: float, total: float, account: Mapping[str, float]) -> None:
        with np.errstate(all="ignore"):  # scores that are not finite have no sum, which the caller says
            self.gap = explained - total - sum(account.values())
        self.finite = math.isfinite(total + self.gap)
        self.closed = abs(self.gap) <= max(ROUNDING, SEEN * max(abs(explained), abs(total)))
        large = [self.gap] if abs(self.gap) > 5e-4 * abs(explained) else []
        self._more = adding(explained, [total, *account.values(), *large])
        self.what, self.total, self.whole = target_phrase(target), self._number(total), self._number(explained)
        self.parts = [f"{visible(name)} {self._number(value)}" for name, value in account.items()]

    def _number(self, value: float) -> str:
        return number(value, more=self._more)

    def sentence(self, whose: str) -> str:
        """``The scores add up to 4.76; with output bias 0.11 they make the logit of positive, 4.87.``"""
        with_parts = f"; with {' and '.join(self.parts)} they make" if self.parts else " for"
        gap = "" if self.closed else f", but for a gap of {number(self.gap)}"
        return f"{whose} add up to {self.total}{with_parts} the {self.what}, {self.whole}{gap}."

    def equation(self) -> str:
        """``logit of positive 4.87 = sum 4.76 + output bias 0.11``"""
        gap = [] if self.closed else [f"gap {number(self.gap)}"]
        return f"{self.what} {self.whole} = " + " + ".join([f"sum {self.total}", *self.parts, *gap])


def account_line(result: Attribution) -> str:
    """The sentence on a result of one target: what its numbers are and whether they add up."""
    words = len(result.level_names) > 1 and result.level_names[0] == "word"
    return _account(result, whole=True, whose="The words' scores" if words else "The scores")


def account_short(result: Attribution) -> str:
    """The account as a phrase, for a list of results: an equation if the method promises one."""
    return _account(result, whole=False)


def _account(result: Attribution, whole: bool, whose: str = "") -> str:
    what, explained = target_phrase(result.target), number(result.explained)
    if not result.spans:
        return "There is nothing to score." if whole else "nothing to score"
    if "reduced" in result.details:
        words = visible(" ".join(map(str, result.details["reduced"])))
        phrase = f"for {visible(result.prediction.label)}: {words}"
        return f"Enough {phrase}. The other words can go, the lowest scores first." if whole else f"enough {phrase}"
    if result.details.get("signed") is False:
        size = f"A score is a size without a sign: how far the {what} depends on a word."
        return size if whole else f"sizes without a sign, of the {what} {explained}"
    with np.errstate(all="ignore"):
        carried = result.explained - result.residual
        account = Sum(result.target, result.explained, carried, result.account)
    if not account.finite:
        return f"Each score is a share in the {what}." if whole else f"shares in the {what}"
    if not whole:
        return account.equation() if result.complete else f"sum {number(carried)}, {what} {explained} (promises no sum)"
    if result.complete:
        return account.sentence(whose) + _cancelling(result, carried)
    reached = number(carried + sum(result.account.values()))
    with_parts = f"; with {' and '.join(account.parts)} they make {reached}" if account.parts else ""
    sums = f"{whose} add up to {number(carried)}{with_parts}; the {what} is {explained} (this method promises no sum)."
    return sums + _cancelling(result, carried)


def _cancelling(result: Attribution, carried: float) -> str:
    """A sentence on scores that are many times the number and their own sum, of which little is left; else empty."""
    sizes = float(np.abs(result.at(result.level_names[0]).scores).sum())
    reference = max(abs(result.explained), abs(carried))
    if not sizes > CANCELLING * reference:
        return ""
    return f" They cancel: their sizes add up to {number(sizes)}, so believe none before another method agrees."


def estimate_line(details: Mapping[str, Any]) -> str:
    """The precision of sampled scores; empty for exact ones."""
    error = details.get("standard_error")
    if error is None or not np.size(error):
        return ""
    return f"Estimated from drawn orders: standard errors up to {number(float(np.max(error)))}."


def windows_line(result: Attribution) -> str:
    """What a model has read of a text that is too long for it; empty if it has read all of it at once."""
    windows = result.details.get("windows")
    if not windows:
        return ""
    ranges = ", ".join(f"{first + 1} to {stop}" for first, stop in windows)
    if len(windows) == 1:
        whole = len(result.words)
        return f"Too long for the model: words {ranges} of {whole} were read, the others have no part in it."
    return f"Too long for the model: read in {len(windows)} windows, words {ranges}; the number is the mean of theirs."


def spans_line(result: Attribution) -> str:
    """The spans on which a model's own attention rests most; empty if it has none."""
    words, said = result.words, []
    for start, stop, share in result.details.get("spans", ()):
        said.append(f"“{visible(' '.join(words[start:stop]))}” {percent(share)}")
    return f"Most attention of its spans: {', '.join(said)}." if said else ""


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


# trust -------------------------------------------------------------------------------------------------


def trust_line(result: Attribution) -> str:
    """``details["trust"]`` (see ``questions.trust.line.with_trust``) as one sentence; empty if there is none.

    ``Trust: without the top 2 words the probability of positive falls by 0.61 (random words: 0.08); without "tedious"
    the label is negative; rank correlation 0.93 with leave-one-out, 0.88 with reat; scores and account miss the number
    by 3.1 % (the method promises no sum).``
    """
    values = result.details.get("trust")
    if isinstance(values, Mapping) and isinstance(values.get("each"), list):  # of several targets
        rows = [row for row in values["each"] if isinstance(row, Mapping)]
        values = next((row for row in rows if row.get("target") in result.targets), None)
    if not isinstance(values, Mapping) or not values:
        return ""
    parts = filter(None, (_fall(values), _flip(values), _agreement(values, result), _gap(values)))
    return f"Trust: {'; '.join(parts)}."


def _number(value: object) -> float | None:
    plain = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if plain else None  # type: ignore[arg-type]


def _fall(values: Mapping[str, Any]) -> str:
    drop, chance = _number(values.get("drop")), _number(values.get("random"))
    if drop is None or chance is None:
        alone = values.get("words") == 1
        return "one word is the whole text" if alone else "all words score the same, so none is a top word"
    top, output = values.get("top"), values.get("what") == "output"
    words = "the top word" if top == 1 else f"the top {top} words"
    random = "a random word" if top == 1 else "random words"
    size, random_size = _amount(abs(drop), output), _amount(abs(chance), output)
    way, random_way = ("rises" if drop < 0 else "falls"), ("rises" if chance < 0 else "falls")
    beside = random_size if way == random_way else f"it {random_way} by {random_size}"
    what = f"{'output' if output else 'probability'} of {visible(str(values.get('label', '')))}"
    return f"without {words} the {what} {way} by {size} ({random}: {beside})"


def _flip(values: Mapping[str, Any]) -> str:
    """The shortest run of top words that changes the label."""
    flip = values.get("flip", ())
    if flip is None:
        return "no run of top words changes the label"
    if not isinstance(flip, Mapping) or not isinstance(flip.get("words"), list) or not flip["words"]:
        return ""
    words, to = [f"“{visible(str(word))}”" for word in flip["words"]], visible(str(flip.get("to", "")))
    if len(words) > NAMED:
        return f"it takes the top {len(words)} of {values.get('words')} words to turn the label to {to}"
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"without {listed} the label is {to}"


def _amount(value: float, output: bool) -> str:
    if output:
        return number(value)
    return f"{value:.2f}" if value >= 0.005 or value == 0 else "less than 0.01"


def _agreement(values: Mapping[str, Any], result: Attribution) -> str:
    by_method = values.get("agreement")
    rows = by_method.items() if isinstance(by_method, Mapping) else ()
    numbers = {visible(str(name)): _number(value) for name, value in rows}
    phrases = [f"{decimal(value, 2)} with {name}" for name, value in numbers.items() if value is not None]
    kind = " of sizes" if result.details.get("signed") is False else ""
    return f"rank correlation{kind} {', '.join(phrases)}" if phrases else ""


def _gap(values: Mapping[str, Any]) -> str:
    gap = _number(values.get("gap"))
    if gap is None:
        return ""
    if gap <= ROUNDING:
        return "nothing of the number is left open"
    share = percent(gap) if gap < 1 else f"{100 * gap:.0f} %"
    promise = "" if values.get("complete") is True else " (the method promises no sum)"
    return f"scores and account miss the number by {share}{promise}"
