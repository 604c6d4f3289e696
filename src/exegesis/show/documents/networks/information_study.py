"""The section of a study of information: what each layer of each model discards and keeps, and which words survive."""

from __future__ import annotations

import math

from exegesis.results.internals.information_study import InformationStudy
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.wording import decimal, number, percent, visible

READ = (
    "Discarded is H(X|s) in nats, a mean over texts with its 95 % interval (a bootstrap over texts); more is how much "
    "more than at the layer before. Kept are nats of each dimension of a word's vector above noise that would hide it; "
    "the gap is that of content words less that of all others, text by text. Settled is the share of words whose "
    "number is certified on fresh draws; none the share for which there is no minimum at this rate."
)
NAMES = ("model", "layer", "discarded", "more", "kept", "content", "other", "gap", "settled", "none")


def information_study(result: InformationStudy) -> doc.Section:
    """The layers of every model as a table and as dots, and the words that the last ones hold."""
    models = list(dict.fromkeys(row.model for row in result.rows))
    rows = [
        (visible(row.model), visible(row.layer), _with(row.discarded, row.discarded_low, row.discarded_high, 0),
         _with(row.more, row.more_low, row.more_high, 0), decimal(row.kept, 2), decimal(row.content, 2),
         decimal(row.other, 2), _with(row.gap, row.gap_low, row.gap_high, 3), percent(row.settled), percent(row.none))
        for row in result.rows
    ]  # fmt: skip
    dots = tuple(
        doc.Dot(f"{visible(row.model)} · {visible(row.layer)}", "", row.kept, math.nan, math.nan,
                models.index(row.model), False)
        for row in result.rows
    )  # fmt: skip
    columns = tuple(doc.Column(name, words=name in ("model", "layer")) for name in NAMES)
    survivors = [
        doc.Prose(
            f"Held most by the last layer of {visible(model)}: "
            + ", ".join(
                f"{visible(one.word)} ({one.held} of {one.texts})" for one in result.survivors if one.model == model
            )
        )
        for model in models
    ]
    rate = doc.facts({"K λ": number(result.rate)})
    parts: tuple[doc.Part, ...] = (
        rate, doc.Table(columns, tuple(rows)),
        doc.Chart("What layers keep of a word", "nats of each dimension", dots, signed=False),
        *survivors, doc.Prose(READ, "muted"),
    )  # fmt: skip
    return corpus.section("What layers hold of words", corpus.facts(result.asked), parts)


def _with(value: float, low: float, high: float, places: int) -> str:
    """A number with its interval; empty without one."""
    if math.isnan(value):
        return ""
    return decimal(value, places) + ("" if math.isnan(low) else f" [{decimal(low, places)}, {decimal(high, places)}]")
