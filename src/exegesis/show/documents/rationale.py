"""The document of rationales: the words on which a decision rests, over what each word counts, and four numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from exegesis.results.rationale import Rationale
from exegesis.show import document as doc
from exegesis.show.documents.header import assembled, facts, labelled, together
from exegesis.show.documents.header import section as text_section
from exegesis.show.documents.passage import Strand, passage, scale_of, tables
from exegesis.show.wording import decimal, many, percent, target_phrase, visible

COLUMNS = (
    *("example", "model", "method", "target", "word", "start", "stop", "kept", "score"),
    *("whole", "alone", "rest", "sufficiency", "comprehensiveness", "share", "runs"),
)


def document(results: Sequence[Rationale]) -> doc.Document:
    """Rationales in the order in which their texts first come; those of one text stand together."""
    sections = [_section(group) for group in together(results)]
    return assembled("Rationale" if len(sections) == 1 else "Rationales", "texts", sections)


def _section(results: Sequence[Rationale]) -> doc.Section:
    strands = [strand for result in results for strand in _strands(result, len(results) > 1)]
    words, asides = passage(strands, False)
    header = facts(results, [result.name for result in results])
    legend = doc.Legend(
        labelled(scale_of(words), results),
        tuple(note for result in results for note in _notes(result, len(results) > 1)),
    )
    return text_section(results, (header, words, _table(results), legend, *tables(words, asides)))


def _strands(result: Rationale, several: bool) -> list[Strand]:
    """What the rationale is, and the number of each word."""
    name, count = visible(result.name), len(result.text.words)
    kept = Strand(
        f"{name}: kept" if several else "kept", "", result.text, result.spans, [1.0] * len(result.spans),
        ["span"] * len(result.spans), ["span"], False,
    )  # fmt: skip
    what = "probability" if result.probable else "score"
    scored = Strand(
        f"{name}: {what}" if several else what, "", result.text, result.text.words, result.scores.tolist(),
        ["word"] * count, ["word"], not result.probable,
    )  # fmt: skip
    return [kept, scored]


def _table(results: Sequence[Rationale]) -> doc.Table:
    several = len(results) > 1
    rows = [
        (
            *([visible(result.name)] if several else []),
            *(decimal(value, 3) for value in (result.whole, result.alone, result.rest)),
            *(decimal(value, 3, plus=True) for value in (result.sufficiency, result.comprehensiveness)),
            percent(result.compactness.share),
            str(result.compactness.runs),
        )
        for result in results
    ]
    names = ("all words", "rationale", "the rest", "sufficiency", "comprehensiveness", "of the words", "runs")
    return doc.table((*(["method"] if several else []), *names), rows, words=1 if several else 0)


def _notes(result: Rationale, several: bool) -> Iterator[doc.Note]:
    name = visible(result.name) if several else ""
    what = target_phrase(result.target)
    runs = many(result.compactness.runs, "run")
    if result.spans:
        yield doc.Note(
            name,
            f"The {what} is {decimal(result.alone, 3)} with {many(len(result.kept), 'word')} in {runs} alone, "
            f"{decimal(result.rest, 3)} with the others alone, and {decimal(result.whole, 3)} with all words.",
        )
    else:
        yield doc.Note(name, f"No word is kept; the {what}, {decimal(result.alone, 3)}, is that of a text of no words.")
    yield from (doc.Note(name, note) for note in result.notes)


def records(results: Sequence[Rationale]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each word, with the numbers of its text; ``start`` and ``stop`` are characters."""
    yield COLUMNS
    for example, result in enumerate(results):
        kept = set(result.kept)
        numbers = (result.whole, result.alone, result.rest, result.sufficiency, result.comprehensiveness,
                   *result.compactness)  # fmt: skip
        for n, (word, score) in enumerate(zip(result.text.words, result.scores.tolist(), strict=True)):
            place = result.text.characters(word)
            yield (example, result.model, result.name, result.target, result.text.surface(word), *place, int(n in kept),
                   score, *numbers)  # fmt: skip
