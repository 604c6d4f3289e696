"""The document of evaluations: how far explanations can be trusted, each measure beside its controls."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from exegesis.results.advice import RANDOM
from exegesis.results.evaluation import Evaluation, Measured
from exegesis.show import document as doc
from exegesis.show.documents import attribution
from exegesis.show.wording import counted, decimal, duration, many, visible

TITLE = "How far can these explanations be trusted?"
COLUMNS = ("evaluation", "model", "text", "label", "measure", "method", "control", "value")
DASHES: dict[str, Literal["dashed", "dotted", "long"]] = {"greedy": "dotted", "leave-one-out": "long"}
RANKING = (
    "By comparisons won less comparisons lost, as a share of those made. A comparison is won where the difference is "
    "unlikely to be chance, judged for all comparisons together: were all methods equals, one page in twenty would "
    "show a win."
)
MEASURES = (
    "Better is to the right in every panel. A dot is the mean over texts, a line its 95 % interval. The grey band is "
    "where random scores lie; a hollow dot is not better than they are."
)
CONTESTED = (
    "The texts with the lowest mean rank correlation between methods, of those with eight words or more if there are "
    "any."
)
READING = {
    "Controls": "Random scores belong to the text and know nothing of the model. Leave-one-out scores a word by what "
    "the explained number loses without it. Greedy removal takes, step by step, the word whose loss costs most "
    "probability: about the best that deleting can show, for texts of up to 64 words.",
    "Intervals": "Texts are drawn with replacement {samples:,} times, the same draws for all methods; an interval "
    "stands for itself, at 95 %. What is said to be better is tested by turning the signs of whole texts at random, at "
    "95 % for all comparisons together. A text that stands twice counts once.",
    "Deleted words": "A text without some of its words is one that the model may never have seen. Where a ranking "
    "matters, look whether it holds for blanked (pad) and resampled words too.",
    "Faithful is not right": "A faithful explanation shows what this model does, not what it should do.",
}


def document(results: Sequence[Evaluation]) -> doc.Document:
    """Evaluations in order; only the last says how to read all of them."""
    sections = [_section(result, number == len(results)) for number, result in enumerate(results, 1)]
    return doc.Document(TITLE, "Evaluation", tuple(sections))


def records(results: Sequence[Evaluation]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each text, measure and method; the value is empty if there is none."""
    yield COLUMNS
    for number, result in enumerate(results):
        for m, measure in enumerate(result.measures):
            for k, method in enumerate(result.methods):
                for text, label, value in zip(result.texts, result.labels, result.values[m, k], strict=True):
                    written = None if math.isnan(value) else float(value)
                    names = measure.name, method.name, str(method.control).lower()
                    yield (number, result.model, text, label, *names, written)


def _section(result: Evaluation, last: bool) -> doc.Section:
    ranked = result.ranking()
    order = [*ranked, *(method.name for method in result.methods if method.control)]
    dots = [_dots(result, measure, order) for measure in result.measures]
    curves = [_curves(result, measure, order) for measure in result.measures if measure.name in result.curves]
    squares = _squares(result, ranked) if len(ranked) > 1 else []
    keys = tuple(_key(result, name, place) for place, name in enumerate(order))
    parts: list[doc.Part] = [doc.Prose(visible(result.advice()), "lead"), *_check(result), _facts(result)]
    ranking = " ".join([RANKING, *_unranked(result)])
    parts += [doc.Heading("Ranking"), doc.Prose(ranking, "muted"), _ranking(result, ranked)]
    parts += [doc.Heading("Every measure beside its controls"), doc.Prose(MEASURES, "muted"), *dots]
    parts += [doc.Heading("Curves"), doc.Legend(keys=keys), *curves] if curves else []
    parts += [doc.Heading("Agreement"), doc.Prose(f"{_agreement(result)}.", "muted"), *squares] if squares else []
    if result.contested and len(ranked) > 1:
        parts += [doc.Heading("Where methods disagree most"), doc.Prose(CONTESTED, "muted")]
        for group in result.contested:
            section = attribution.section([part for scores in group for part in scores.each_target()])
            parts += [part for part in section.parts if not isinstance(part, doc.Table)]
    reading = [doc.Note(name, text.format(samples=result.samples)) for name, text in READING.items()] if last else []
    parts += [doc.Heading("How to read this")] if last else []
    parts += [doc.Legend(notes=(*reading, *doc.sentences(map(visible, result.notes)))), _papers(result)]
    key = [doc.Legend(keys=keys)] if curves else []
    return doc.Section(TITLE, tuple(parts), _brief(result, order), (*dots, *key, *curves, *squares))


def _brief(result: Evaluation, order: Sequence[str]) -> tuple[doc.Part, ...]:
    """Methods by measures, each mean with its interval, and what follows."""
    table = _means(result, order)
    marks = "".join(cell for row in table.rows for cell in row[1:] if isinstance(cell, str))
    lines = [
        "* better than random scores, at 95 % for all comparisons together" * ("*" in marks),
        "± half of the mean's 95 % interval (a paired bootstrap)" * ("±" in marks),
        *_favoured(result),
        f"{_agreement(result)}." if _agreement(result) else "",
        *map(visible, result.notes),
    ]
    legend = doc.Legend(notes=doc.sentences(filter(None, lines)))
    return *_check(result), _facts(result), table, legend, doc.Prose(visible(result.advice()), "lead")


def _means(result: Evaluation, order: Sequence[str]) -> doc.Table:
    seconds = {method.name: method.seconds for method in result.methods}
    heads = [doc.Column("method", words=True), doc.Column("time per text")]
    heads += [doc.Column(visible(measure.name), note=_direction(measure)) for measure in result.measures]
    rows = tuple(
        (visible(name), duration(seconds[name]), *(_mean(result, measure, name) for measure in result.measures))
        for name in order
    )
    ranked = len(result.ranking())
    return doc.Table(tuple(heads), rows, groups=((ranked, "controls"),) if ranked < len(order) else ())


def _mean(result: Evaluation, measure: Measured, name: str) -> str:
    mean = result.mean(measure.name, name)
    if not mean.texts:
        return ""
    half = f"±{(mean.high - mean.low) / 2:.2f}" if math.isfinite(mean.low) else ""
    above = RANDOM in result.names and name != RANDOM and _better(result, name, RANDOM, measure)
    return f"{decimal(mean.value, 3)}{half}{'*' if above else ' '}"


def _check(result: Evaluation) -> list[doc.Prose]:
    """The question of a check of methods; nothing if methods are measured and ranked."""
    check = "; ".join(f"{visible(measure.name)}: {visible(measure.question)}" for measure in result.measures)
    return [doc.Prose(f"Check by {check}")] if result.remark else []


def _facts(result: Evaluation) -> doc.Facts:
    counts = {label: result.labels.count(label) for label in sorted(set(result.labels))}
    requests, runs, calls = (result.counts.get(name, 0) for name in ("asked", "run", "calls"))
    run = f"{requests:,} asked for, {runs:,} run, in {calls:,} pooled calls" if result.counts else ""
    texts = f"{len(result.texts):,} ({counted(counts)})"
    named = {"model": visible(result.model), "texts": texts, "perturbed texts": run, "time": duration(result.seconds)}
    return doc.facts(named)


def _ranking(result: Evaluation, ranked: Sequence[str]) -> doc.Table:
    seconds = {method.name: method.seconds for method in result.methods}
    longest = max((value for value in seconds.values() if value > 0), default=1.0)
    chance = RANDOM in result.names
    rows = list[tuple[str | doc.Gauge, ...]]()
    for place, name in enumerate(ranked, 1):
        tally, above = result.tally(name), result.above_random(name)
        time = doc.Gauge(duration(seconds[name]) or "not measured", max(0.0, seconds[name] / longest), signed=False)
        beside = [f"{above.won} of {above.made}"] if chance else []
        rows.append((str(place), visible(name), *beside, str(tally.won), str(tally.lost), str(tally.made), time))
    heads = ["above random", "won", "lost", "of", "time per text"][not chance :]
    return doc.table(("", "method", *heads), rows, words=2, hues=tuple(range(len(ranked))))


def _unranked(result: Evaluation) -> Iterator[str]:
    """The measures that methods are not ranked by."""
    names = [visible(measure.name) for measure in result.measures if measure not in result.ranking_by]
    if names:
        verb = "does" if len(names) == 1 else "do"
        yield (
            "What people would mark, and whether numbers add up, says nothing of faithfulness: "
            f"{', '.join(names)} {verb} not count here."
        )
    yield from _favoured(result)


def _favoured(result: Evaluation) -> Iterator[str]:
    """The measures that leave methods out of the ranking, because these have the best number by definition."""
    names: dict[tuple[str, ...], list[str]] = {}
    for measure in result.ranking_by:
        favoured = tuple(name for name in result.ranking() if result.favoured(measure, name))
        if favoured and len(result.ranking()) > 1:
            names.setdefault(favoured, []).append(measure.name)
    for favoured, measures in names.items():
        yield (
            f"Not counted in the rank of {', '.join(map(visible, favoured))}, which has the best by definition: "
            f"{', '.join(map(visible, measures))}."
        )


def _dots(result: Evaluation, measure: Measured, order: Sequence[str]) -> doc.Chart:
    """The mean of each method and control with its interval, and a band where random scores lie."""
    ranked = len(result.ranking())
    means = {name: result.mean(measure.name, name) for name in order}
    rows = []
    for place, (name, mean) in enumerate(means.items()):
        if place < ranked or mean.texts:
            hollow = RANDOM in order and name != RANDOM and not _better(result, name, RANDOM, measure)
            hue = place if place < ranked else None
            rows.append(doc.Dot(visible(name), many(mean.texts, "text"), *mean[:3], hue, hollow))
    chance = means.get(RANDOM)
    band = (chance.low, chance.high) if chance and math.isfinite(chance.low) else None
    return doc.Chart(
        visible(measure.name), "", tuple(rows), note=visible(measure.question), tag=_direction(measure), band=band,
        rule=ranked if ranked < len(rows) else None, reverse=not measure.higher,
    )  # fmt: skip


def _curves(result: Evaluation, measure: Measured, order: Sequence[str]) -> doc.Chart:
    """The mean curve of each method and control."""
    rows = []
    for place, name in enumerate(order):
        line = result.curves[measure.name][result.names.index(name)]
        if np.isfinite(line).all():
            key = _key(result, name, place)
            points = tuple((100 * share, float(value)) for share, value in zip(result.grid, line, strict=True))
            rows.append(doc.Curve(key.name, points, key.hue, key.dash))
    across = "words in, highest first, %" if measure.name.startswith("insertion") else "words gone, highest first, %"
    note = f"probability of the label, mean over texts; area: {'high' if measure.higher else 'low'} is good"
    return doc.Chart(visible(measure.name), "probability", tuple(rows), note=note, across=across)


def _key(result: Evaluation, name: str, place: int) -> doc.Key:
    """The colour and dash of a method, by its place in the ranking, or of a control."""
    if place < len(result.ranking()):
        return doc.Key(visible(name), place)
    return doc.Key(visible(name), None, DASHES.get(name.partition(" ")[0], "dashed"))


def _squares(result: Evaluation, ranked: Sequence[str]) -> list[doc.Matrix]:
    """Agreement of methods by rank, and how many measures tell the method of a row better than that of a column."""
    names = tuple(map(visible, ranked))
    at = [result.names.index(name) for name in ranked]
    beats = [[0 if row == column else _beats(result, row, column) for column in ranked] for row in ranked]
    matrices = []
    for title, values, digits, limit, hue in (
        ("Rank correlation of the scores", result.agreement[np.ix_(at, at)], 2, 1.0, 2),
        (f"Top {result.k} words in common", result.overlap[np.ix_(at, at)], 2, 1.0, 2),
        ("Measures on which the row beats the column", np.array(beats), 0, float(len(result.measures)), 0),
    ):
        square = np.array(values, dtype=float)
        np.fill_diagonal(square, math.nan)
        matrices.append(doc.Matrix(names, names, square, limit, signed=False, title=title, digits=digits, hue=hue))
    return matrices


def _beats(result: Evaluation, row: str, column: str) -> int:
    counted = [measure for measure in result.measures if not result.favoured(measure, row, column)]
    return sum(_better(result, row, column, measure) for measure in counted)


def _better(result: Evaluation, first: str, second: str, measure: Measured) -> bool:
    return result.compare(first, second, measure.name)[0].better == first


def _agreement(result: Evaluation) -> str:
    """The two methods that agree most and the two that agree least; empty for one method."""
    names = [visible(method.name) for method in result.methods if not method.control]
    pairs = sorted(
        (float(result.agreement[i, j]), names[i], names[j])
        for i in range(len(names))
        for j in range(i)
        if math.isfinite(result.agreement[i, j])
    )
    if not pairs:
        return ""
    least, most = (f"{first} and {second} {decimal(value, 2)}" for value, first, second in (pairs[0], pairs[-1]))
    text = f"Mean rank correlation of scores: {most}"
    return text + (f" (most), {least} (least)" if least != most else "")


def _direction(measure: Measured) -> str:
    return "\N{UPWARDS ARROW} better" if measure.higher else "\N{DOWNWARDS ARROW} better"


def _papers(result: Evaluation) -> doc.Table:
    rows = [(visible(measure.name), visible(measure.paper)) for measure in result.measures]
    rows += [(visible(method.name), visible(method.parameters)) for method in result.methods]
    return doc.table(("name", "paper or parameters"), rows, words=2, fold="Papers and parameters")
