"""Words and numbers as every document and medium writes them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

MINUS = "\N{MINUS SIGN}"

# Format characters that belong to writing: joiners, marks of direction (they move nothing else), soft hyphen, signs
_KEPT = frozenset("\u00ad\u200c\u200d\u200e\u200f\u061c\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")
_PLAIN = re.compile(r"[\x20-\x7e\u00a1-\u00ac\u00ae-\u02ff]*")


def visible(text: str) -> str:
    """A text with every character that would not print made visible, so that none can act on a screen or a file.

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
    """A text broken at blanks into lines that fit the room; a longer word stands alone in its line."""
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


def signed(score: float, scale: float, *, minus: str = MINUS, sign: bool = True, more: int = 0) -> str:
    """A score with its sign, to as many places as its scale (the largest score beside it) makes worth reading, or
    ``more``; ``sign=False`` leaves out a plus."""
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


def number(value: float, minus: str = MINUS, more: int = 0) -> str:
    """A number by itself: three significant digits or two places, whichever says more; or ``more`` places."""
    return signed(value, abs(value), minus=minus, sign=False, more=more)


def decimal(value: float, places: int, plus: bool = False) -> str:
    """A number to some places; empty for NaN."""
    return "" if math.isnan(value) else f"{value:{'+' if plus else ''}.{places}f}".replace("-", MINUS)


def adding(whole: float, parts: Sequence[float]) -> int:
    """The number of further places, at most two, with which the rounded parts add up to the rounded whole."""

    def rounded(value: float, more: int) -> float:
        return float(number(value, "-", more=more))

    if not all(math.isfinite(value) for value in (whole, *parts)):
        return 0
    for more in (0, 1, 2):
        if abs(sum(rounded(part, more) for part in parts) - rounded(whole, more)) < 1e-9 * max(1.0, abs(whole)):
            return more
    return 0


def percent(probability: float) -> str:
    """``99.2 %``; rounded to 0 or 100 only if it is exactly that. Empty for NaN."""
    if not math.isfinite(probability):
        return ""
    for places in (1, 2, 4):
        text = f"{100 * probability:.{places}f}"
        if float(text) not in (0.0, 100.0):
            return f"{text} %"
    exact = {0.0: "0 %", 1.0: "100 %"}
    return exact.get(probability, "<0.0001 %" if probability < 0.5 else ">99.9999 %")


def duration(seconds: float) -> str:
    """A length of time; empty if the time was not measured."""
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


def prediction_phrase(label: str, probability: float) -> str:
    """``positive 99.2 %``; the label alone if the model gives no probability."""
    return f"{visible(label)} {percent(probability)}".rstrip()


def model_name(path: str) -> str:
    """A model without its folder."""
    return visible(re.split(r"[/\\]", path.rstrip("/\\"))[-1])


def common(values: Sequence[str]) -> str:
    """The value that all share; empty if they differ."""
    return values[0] if len(set(values)) == 1 else ""


def many(count: int, noun: str) -> str:
    """``1 text``, ``1,203 texts``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def counted(counts: Mapping[str, int]) -> str:
    """``negative 12, positive 1,203``."""
    return ", ".join(f"{visible(name)} {count:,}" for name, count in counts.items())
