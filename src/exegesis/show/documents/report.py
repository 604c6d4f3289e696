"""The document of a report: its chapters, each with the documents of its results and the command that repeats it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from exegesis.results.behaviour.report import Chapter, Rate, Report, Slice
from exegesis.show.document import (
    Document,
    Gauge,
    Heading,
    Legend,
    Part,
    Prose,
    Section,
    facts,
    sentences,
    share,
    table,
)
from exegesis.show.wording import decimal, signed, visible

COLUMNS = ("chapter", "group", "texts", "labelled", "right", "low", "high", "difference", "difference_low",
           "difference_high")  # fmt: skip


def document(reports: Sequence[Report]) -> Document:
    """Reports in order, a section for each chapter."""
    sections = [section for report in reports for section in _sections(report)]
    model = visible(reports[0].facts.get("model", "")) if reports else ""
    return Document(f"A report on {model}" if model else "A report", "Report", tuple(sections))


def records(reports: Sequence[Report]) -> Iterator[Sequence[object]]:
    """Rows for a file: the slices of every chapter."""
    yield COLUMNS
    for report in reports:
        for chapter in report.chapters:
            for one in chapter.slices:
                yield (chapter.title, one.group, one.texts, one.labelled, *one.right, *one.difference)


def _sections(report: Report) -> Iterator[Section]:
    contents = ", ".join(chapter.title.lower() for chapter in report.chapters)
    head: tuple[Part, ...] = (
        Heading(f"A report on {visible(report.facts.get('model', 'a model'))}", 1),
        facts({name: visible(text) for name, text in report.facts.items() if name != "model"}),
        Prose(f"Chapters: {contents}. Each ends with the command that repeats it.", "muted"),
        *([Prose(f"The whole report: {visible(report.command)}", "muted")] if report.command else []),
    )
    yield Section("A report", head)
    for chapter in report.chapters:
        yield Section(visible(chapter.title), tuple(_parts(chapter)))


def _parts(chapter: Chapter) -> Iterator[Part]:
    from exegesis.show import document_of

    yield Heading(visible(chapter.title), 1)
    yield Prose(visible(chapter.question), "muted")
    for sentence in chapter.sentences:
        yield Prose(visible(sentence))
    if chapter.slices:
        yield from _slices(chapter.slices)
    for _, group in groupby(chapter.results, type):
        for section in document_of(list(group)).sections:
            yield from map(_lower, section.parts)
    if chapter.command:
        yield Prose(f"To repeat this: {visible(chapter.command)}", "muted")


def _lower(part: Part) -> Part:
    """A part within a chapter, whose title is the only heading of level 1."""
    if isinstance(part, Heading):
        return replace(part, level=2 if part.level == 1 else 3)
    return part


def _slices(slices: Sequence[Slice]) -> Iterator[Part]:
    labels = list(slices[0].labels)
    compared = any(not math.isnan(one.difference.value) for one in slices)
    names = ("texts", "number", "with label", "accuracy", *(f"predicted {visible(label)}" for label in labels[:4]))
    rows = []
    for one in slices:
        row: list[str | Gauge] = [visible(one.group), f"{one.texts:,}", f"{one.labelled:,}",
                                  _written(one.right, percent=True)]  # fmt: skip
        row += ["" if math.isnan(one.labels[label]) else f"{100 * one.labels[label]:.0f} %" for label in labels[:4]]
        rows.append((*row, *((_moved(one.difference), _moved(one.shift)) if compared else ())))
    first = visible(labels[0]) if labels else ""
    heads = (*names, *(("accuracy, less the others'", f"predicted {first}, less the others'") if compared else ()))
    yield table(heads, rows)
    yield Legend(notes=sentences(["In brackets: 95 % intervals over whole texts; none for few texts."]))


def _written(rate: Rate, *, percent: bool) -> str:
    if math.isnan(rate.value):
        return "none"
    between = "" if math.isnan(rate.low) else f" [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"
    return f"{100 * rate.value:.1f} %{between}" if percent else decimal(rate.value, 3)


def _moved(rate: Rate) -> str | Gauge:
    if math.isnan(rate.value):
        return "none"
    value = 100 * rate.value
    between = "" if math.isnan(rate.low) else f" [{signed(100 * rate.low, 100)}, {signed(100 * rate.high, 100)}]"
    return Gauge(f"{signed(value, 100)}{between}", share(value, 20.0))
