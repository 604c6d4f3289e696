"""The document of explanations of words: results on one text, each text with the others on it in one section.

Methods, models and targets stand under each other, as in the REAT paper's Figures 4 and 5; the levels of one result are
rows of its block, as in Figure 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from exegesis.results.attribution import Attribution
from exegesis.show.document import Block, Document, Legend, Note, Passage, Section
from exegesis.show.documents.account import (
    account_line,
    account_short,
    estimate_line,
    spans_line,
    trust_line,
    unknown_line,
    windows_line,
)
from exegesis.show.documents.header import assembled, facts, labelled, together
from exegesis.show.documents.header import section as text_section
from exegesis.show.documents.passage import Aside, Strand, check_scale, passage, scale_of, tables
from exegesis.show.wording import common, model_name, number, prediction_phrase, target_phrase, visible

COLUMNS = ("example", "model", "method", "target", "level", "text", "start", "stop", "score")


def document(results: Sequence[Attribution], *, scale: str | None = None) -> Document:
    """Explanations in the order in which their texts first come.

    ``scale="each"`` gives each result its own maximum, ``"shared"`` one to all results on a text; by default the
    results of one method share a scale and those of several methods, whose units differ, do not.
    """
    check_scale(scale)
    groups = together(part for result in results for part in result.each_target())
    sections = [section(group, scale) for group in groups]
    return assembled("Explanation" if len(sections) == 1 else "Explanations", "explanations", sections)


def section(results: Sequence[Attribution], scale: str | None = None) -> Section:
    """The results on one text, one target each."""
    shared = scale == "shared" or (scale is None and len({result.name for result in results}) == 1)
    strands = [
        Strand(label, note, result.text, result.spans, result.scores.tolist(), result.levels, result.level_names,
               result.details.get("signed") is not False)
        for result, (label, note) in zip(results, _labels(results), strict=True)
    ]  # fmt: skip
    words, asides = passage(strands, shared)
    legend = Legend(labelled(scale_of(words), results), tuple(_notes(results, words, asides, shared)))
    header = facts(results, [result.name for result in results])
    return text_section(results, (header, words, legend, *tables(words, asides)))


def records(results: Sequence[Attribution]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each result, target and span; ``start`` and ``stop`` are characters."""
    yield COLUMNS
    for example, result in enumerate(results):
        for part in result.each_target():
            header = (example, part.model, part.name, part.target)
            for span, level, score in zip(part.spans, part.levels, part.scores, strict=True):
                start, stop = part.text.characters(span)
                text = part.text.raw[start:stop] or " ".join(part.text.pieces[slice(*span)])
                yield (*header, level, text, start, stop, float(score))


def _labels(results: Sequence[Attribution]) -> list[tuple[str, str]]:
    """A name for each result, of what differs between them, and its prediction if models differ."""
    names = [visible(result.name) for result in results]
    methods = [visible(result.method) for result in results]
    models = [model_name(result.model) for result in results]
    targets = [target_phrase(result.target) for result in results]
    predictions = [prediction_phrase(*result.prediction[:2]) for result in results]
    if common(names) and not common(methods):
        names = methods
    columns = [column for column in (models, names, targets) if len(results) > 1 and not common(column)] or [names]
    notes = [""] * len(results) if common(predictions) or len(results) == 1 else predictions
    labels = [" · ".join(filter(None, parts)) for parts in zip(*columns, strict=True)]
    return list(zip(labels, notes, strict=True))


def _notes(results: Sequence[Attribution], words: Passage, asides: Sequence[Aside], shared: bool) -> Iterator[Note]:
    """A whole sentence for one result, an equation each for several, and what else is to be known of each."""
    several = len(results) > 1
    unknown_words = [unknown_line(result) for result in results]
    for result, block, aside in zip(results, words.blocks, asides, strict=True):
        name = block.label if several else ""
        limit = "" if shared or not block.limit else f"; max {number(block.limit)}"
        yield Note(name, account_short(result) + limit if several else account_line(result))
        yield from (Note(name, line) for line in _asides(result, block, aside))
    if len(set(unknown_words)) == 1:
        unknown_words, several = unknown_words[:1], False
    for block, line in zip(words.blocks, unknown_words, strict=False):
        if line:
            yield Note(block.label if several else "", line)


def _asides(result: Attribution, block: Block, aside: Aside) -> Iterator[str]:
    """The trust in a result, if that was asked, and what its rows do not hold."""
    asides = (spans_line(result), trust_line(result), estimate_line(result.details), windows_line(result))
    yield from filter(None, asides)
    for level, count in aside.hidden.items():
        yield f"{count} weaker overlapping spans ({level}) are not drawn; a .csv file has them."
    for scores in aside.outside.values():
        yield f"Outside the text: {', '.join(f'{name} {block.written(score)}' for name, score in scores)}."
