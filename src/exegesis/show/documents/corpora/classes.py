"""The documents of word classes and of uses of words over a corpus (REAT paper, Figures 7 and 8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from exegesis.results.behaviour.study import Absent, Asked, Gap, Shown, Uses, WordClass, WordClasses, WordUses
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.documents.corpora.corpus import interval, number
from exegesis.show.wording import many, percent, visible

RARE = 10  # words below which a class is left out of the picture


def word_classes(study: WordClasses) -> doc.Section:
    """Scores by part of speech."""
    asked = study.asked
    frequent = [row for row in study.classes if row.spread.size >= RARE] or list(study.classes)
    size = corpus.usual(row.spread.median for row in frequent)
    boxes = [doc.Box(row.tag, f"{row.meaning} · {row.spread.size:,}", row.spread) for row in frequent]
    common = [", ".join(map(visible, row.common)) for row in study.classes]
    rows = (
        (row.tag, row.meaning, words, *corpus.spread_cells(row.spread, size))
        for row, words in zip(study.classes, common, strict=True)
    )
    hidden = len(study.classes) - len(frequent)
    classes = f"{hidden} classes" if hidden > 1 else "1 class"
    rest = f" {classes} of fewer than {RARE} words in the table only." if hidden else ""
    title, axis = "Scores by part of speech, in the order of their medians", f"score for the {corpus.explained(asked)}"
    parts: list[doc.Part] = [
        doc.Prose(_classes_sentence(frequent)),
        doc.Chart(title, axis, tuple(boxes), asked.signed),
        doc.Prose(corpus.READ_BOX + rest, "muted"),
        doc.table(("tag", "part of speech", "commonest words", *corpus.SPREAD_COLUMNS), rows, words=3),
    ]
    return corpus.section("What kinds of words the model goes by", corpus.facts(asked), parts)


def _classes_sentence(frequent: Sequence[WordClass]) -> str:
    best, worst = frequent[0], frequent[-1]
    names = [f"{row.meaning or row.tag} ({row.tag})" for row in (best, worst)]
    if len(frequent) < 2:
        return f"All words are of one kind: {names[0]}."
    size = max(abs(best.spread.median), abs(worst.spread.median))
    return (
        f"Of {len(frequent)} parts of speech {names[0]} has the highest median score, "
        f"{number(best.spread.median, size)}; {names[1]} has the lowest, {number(worst.spread.median, size)}."
    )


def word_uses(study: WordUses) -> doc.Section:
    """Scores of words over their contexts, and the most extreme contexts."""
    asked, size = study.asked, corpus.usual(uses.spread.median for uses in study.uses)
    rows = tuple(
        doc.Box(uses.word, f"{many(uses.spread.size, 'use')} in {many(uses.spread.texts, 'text')}", uses.spread,
            tuple(uses.scores.tolist()))
        for uses in study.uses
    )  # fmt: skip
    cells = [
        (visible(uses.word), *corpus.spread_cells(uses.spread, size), percent(uses.spread.positive))
        for uses in study.uses
    ]
    parts: list[doc.Part] = [doc.Prose(_uses_sentence(uses, asked, size)) for uses in study.uses]
    parts += [doc.Prose(_gap_sentence(gap, size)) for gap in study.gaps]
    parts += [doc.Prose(_absent_sentence(absent)) for absent in study.absent]
    parts.append(doc.Chart("Scores of each use", f"score for the {corpus.explained(asked)}", rows, asked.signed))
    parts.append(doc.Prose(corpus.READ_BOX.replace(", outliers are left out", "") + " A dot is one use.", "muted"))
    parts.append(doc.table(("word", *corpus.SPREAD_COLUMNS, "above 0"), cells))
    limit = corpus.limit_of(shown for uses in study.uses for shown in (*uses.lowest, *uses.highest))
    for uses in study.uses:
        parts.append(doc.Heading(f"{visible(uses.word)}: the most extreme contexts"))
        for name, shown in (("lowest", uses.lowest), ("highest", uses.highest[::-1])):
            parts += corpus.texts(shown, partial(_caption, name, size), asked.signed, limit)
    title = "How a word acts in its contexts" if len(rows) == 1 else "How words act in their contexts"
    return corpus.section(title, corpus.facts(asked), parts)


def _uses_sentence(uses: Uses, asked: Asked, size: float) -> str:
    share, count = uses.spread.positive, uses.spread.size
    side = "for" if share >= 0.5 else "against"
    often = f"{percent(max(share, 1 - share))} of its {count:,} uses" if count > 1 else "its one use"
    return (
        f"“{visible(uses.word)}” speaks {side} the {corpus.explained(asked)} in {often}; "
        f"its median score is {number(uses.spread.median, size)}."
    )


def _absent_sentence(absent: Absent) -> str:
    near = f"; the nearest that stands in one is “{visible(absent.nearest)}”" if absent.nearest else ""
    return f"No text holds “{visible(absent.word)}”{near}."


def _gap_sentence(gap: Gap, size: float) -> str:
    names = f"“{visible(gap.first)}” and “{visible(gap.second)}”"
    if not math.isfinite(gap.low):
        return f"The medians of {names} differ by {number(gap.value, size)}; there are too few texts for an interval."
    sure = "differ" if gap.low > 0 or gap.high < 0 else "cannot be told apart"
    return f"{names} {sure}: their medians differ by {number(gap.value, size)} ({interval(gap.low, gap.high, size)})."


def _caption(name: str, size: float, shown: Shown) -> str:
    scores = ", ".join(number(word.score, size) for word in shown.words if word.marked)
    return f"{name} {scores} · {corpus.verdict(shown)}"
