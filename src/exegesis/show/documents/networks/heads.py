"""The section of a study of heads: the best head of each relation beside its offset, and maps of layers by heads."""

from __future__ import annotations

import math

import numpy as np

from exegesis.results.internals.heads import HeadStudy
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.wording import decimal, visible

READ = (
    "A relation's head and its fixed offset are chosen on every other sentence and measured on the others, with 95 % "
    "intervals over sentences; a dot is hollow unless the head is surely better than the offset."
)
MAPS = (
    "Rows are layers, columns heads. Importance is the size of the derivative of the predicted class by a gate on the "
    "head; cost is the total variation of the prediction without it."
)
TAGS = 4  # parts of speech that are drawn


def heads(study: HeadStudy) -> doc.Section:
    """The relations, and maps of what each head attends to."""
    rows = [
        (visible(row.relation), f"{row.layer}.{row.head} {row.direction}", _with(row.accuracy, row.low, row.high),
         f"{row.offset:+d}".replace("-", "−"), _with(row.baseline, row.baseline_low, row.baseline_high),
         "yes" if row.apart_low > 0 else "no", str(row.words))
        for row in study.relations
    ]  # fmt: skip
    names = ("relation", "layer.head", "accuracy", "offset", "its accuracy", "better", "words")
    columns = tuple(doc.Column(name, words=number < 2) for number, name in enumerate(names))
    dots = tuple(
        dot
        for row in study.relations
        for dot in (
            doc.Dot(f"{visible(row.relation)} {row.layer}.{row.head}", "", row.accuracy, row.low, row.high, 0,
                    not row.apart_low > 0),
            doc.Dot(f"offset {row.offset:+d}", "", row.baseline, row.baseline_low, row.baseline_high),
        )
    )  # fmt: skip
    layers, count = study.special.shape
    down, across = (tuple(str(n + 1) for n in range(size)) for size in (layers, count))
    common = sorted(study.tags, key=lambda tag: -float(study.tags[tag].mean()))[:TAGS]
    maps = {
        "Attention to special pieces": study.special,
        **{f"Most attended: the {name} word": values for name, values in study.offsets.items()},
        **{f"Attention to {visible(tag)}": study.tags[tag] for tag in common},
        f"Importance, {study.tried} sentences": study.importance,
        f"Cost of leaving it out, {study.tried} sentences": study.cost,
    }
    matrices = tuple(
        doc.Matrix(down, across, values, doc.largest(np.ravel(values).tolist()), False, title=title, digits=2)
        for title, values in maps.items()
    )
    found = ", ".join(map(visible, study.found)) or "none"
    lead = (
        f"{len(study.found)} of {len(study.relations)} relations are found by a head better than by position: {found}."
    )
    chart = doc.Chart("Accuracy", "share of words", dots, signed=False)
    parts: tuple[doc.Part, ...] = (
        doc.Prose(lead, "lead"), doc.Table(columns, tuple(rows)), chart, doc.Prose(READ, "muted"), *matrices,
        doc.Prose(MAPS, "muted"),
    )  # fmt: skip
    return corpus.section(f"What the heads of {visible(study.asked.model)} attend to", corpus.facts(study.asked), parts)


def _with(value: float, low: float, high: float) -> str:
    """A share with its interval."""
    return decimal(value, 2) if math.isnan(low) else f"{decimal(value, 2)} [{decimal(low, 2)}, {decimal(high, 2)}]"
