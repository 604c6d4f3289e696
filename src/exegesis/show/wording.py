"""The words and numbers that every view writes: scores, what was explained, whether it adds up. Imports no torch."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

from exegesis.results.attribution import Attribution, Number

MINUS = "\N{MINUS SIGN}"

# Format characters that belong to writing: joiners, marks of direction (they move nothing else), soft hyphen, signs
_KEPT = frozenset("\u00ad\u200c\u200d\u200e\u200f\u061c\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")
_PLAIN = re.compile(r"[\x20-\x7e\u00a1-\u00ac\u00ae-\u02ff]*")


def visible(text: str) -> str:
    """The text with every character that would not print made visible, so that none can act on a screen or a file.

    C0 controls and DEL become their Unicode pictures; C1 controls, line and paragraph separators, controls that
    override direction, lone surrogates and noncharacters become escapes such as ``\\x9b`` or ``\\udc80``.
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    hidden = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp", "Cf")
    tag = 0xE0020 <= code <= 0xE007F  # the letters of flag emoji
    if (hidden and character not in _KEPT and not tag) or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return character


# texts that must fit ------------------------------------------------------------------------------------


def clipped(text: str, room: float, width: Callable[[str], float] = len) -> str:
    """A text that fits the room, cut with an ellipsis if it is too long; ``width`` measures texts."""
    if width(text) <= room:
        return text
    low, high = 0, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if width(text[:middle] + "…") <= room else (low, middle - 1)
    return text[:low] + "…"


def folded(text: str, room: float, width: Callable[[str], float] = len) -> list[str]:
    """A text broken at blanks into lines that fit the room; a word that is longer has a line of its own."""
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and width(longer) > room:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line]


# numbers ----------------------------------------------------------------------------------------------


def signed(score: float, scale: float, *, minus: str = "-", sign: bool = True, more: int = 0) -> str:
    """A score with its sign, to as many places as its scale (the largest of its neighbours) makes worth reading, or
    some ``more``."""
    if math.isnan(score):
        return "?"
    if math.isinf(score):
        return ("+" if score > 0 else minus) + "\N{INFINITY}"
    plus = "+" if sign else ""
    if score == 0:
        return "0"
    size = scale if math.isfinite(scale) and scale > 0 else abs(score)
    power = math.floor(math.log10(size))
    if -4 <= power <= 6:
        text = f"{abs(score):.{max(0, 2 - max(power, 0)) + max(0, -power - 1) + more}f}"
    else:
        text = f"{abs(score):.2e}"
    return (plus if score > 0 else minus) + text


def number(value: float, minus: str = "-", more: int = 0) -> str:
    """A number on its own: three significant digits or two places, whichever says more; or some ``more``."""
    return signed(value, abs(value), minus=minus, sign=False, more=more)


def adding(whole: float, parts: Sequence[float]) -> int:
    """How many more places parts and whole need for the rounded parts to add up to the rounded whole; at most two."""

    def rounded(value: float, more: int) -> float:
        return float(number(value, more=more))

    if not all(math.isfinite(value) for value in (whole, *parts)):
        return 0
    for more in (0, 1, 2):
        if abs(sum(rounded(part, more) for part in parts) - rounded(whole, more)) < 1e-9 * max(1.0, abs(whole)):
            return more
    return 0


def percent(probability: float) -> str:
    """``99.2 %``; never rounded to 0 or 100 where it is not. Empty for NaN."""
    if not math.isfinite(probability):
        return ""
    for places in (1, 2, 4):
        text = f"{100 * probability:.{places}f}"
        if float(text) not in (0.0, 100.0):
            return f"{text} %"
    exact = {0.0: "0 %", 1.0: "100 %"}
    return exact.get(probability, "<0.0001 %" if probability < 0.5 else ">99.9999 %")


def duration(seconds: float) -> str:
    """A length of time; empty where none was taken."""
    if not seconds > 0:
        return ""
    if seconds < 1:
        return f"{max(0.1, 1000 * seconds):.3g} ms"
    return f"{seconds:.2f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


# what was explained -------------------------------------------------------------------------------------


def target_phrase(target: str) -> str:
    """``logit:positive`` as a reader says it: ``logit of positive``."""
    kind, _, label = target.partition(":")
    return visible(f"{kind} of {label}" if label else kind)


def prediction_phrase(result: Attribution) -> str:
    """``positive 99.2 %``; the label alone where the model gives no probability."""
    label = visible(result.prediction.label)
    share = percent(result.prediction.probability)
    return f"{label} {share}" if share else label


def model_name(result: Attribution) -> str:
    """The model without its folder."""
    return visible(re.split(r"[/\\]", result.model.rstrip("/\\"))[-1])


def account_line(result: Attribution, minus: str = "-") -> str:
    """What the numbers are and whether they add up: one sentence on a result of one target.

    ``The scores add up to 4.76; with output bias 0.11 they make the logit of positive, 4.87.`` A method that promises
    no sum says so.
    """
    what, explained = target_phrase(result.target), _single(result.explained)
    if not result.spans:
        return "There is nothing to score."
    if "reduced" in result.details:
        kept = visible(" ".join(map(str, result.details["reduced"])))
        return (
            f"Enough for {visible(result.prediction.label)}: {kept}. The other words can go, the lowest scores first."
        )
    if result.details.get("signed") is False:
        return f"A score is a size without a sign: how far the {what} depends on a word."
    total, gap, parts, more = _sums(result, minus)
    if not math.isfinite(total + gap):
        return f"Each score is a share in the {what}."
    if not result.complete:
        told = f"the {what} is {number(explained, minus)} (this method promises no sum)"
        return f"{_whose(result)} add up to {number(total, minus)}; {told}."
    start = f"{_whose(result)} add up to {number(total, minus, more)}"
    whole = f"the {what}, {number(explained, minus, more)}"
    sentence = f"{start}; with {' and '.join(parts)} they make {whole}" if parts else f"{start} for {whole}"
    return f"{sentence}." if _closed(result, gap) else f"{sentence}, but for a gap of {number(gap, minus)}."


def _whose(result: Attribution) -> str:
    """The scores that the account adds up: the words', where there are others."""
    return "The words' scores" if len(result.level_names) > 1 and result.level_names[0] == "word" else "The scores"


def account_short(result: Attribution, minus: str = "-") -> str:
    """The same as an equation, for lists: ``logit of positive 4.87 = sum 4.76 + output bias 0.11``."""
    what, explained = target_phrase(result.target), _single(result.explained)
    if not result.spans:
        return "nothing to score"
    if "reduced" in result.details:
        kept = visible(" ".join(map(str, result.details["reduced"])))
        return f"enough for {visible(result.prediction.label)}: {kept}"
    if result.details.get("signed") is False:
        return f"sizes without a sign, of the {what} {number(explained, minus)}"
    total, gap, parts, more = _sums(result, minus)
    if not math.isfinite(total + gap):
        return f"shares in the {what}"
    if "place" in result.details:  # of a network, where a sum is not promised and not the point
        return f"its words' scores add up to {number(total, minus)}"
    if not result.complete:
        return f"sum {number(total, minus)}, {what} {number(explained, minus)} (promises no sum)"
    rest = [] if _closed(result, gap) else [f"gap {number(gap, minus)}"]
    whole = f"{what} {number(explained, minus, more)}"
    return f"{whole} = " + " + ".join([f"sum {number(total, minus, more)}", *parts, *rest])


def _sums(result: Attribution, minus: str) -> tuple[float, float, list[str], int]:
    """The sum of the scores, the gap, each part of the account with its number, and the places that numbers need to
    add up (the gap aside where it is small)."""
    explained = _single(result.explained)
    with np.errstate(all="ignore"):  # scores that are not finite have no sum, which the caller says
        total, gap = explained - _single(result.residual), _single(result.gap)
    account = {name: _single(value) for name, value in result.account.items()}
    more = adding(explained, [total, *account.values(), *([gap] if abs(gap) > 5e-4 * abs(explained) else [])])
    return total, gap, [f"{visible(name)} {number(value, minus, more)}" for name, value in account.items()], more


def _closed(result: Attribution, gap: float) -> bool:
    return abs(gap) <= 1e-6 * max(1.0, abs(_single(result.explained)))


def _single(value: Number) -> float:
    return float(np.asarray(value, dtype=np.float64).reshape(-1)[0])


def facts(result: Attribution, minus: str = "-") -> dict[str, str]:
    """What stands in a header, by name: prediction, target (with the number explained), method, model, gap, time."""
    explained = _single(result.explained)
    target = target_phrase(result.target)
    values = {
        "prediction": prediction_phrase(result),
        "target": f"{target} {number(explained, minus)}" if math.isfinite(explained) else target,
        "method": visible(result.name),
        "model": model_name(result),
        "time": duration(result.seconds),
    }
    return {name: value for name, value in values.items() if value}


def common(values: Sequence[str]) -> str:
    """The value that all share, else nothing."""
    return values[0] if len(set(values)) == 1 else ""
