"""The sentence that says how far one explanation can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from exegesis.results.attribution import Attribution
from exegesis.show.wording import decimal, number, percent, visible

ROUNDING = 1e-6  # share of the number up to which a gap is rounding
NAMED = 4  # words that are named one by one


def trust_line(result: Attribution) -> str:
    """``details["trust"]`` (see ``questions.trust.line.with_trust``) as one sentence; empty if there is none.

    ``Trust: without the top 2 words the probability of positive falls by 0.61 (random words: 0.08); without "tedious"
    the label is negative; rank correlation 0.93 with leave-one-out, 0.88 with reat; scores and account miss the number
    by 3.1 % (the method promises no sum).``
    """
    values = _of(result)
    if not values:
        return ""
    parts = [part for part in (_fall(values), _flip(values), _agreement(values, result), _gap(values)) if part]
    return f"Trust: {'; '.join(parts)}." if parts else ""


def _of(result: Attribution) -> Mapping[str, Any]:
    """The values of the sentence for the target of a result."""
    values = result.details.get("trust")
    if not isinstance(values, Mapping):
        return {}
    each = values.get("each")
    if not isinstance(each, list):
        return values
    mine = [one for one in each if isinstance(one, Mapping) and one.get("target") in result.targets]
    return mine[0] if mine else {}


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
    size, other = _amount(abs(drop), output), _amount(abs(chance), output)
    way, against = ("rises" if drop < 0 else "falls"), ("rises" if chance < 0 else "falls")
    beside = other if way == against else f"it {against} by {other}"
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
    given = values.get("agreement")
    known = {} if not isinstance(given, Mapping) else {visible(str(name)): _number(one) for name, one in given.items()}
    said = [decimal(one, 2) + f" with {name}" for name, one in known.items() if one is not None]
    kind = " of sizes" if result.details.get("signed") is False else ""
    return f"rank correlation{kind} {', '.join(said)}" if said else ""


def _gap(values: Mapping[str, Any]) -> str:
    gap = _number(values.get("gap"))
    if gap is None:
        return ""
    if gap <= ROUNDING:
        return "nothing of the number is left open"
    share = percent(gap) if gap < 1 else f"{100 * gap:.0f} %"
    promise = "" if values.get("complete") is True else " (the method promises no sum)"
    return f"scores and account miss the number by {share}{promise}"
