"""The section of a study of links: the best head of each kind beside simple rules, and its confusion."""

from __future__ import annotations

import math

from exegesis.results.internals.links import LinkStudy
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.wording import decimal, visible

READ = (
    "Accuracy is the share of links whose source's most attended word is a goal. Heads and offsets are chosen on every "
    "other text and measured on the rest, with 95 % intervals over texts; a dot is hollow unless the head is surely "
    "better than all rules."
)
CONFUSED = (
    "Confusion is the cross-entropy, in nats, of attention between the goals of a link and its rivals, at the head "
    "that has the least; chance is that of equal attention."
)


def links(study: LinkStudy) -> doc.Section:
    """Each kind of link with its head, its rules and its confusion."""
    rows, dots = list[tuple[str, ...]](), list[doc.Dot]()
    for row in study.links:
        name = f"{visible(row.link)} {row.layer}.{row.head}"
        rows.append((visible(row.link), f"head {row.layer}.{row.head}", _with(row.accuracy, row.low, row.high), "",
                     str(row.words)))  # fmt: skip
        dots.append(doc.Dot(name, "", row.accuracy, row.low, row.high, 0, not row.better))
        for rule in row.rules:
            rule_name = visible(rule.name).replace("-", "−")
            better = "yes" if rule.apart_low > 0 else "no"
            rows.append(("", rule_name, _with(rule.share, rule.low, rule.high), better, str(row.words)))
            dots.append(doc.Dot(rule_name, "", rule.share, rule.low, rule.high))
    table = doc.table(("link", "found by", "accuracy", "head is better", "links"), rows, words=2)
    found = [visible(row.link) for row in study.links if row.better]
    lead = f"{len(found)} of {len(study.links)} kinds of link are found by a head better than by every rule"
    parts: list[doc.Part] = [
        doc.Prose(f"{lead}: {', '.join(found)}." if found else f"{lead}.", "lead"), table,
        doc.Chart("Accuracy", "share of links", tuple(dots), signed=False), doc.Prose(READ, "muted"),
    ]  # fmt: skip
    confused = [
        (visible(row.link), f"{row.clear_layer}.{row.clear_head}",
         _with(row.confusion, row.confusion_low, row.confusion_high), decimal(row.chance, 2))
        for row in study.links
        if not math.isnan(row.confusion)
    ]  # fmt: skip
    if confused:
        parts += [
            doc.table(("link", "layer.head", "confusion", "chance"), confused, words=2),
            doc.Prose(CONFUSED, "muted"),
        ]
    title = f"Which links the heads of {visible(study.asked.model)} follow"
    return corpus.section(title, corpus.facts(study.asked), tuple(parts))


def _with(value: float, low: float, high: float) -> str:
    """A number with its interval."""
    return decimal(value, 2) if math.isnan(low) else f"{decimal(value, 2)} [{decimal(low, 2)}, {decimal(high, 2)}]"
