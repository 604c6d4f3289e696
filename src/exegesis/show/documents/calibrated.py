"""The section of calibration: how far confidence can be believed, by several readings of it."""

from __future__ import annotations

from exegesis.results.behaviour.calibrated import Calibrated
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.wording import decimal, many, percent, visible

READ = (
    "The gap is the mean distance of confidence and share of right predictions, over ten groups of texts of like "
    "confidence; the Brier score is the mean square of what confidence misses. Smaller is better; intervals are 95 %."
)
FEW = 50  # held-out texts: with fewer, fitted readings are those of chance


def calibrated(study: Calibrated) -> doc.Section:
    """The readings, and the groups of the one as it is and of the best."""
    rows = study.readings
    first, best = rows[0], min(rows, key=lambda row: row.brier)
    score = f"the smallest Brier score ({decimal(best.brier, 3)}"
    lead = (
        f"The model's own probability has {score}): leave it as it is."
        if best is first
        else f"The model says {decimal(first.gap, 3)} too much or too little on average; {visible(best.name)} has "
        f"{score}, not {decimal(first.brier, 3)})."
    )
    dots = tuple(
        doc.Dot(row.name, "", row.gap, row.gap_low, row.gap_high, 0 if row is not first else None) for row in rows
    )
    cells = (
        (row.name, row.meaning, decimal(row.gap, 3), f"{decimal(row.gap_low, 3)} to {decimal(row.gap_high, 3)}",
         decimal(row.brier, 4), f"{decimal(row.brier_low, 4)} to {decimal(row.brier_high, 4)}") for row in rows
    )  # fmt: skip
    steps = (
        (row.name, str(step.texts), percent(step.confidence), percent(step.right))
        for row in dict.fromkeys((first, best)) for step in row.steps
    )  # fmt: skip
    if study.held < FEW:
        lead += f" Fitted readings say little on {many(study.held, 'held-out text')}: hold out {FEW} or more."
    facts = f"{percent(study.accuracy)} right, fitted on {many(study.held, 'held-out text')}; "
    facts += f"{many(study.neighbours, 'neighbour')}."
    parts: list[doc.Part] = [
        doc.Prose(lead, "lead"),
        doc.Chart("Gap between confidence and share of right predictions", "gap", dots, signed=False),
        doc.table(("confidence", "what it is", "gap", "interval", "Brier", "interval"), cells, words=2),
        doc.Prose(f"{READ} {facts}", "muted"),
        doc.Heading("Groups of texts of like confidence"),
        doc.table(("confidence", "texts", "mean confidence", "right"), steps, words=1),
    ]
    return corpus.section("How far the model's confidence can be believed", corpus.facts(study.asked), parts)
