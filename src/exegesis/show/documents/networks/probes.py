"""The section of probes: curves over the layers for every property, beside controls, and the tables behind them."""

from __future__ import annotations

import math

from exegesis.results.internals.probes import Probed, ProbeStudy
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.wording import decimal, many, visible

READ = (
    "Accuracy on sentences that the probe was not fitted to, with 95 % intervals over sentences. The control task "
    "gives each word type a label at random: what a probe gains over it (selectivity) it does not know by heart. "
    "Untrained is the same model with the numbers of each weight in another order; majority the most frequent label. "
    "Bits are those of a label by an online code of a linear probe (of the control task in brackets); without states "
    "it takes as many as stand last."
)
TREES = (
    "Distance: the share of a tree's arcs in the smallest spanning tree of squared distances under a linear map; "
    "depth: the share of sentences whose root is found. The order of words alone joins each word with the next one, "
    "and takes the first for the root."
)


def probes(study: ProbeStudy) -> doc.Section:
    """What probes read off every layer."""
    parts: list[doc.Part] = [doc.Prose(_lead(study), "lead")]
    for name in dict.fromkeys(row.name for row in study.probed):
        rows = [row for row in study.probed if row.name == name]
        parts += _charts(name, rows)
    if study.probed:
        names = ("property", "probe", "layer", "accuracy", "control", "selectivity", "untrained", "majority", "bits")
        columns = tuple(doc.Column(name, words=number < 3) for number, name in enumerate(names))
        parts += [doc.Table(columns, tuple(map(_row, study.probed))), doc.Prose(READ, "muted")]
    if study.structures:
        trees = tuple(
            (row.kind, visible(row.layer), _with(row.accuracy, row.low, row.high), decimal(row.untrained, 2),
             decimal(row.baseline, 2), decimal(row.spearman, 2), decimal(row.untrained_spearman, 2))
            for row in study.structures
        )  # fmt: skip
        heads = ("tree", "layer", "accuracy", "untrained", "word order", "rank correlation", "untrained ")
        columns = tuple(doc.Column(name, words=number < 2) for number, name in enumerate(heads))
        parts += [doc.Table(columns, trees), doc.Prose(TREES, "muted")]
    title = f"What the states of {visible(study.asked.model)} hold"
    return corpus.section(title, corpus.facts(study.asked), tuple(parts))


def _lead(study: ProbeStudy) -> str:
    """Where each property is read best by a linear probe, and which are not read better than untrained states."""
    best: dict[str, Probed] = {}
    for row in study.probed:
        if row.name not in best or row.accuracy > best[row.name].accuracy:
            best[row.name] = row
    told = ", ".join(
        f"{visible(row.name)} at {visible(row.layer)} ({decimal(row.accuracy, 2)})" for row in best.values()
    )
    split = f"Probes were fitted to {many(study.fitted, 'sentence')} and tried on {study.held}."
    return f"{split} Read best: {told}." if told else split


def _charts(name: str, rows: list[Probed]) -> list[doc.Part]:
    layers = tuple(dict.fromkeys(row.layer for row in rows))
    kinds = tuple(dict.fromkeys(row.probe for row in rows))
    curves = []
    for hue, kind in enumerate(kinds):
        own = {row.layer: row for row in rows if row.probe == kind}
        points = [(at + 1.0, own[layer]) for at, layer in enumerate(layers) if layer in own]
        curves.append(doc.Curve(kind, tuple((at, row.accuracy) for at, row in points), hue=2 * hue))
        curves.append(doc.Curve(f"{kind}, control", tuple((at, row.control) for at, row in points), hue=2 * hue + 1))
        if not hue:
            beside = tuple((at, row.untrained) for at, row in points)
            curves.append(doc.Curve("untrained", beside, hue=2 * len(kinds)))
    title, curves = f"{visible(name)} of a {rows[0].level}", [one for one in curves if len(one.points) == len(layers)]
    if len(layers) < 2 or not curves:
        return []  # one layer is no curve
    return [doc.Chart(title, "accuracy", tuple(curves), False, across="layer", words=tuple(map(visible, layers)))]


def _row(row: Probed) -> tuple[str, ...]:
    bits = f"{decimal(row.bits, 2)} ({decimal(row.control_bits, 2)}) of {decimal(row.uniform, 2)}"
    return (
        visible(row.name), visible(row.probe), visible(row.layer), _with(row.accuracy, row.low, row.high),
        decimal(row.control, 2), _with(row.selectivity, row.apart_low, row.apart_high), decimal(row.untrained, 2),
        decimal(row.majority, 2), "" if math.isnan(row.bits) else bits,
    )  # fmt: skip


def _with(value: float, low: float, high: float) -> str:
    """A number with its interval."""
    return decimal(value, 2) if math.isnan(low) else f"{decimal(value, 2)} [{decimal(low, 2)}, {decimal(high, 2)}]"
