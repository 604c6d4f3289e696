"""The document of interactions: words down a diagonal, and a cell for every two of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from exegesis.core.errors import UsageError
from exegesis.results.interactions import Interactions, Pair
from exegesis.show import document as doc
from exegesis.show.documents.account import estimate_line
from exegesis.show.documents.header import assembled, facts, labelled, section
from exegesis.show.wording import clipped, signed, target_phrase, visible

COLUMNS = ("example", "model", "kind", "target", "first", "first_start", "first_stop", "second", "second_start",
           "second_stop", "interaction", "standard_error")  # fmt: skip
MEANING = {
    "shapley": "on average over which of the other words are there (the Shapley interaction index)",
    "removal": "in the whole text",
    "alone": "where all other words are left out",
}
CELLS = "A cell stands left of one word of its pair and below the other."
LINES = f"A line between two words is the wider and deeper the more they interact, dashed below zero. {doc.STANDS_OUT}"
NAMED, PEEK, LISTED = 3, 6, 400  # pairs that a sentence names, that a short list holds, that a table holds


def document(results: Sequence[Interactions], *, lines: bool = False) -> doc.Document:
    """Interactions of texts in order; with ``lines`` those between the words of a pair's two texts, as lines.

    Raises UsageError for lines of a single text.
    """
    return assembled("Interactions", "texts", [_section(result, lines) for result in results])


def _section(result: Interactions, lines: bool) -> doc.Section:
    words = tuple(visible(" ".join(word.split())) for word in result.words)
    limit = doc.largest(np.abs(result.values).ravel().tolist())
    matrix: doc.Matrix | doc.Alignment = doc.Matrix(words, words, result.values, limit, half=True)
    if lines:
        matrix = _alignment(result, words)
    pairs = [pair for pair in result.top(LISTED + 1) if pair.strength]
    faint = bool((np.abs(result.values[np.tril_indices(len(words), -1)]) < doc.FAINT * limit).any())
    scale = doc.scale_to(limit, True, False, faint=faint)
    legend = doc.Legend(
        None if lines else labelled(scale, [result]), doc.sentences(_notes(result, words, pairs, limit, lines))
    )
    rows = [
        (f"{words[i]} ~ {words[j]}", doc.Gauge(signed(pair.strength, limit), pair.strength / limit))
        for pair in pairs[:LISTED]
        for i, j in [pair.words]
    ]
    rest = "Weaker ones are left out here; a .csv file has them." if len(pairs) > LISTED else ""
    table = doc.table(("words", "interaction"), rows, fold="The strongest pairs as a table", peek=PEEK, rest=rest)
    header = facts([result], [f"{result.kind} interactions"])
    return section([result], (header, matrix, *([table] if rows else []), legend))


def _alignment(result: Interactions, words: Sequence[str]) -> doc.Alignment:
    """The interactions between the words of a pair's two texts, on a scale of their own."""
    if len(result.text.segments) != 2:
        raise UsageError("lines stand between the words of two texts, and this is one text: leave lines out")
    first, second = (
        [at for at, word in enumerate(result.text.words) if part.covers(word)] for part in result.text.segments
    )
    names = [tuple(words[at] for at in places) for places in (first, second)]
    between = result.values[np.ix_(first, second)]
    return doc.Alignment(names[0], names[1], between, doc.largest(between.ravel().tolist()))


def records(results: Sequence[Interactions]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each pair in reading order, with the words' characters; no standard error if it is exact."""
    yield COLUMNS
    for example, result in enumerate(results):
        words = [
            (word, *result.text.characters(span)) for word, span in zip(result.words, result.text.words, strict=True)
        ]
        errors = result.details.get("standard_error")
        for pair in result.pairs():
            i, j = pair.words
            error = float(errors[i][j]) if errors else None
            yield (example, result.model, result.kind, result.target, *words[i], *words[j], pair.strength, error)


def _notes(
    result: Interactions, words: Sequence[str], pairs: Sequence[Pair], limit: float, lines: bool
) -> Iterator[str]:
    """Sentences that say what an interaction is, and which are strongest."""
    if len(words) < 2:
        yield "A single word has no interaction."
        return
    what = f"An interaction is what two words do to the {target_phrase(result.target)} together, beyond what each does,"
    yield f"{what} {MEANING[result.kind]}. {LINES if lines else CELLS}"
    if not pairs:
        yield "No two words interact: what they do only adds up."
    else:
        names = [tuple(clipped(words[place], 30) for place in pair.words) for pair in pairs[:NAMED]]
        strengths = [signed(pair.strength, limit) for pair in pairs[:NAMED]]
        listed = (f"“{a}” ~ “{b}” {strength}" for (a, b), strength in zip(names, strengths, strict=True))
        yield f"Strongest: {', '.join(listed)}."
    if estimate := estimate_line(result.details):
        yield estimate
