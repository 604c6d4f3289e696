"""The section of amendments: what leaving out or adding named training texts does, beside random ones."""

from __future__ import annotations

import math

from exegesis.results.behaviour.amended import Amended
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.wording import clipped, decimal, many, percent, visible

LONG = 160  # characters of a text in the table
READ = (
    "Put right is the share of the wrong predictions that are right after training anew; test is the change of the "
    "accuracy on test texts that were not asked about. Means over trainings, with 95 % intervals."
)
DONE = {"remove": "without the texts that hurt", "add": "with the texts that help added"}
CONTROL = {"remove": "without random texts", "add": "with random texts added"}


def amended(study: Amended) -> doc.Section:
    """The changes with their effects, and the texts."""
    ways = {(one.change, one.chosen == study.asked.name): one for one in study.amendments}
    best = max((one for (_, mine), one in ways.items() if mine), key=lambda one: one.fixed)
    control = ways[best.change, False]
    lead = (
        f"{DONE[best.change].capitalize()}, {percent(best.fixed)} of {decimal(study.wrong, 1)} wrong predictions are "
        f"put right; {CONTROL[best.change]}, {percent(control.fixed)}."
    )
    rows = (
        ((DONE if one.chosen == study.asked.name else CONTROL)[one.change], percent(one.fixed),
         _interval(one.fixed_low, one.fixed_high), percent(one.test), _interval(one.test_low, one.test_high))
        for one in study.amendments
    )  # fmt: skip
    texts = (
        (clipped(visible(" ".join(one.text.split())), LONG), visible(one.label), one.change, decimal(one.score, 3))
        for one in study.named
    )
    dots = tuple(
        doc.Dot((DONE if one.chosen == study.asked.name else CONTROL)[one.change], "", one.fixed, one.fixed_low,
                one.fixed_high, 0 if one.chosen == study.asked.name else None)
        for one in study.amendments if not math.isnan(one.fixed_low)
    )  # fmt: skip
    facts = (
        f"{many(study.count, 'text')} at a time, {many(study.trainings, 'seed')}, {percent(study.before)} right "
        f"before, {many(study.judged, 'test text')} not asked about."
    )
    parts: list[doc.Part] = [doc.Prose(lead, "lead")]
    if dots:
        parts.append(doc.Chart("Wrong predictions put right", "share", dots, signed=False))
    parts += [
        doc.table(("training", "put right", "interval", "test", "interval"), rows, words=1),
        doc.Prose(f"{READ} {facts[0].upper()}{facts[1:]}", "muted"),
        doc.Heading("The texts that the first model was changed by"),
        doc.table(("training text", "label", "change", "summed score"), texts, words=3),
    ]
    return corpus.section("What named training texts do to wrong predictions", corpus.facts(study.asked), parts)


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{percent(low)} to {percent(high)}"
