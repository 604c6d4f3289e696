"""The section of concepts in hidden states: which ones a number follows, layer by layer, beside random sets."""

from __future__ import annotations

import math

from exegesis.results.internals.concepts import CERTAIN, ConceptAt, ConceptStudy
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.wording import decimal, many, percent, signed, visible

READ = (
    "A direction separates the states of a concept's examples from other examples; held out is how often it is right "
    "about examples that it was not fitted to. The effect is the mean change of the number as the state moves by one "
    "standard deviation along it, the TCAV score the share of texts whose number grows. Random sets of the same size "
    "give the ranges; p is the share of sets as far from 0 (the score: from 0.5), in Holm's correction for all "
    "concepts and layers."
)
FLAT = (
    "Where the number changes alike for all texts, as behind a last linear layer, the TCAV score of every direction is "
    "0 or 1, and only the effect can tell a concept from a random set."
)


def concepts(study: ConceptStudy) -> doc.Section:
    """What is found, a chart for each concept, and the table."""
    size = corpus.usual(row.effect for row in study.rows)
    charts = [_chart(study, name, hue) for hue, name in enumerate(study.concepts)]
    rows = [_cells(row, size) for row in study.rows]
    names = ("concept", "layer", "examples", "held out", "effect", "random sets", "p", "TCAV", "random sets", "p")
    facts = doc.facts({
        "examples": "texts that hold a word of the concept" if study.within else "read alone",
        "compared with": f"{many(study.compared, 'example')} of no concept", "random sets": f"{study.sets:,}",
    })  # fmt: skip
    parts: list[doc.Part] = [facts, doc.Prose(_lead(study), "lead"), *charts, doc.table(names, rows, words=2)]
    parts.append(doc.Prose(READ, "muted"))
    if any(row.score in (0.0, 1.0) for row in study.rows):
        parts.append(doc.Prose(FLAT, "muted"))
    return corpus.section(f"Does {visible(study.asked.model)} follow concepts?", corpus.facts(study.asked), parts)


def _lead(study: ConceptStudy) -> str:
    told = []
    for name in study.concepts:
        own = [row for row in study.followed if row.concept == name]
        if own:
            best = max(own, key=lambda row: abs(row.effect))
            way = "grows" if best.effect > 0 else "falls"
            told.append(f"it {way} along {visible(name)} ({', '.join(visible(row.layer) for row in own)})")
        else:
            told.append(f"it follows {visible(name)} no more than random sets at any layer")
    return f"Of the {corpus.explained(study.asked)}: {'; '.join(told)}."


def _chart(study: ConceptStudy, name: str, hue: int) -> doc.Chart:
    dots = []
    for row in study.rows:
        if row.concept == name:
            note = f"p {_p(row.effect_p)}, held out {percent(row.accuracy)}"
            dots.append(doc.Dot(visible(row.layer), note, row.effect, math.nan, math.nan, hue, row.effect_p > CERTAIN))
            middle = (row.effect_low + row.effect_high) / 2
            dots.append(doc.Dot("random sets", "", middle, row.effect_low, row.effect_high, None, True))
    return doc.Chart(visible(name), "effect", tuple(dots), note="filled: not one of the random sets", mark=0.0)


def _cells(row: ConceptAt, size: float) -> tuple[str, ...]:
    return (
        visible(row.concept), visible(row.layer), str(row.examples), percent(row.accuracy), signed(row.effect, size),
        corpus.interval(row.effect_low, row.effect_high, size), _p(row.effect_p), decimal(row.score, 2),
        f"{decimal(row.score_low, 2)} to {decimal(row.score_high, 2)}", _p(row.score_p),
    )  # fmt: skip


def _p(value: float) -> str:
    return decimal(value, 3)
