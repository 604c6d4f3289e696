"""What stands on the page of each kind of study. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from exegesis.core.errors import UsageError
from exegesis.results.study import Absent, Asked, Shown, Study, WordClasses, WordUses
from exegesis.show.sheet import Box, Boxes, Grid, Heading, Marked, Part, Prose, Sheet, limit_of
from exegesis.show.wording import MINUS, percent, signed, visible
from exegesis.statistics.bootstrap import Spread

RARE = 10  # words below which a class is left out of the picture
TAG_NAMES = {
    "CC": "conjunction", "CD": "number", "DT": "determiner", "EX": "existential there", "FW": "foreign word",
    "IN": "preposition", "JJ": "adjective", "JJR": "comparative adjective", "JJS": "superlative adjective",
    "MD": "modal", "NN": "noun", "NNS": "plural noun", "NNP": "name", "NNPS": "plural name", "PDT": "predeterminer",
    "POS": "possessive ending", "PRP": "pronoun", "PRP$": "possessive pronoun", "RB": "adverb",
    "RBR": "comparative adverb", "RBS": "superlative adverb", "RP": "particle", "TO": "to", "UH": "interjection",
    "VB": "verb", "VBD": "past tense", "VBG": "gerund", "VBN": "past participle", "VBP": "present tense",
    "VBZ": "present, third person", "WDT": "wh-determiner", "WP": "wh-pronoun", "WP$": "possessive wh-pronoun",
    "WRB": "wh-adverb", "NOUN": "noun", "VERB": "verb", "ADV": "adverb", "ADJ": "adjective", "DET": "determiner",
    "ADP": "preposition", "CONJ": "conjunction", "PART": "particle", "PRON": "pronoun", "NUM": "number",
    "INTJ": "interjection", "SYM": "symbol", "PUNCT": "punctuation", ".": "end of sentence", ",": "comma",
    ":": "colon, dash", "``": "opening quote", "''": "closing quote", "HYPH": "hyphen", "NFP": "ornament",
    "AFX": "affix", "LS": "list mark", "-LRB-": "opening bracket", "-RRB-": "closing bracket", "ADD": "address",
    "GW": "part of a word", "X": "other", "XX": "unknown", "$": "currency",
}  # fmt: skip
READ_BOX = (
    "A box spans the middle half of the scores, its tick is the median and the bar within it the median's 95 % "
    "interval (a bootstrap over texts); whiskers end within 1.5 box lengths, outliers are left out."
)
SHEETS: dict[type, Callable[[Any], Sheet]] = {}


def sheet(study: Study) -> Sheet:
    """The page of a study."""
    if type(study) not in SHEETS:
        import exegesis.show.documents.faults
        import exegesis.show.documents.swaps  # noqa: F401 - both fill the table
    if type(study) not in SHEETS:
        raise UsageError(f"{type(study).__name__} is no study that can be shown")
    return SHEETS[type(study)](study)


def many(count: int, noun: str) -> str:
    """``1 text``, ``1,203 texts``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def facts(asked: Asked) -> tuple[tuple[str, str], ...]:
    """The header of a page."""
    corpus = many(asked.texts, "text") + (f", {many(asked.words, 'word')}" if asked.words else "")
    found = [("model", asked.model), ("method", asked.name), ("explained", what(asked)), ("corpus", corpus)]
    return tuple((name, visible(value)) for name, value in found if value)


def what(asked: Asked) -> str:
    """The number explained, as a reader says it."""
    kind, _, label = asked.target.partition(":")
    return f"{kind} of the predicted label" if label == "predicted" else f"{kind} of {visible(label)}"


def axis(asked: Asked) -> str:
    return f"score for the {what(asked)}"


def usual(values: Sequence[float]) -> float:
    """The middle of the magnitudes, so that small numbers show their digits."""
    sizes = sorted(abs(value) for value in values if value)
    return sizes[len(sizes) // 2] if sizes else 1.0


def interval(low: float, high: float, size: float) -> str:
    """Empty where there is none."""
    if not math.isfinite(low):
        return ""
    return f"{signed(low, size, minus=MINUS)} to {signed(high, size, minus=MINUS)}"


def number(value: float, size: float) -> str:
    return "" if math.isnan(value) else signed(value, size, minus=MINUS)


def spread_cells(spread: Spread, size: float) -> tuple[str, ...]:
    """Count, texts, median with its interval, quartiles, mean with its interval."""
    return (
        f"{spread.size:,}", f"{spread.texts:,}", number(spread.median, size),
        interval(spread.median_low, spread.median_high, size),
        f"{number(spread.q1, size)} to {number(spread.q3, size)}", number(spread.mean, size),
        interval(spread.mean_low, spread.mean_high, size),
    )  # fmt: skip


SPREAD_COLUMNS = ("words", "texts", "median", "95 %", "middle half", "mean", "95 %")


def _classes(study: WordClasses) -> Sheet:
    """Figure 7."""
    asked = study.asked
    seen = [one for one in study.classes if one.spread.size >= RARE] or list(study.classes)
    size = usual([one.spread.median for one in seen])
    rows = tuple(Box(one.tag, f"{TAG_NAMES.get(one.tag, '')} · {one.spread.size:,}", one.spread) for one in seen)
    grid = tuple(
        (one.tag, TAG_NAMES.get(one.tag, ""), ", ".join(map(visible, one.common)), *spread_cells(one.spread, size))
        for one in study.classes
    )
    parts: list[Part] = [Prose(_classes_sentence(study, seen))]
    parts.append(Boxes("Scores by part of speech, in the order of their medians", axis(asked), rows, asked.signed))
    hidden = len(study.classes) - len(seen)
    classes = f"{hidden} classes" if hidden > 1 else "1 class"
    rest = f" {classes} of fewer than {RARE} words in the table only." if hidden else ""
    parts.append(Prose(READ_BOX + rest, muted=True))
    parts.append(Grid(("tag", "part of speech", "commonest words", *SPREAD_COLUMNS), grid, left=3))
    return Sheet("What kinds of words the model goes by", facts(asked), tuple(parts))


def _classes_sentence(study: WordClasses, seen: Sequence[Any]) -> str:
    best, worst = seen[0], seen[-1]
    names = [f"{TAG_NAMES.get(one.tag, one.tag)} ({one.tag})" for one in (best, worst)]
    if len(seen) < 2:
        return f"All words are of one kind: {names[0]}."
    size = max(abs(best.spread.median), abs(worst.spread.median))
    return (
        f"Of {len(seen)} parts of speech {names[0]} has the highest median score, {number(best.spread.median, size)}; "
        f"{names[1]} has the lowest, {number(worst.spread.median, size)}."
    )


def _uses(study: WordUses) -> Sheet:
    """Figure 8."""
    asked = study.asked
    size = usual([one.spread.median for one in study.uses])
    rows = tuple(
        Box(
            one.word,
            f"{many(one.spread.size, 'use')} in {many(one.spread.texts, 'text')}",
            one.spread,
            tuple(one.scores.tolist()),
        )
        for one in study.uses
    )
    grid = tuple(
        (visible(one.word), *spread_cells(one.spread, size), percent(one.spread.positive)) for one in study.uses
    )
    parts: list[Part] = [Prose(_uses_sentence(one, asked, size)) for one in study.uses]
    parts += [Prose(_gap_sentence(one, size)) for one in study.gaps]
    parts += [Prose(_absent_sentence(one)) for one in study.absent]
    parts.append(Boxes("Scores of each use", axis(asked), rows, asked.signed))
    parts.append(Prose(READ_BOX.replace(", outliers are left out", "") + " A dot is one use.", muted=True))
    parts.append(Grid(("word", *SPREAD_COLUMNS, "above 0"), grid))
    limit = limit_of([shown for one in study.uses for shown in (*one.lowest, *one.highest)])
    for one in study.uses:
        parts.append(Heading(f"{visible(one.word)}: the most extreme contexts"))
        texts = [("lowest", shown) for shown in one.lowest] + [("highest", shown) for shown in reversed(one.highest)]
        parts.append(Marked(tuple((_caption(name, shown, size), shown) for name, shown in texts), limit, asked.signed))
    title = "How a word acts in its contexts" if len(rows) == 1 else "How words act in their contexts"
    return Sheet(title, facts(asked), tuple(parts))


def _uses_sentence(one: Any, asked: Asked, size: float) -> str:
    share = one.spread.positive
    side = "for" if share >= 0.5 else "against"
    often = (
        f"{percent(max(share, 1 - share))} of its {one.spread.size:,} uses" if one.spread.size > 1 else "its one use"
    )
    return (
        f"“{visible(one.word)}” speaks {side} the {what(asked)} in {often}; "
        f"its median score is {number(one.spread.median, size)}."
    )


def _absent_sentence(absent: Absent) -> str:
    near = f"; the nearest that stands in one is “{visible(absent.nearest)}”" if absent.nearest else ""
    return f"No text holds “{visible(absent.word)}”{near}."


def _gap_sentence(gap: Any, size: float) -> str:
    names = f"“{visible(gap.first)}” and “{visible(gap.second)}”"
    if not math.isfinite(gap.low):
        return f"The medians of {names} differ by {number(gap.value, size)}; there are too few texts for an interval."
    sure = "differ" if gap.low > 0 or gap.high < 0 else "cannot be told apart"
    return f"{names} {sure}: their medians differ by {number(gap.value, size)} ({interval(gap.low, gap.high, size)})."


def _caption(name: str, shown: Shown, size: float) -> str:
    own = [word.score for word in shown.words if word.marked]
    scores = ", ".join(number(score, size) for score in own)
    return f"{name} {scores} · {verdict(shown)}"


def verdict(shown: Shown) -> str:
    """``predicted negative 98.2 %, truly positive``."""
    said = f"predicted {visible(shown.label)} {percent(shown.probability)}".rstrip()
    return said if not shown.gold else f"{said}, truly {visible(shown.gold)}"


SHEETS |= {WordClasses: _classes, WordUses: _uses}
