"""The document of an answer: its words one under the other, each over the words that made it, and a map of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from exegesis.results.generation import Generation
from exegesis.show import document as doc
from exegesis.show.documents.account import account_line
from exegesis.show.documents.header import assembled, title_of
from exegesis.show.documents.passage import Strand, passage, scale_of, tables
from exegesis.show.wording import clipped, duration, model_name, number, percent, signed, target_phrase, visible

COLUMNS = ("example", "model", "method", "part", "target", "number", "text", "start", "stop", "score")
BRIEF, ROWS, CELLS = 12, 60, 2400  # parts in a terminal and on a page, and cells of a map
NAME, SOURCE = 24, 90  # characters of a part's name, and of a source


def document(results: Sequence[Generation]) -> doc.Document:
    """Answers in order, each a section."""
    kind = "Answer" if len(results) == 1 else "Answers"
    return assembled(kind, "answers", [_section(result) for result in results])


def _section(result: Generation) -> doc.Section:
    header = _facts(result)
    if result.cites:
        notes = doc.Legend(None, doc.sentences(_trust(result)))
        return doc.Section(_title(result), (header, _sources(result), notes))
    whole, brief = (_passage(result, most) for most in (ROWS, BRIEF))
    legend, shorter = (
        doc.Legend(scale_of(shown), doc.sentences(_notes(result, len(shown.blocks)))) for shown in (whole, brief)
    )
    matrix = _matrix(result)
    if len(whole.blocks) > 1:
        whole = replace(whole, pick="Choose a part of the answer, or point at it")
    parts: list[doc.Part] = [header, whole, *([matrix] if matrix else []), legend]
    _, asides = passage(_strands(result, ROWS), True)
    return doc.Section(_title(result), (*parts, *tables(whole, asides)), (header, brief, shorter))


def _title(result: Generation) -> str:
    """The beginning of the prompt, of a chat without what its template adds before the first word."""
    text = result.text
    return title_of(text, text.characters(result.inputs[0])[0])


def records(results: Sequence[Generation]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each part of an answer with each word before it; ``start`` and ``stop`` are characters."""
    yield COLUMNS
    for example, result in enumerate(results):
        for k, name in enumerate(result.steps):
            head = (example, result.model, result.name, name, result.targets[k], result.subject.explained[k])
            for i in _before(result, k):
                place = result.text.characters(result.inputs[i])
                yield (*head, result.words[i], *place, float(result.values[k, i]))


def _facts(result: Generation) -> doc.Facts:
    chance = percent(result.prediction.probability)
    kind = result.targets[0].partition(":")[0]
    total = f"{kind} {number(float(sum(result.subject.explained)))}"
    single = f"{target_phrase(result.targets[0])} {number(result.subject.explained[0])}"
    named = {
        "answer": f"“{clipped(visible(' '.join(result.answer.split())), 80)}” {chance}".rstrip(),
        "target": single if len(result.targets) == 1 else total,
        "method": visible(result.name),
        "model": model_name(result.model),
        "time": duration(result.seconds),
    }
    return doc.Facts(tuple(doc.Fact(name, text, name == "answer") for name, text in named.items() if text))


def _before(result: Generation, part: int) -> list[int]:
    """The numbers of the words that stand before a part of the answer, in a contrast all."""
    start = result.outputs[part].start
    return [i for i, span in enumerate(result.inputs) if span.start < start]


def _strands(result: Generation, most: int) -> list[Strand]:
    strands = []
    for k, name in enumerate(result.steps[:most]):
        inside = _before(result, k)
        spans, scores = [result.inputs[i] for i in inside], [float(result.values[k, i]) for i in inside]
        label = clipped(visible(" ".join(name.split())) or "␣", NAME)
        note = number(result.subject.explained[k]) if len(result.targets) > 1 else ""
        strands.append(
            Strand(label, note, result.text, spans, scores, ("word",) * len(spans), ("word",), result.signed)
        )
    return strands


def _passage(result: Generation, most: int) -> doc.Passage:
    return passage(_strands(result, most), True)[0]


def _matrix(result: Generation) -> doc.Matrix | None:
    """The map of parts by words; None for one part, and if it is too large."""
    if len(result.targets) < 2 or result.values.size > CELLS:
        return None
    down, across = (
        tuple(clipped(visible(" ".join(name.split())) or "␣", NAME) for name in names)
        for names in (result.steps, result.words)
    )
    limit = doc.largest(np.abs(result.values).ravel().tolist())
    return doc.Matrix(down, across, result.values, limit, result.signed, title="parts of the answer by words")


def _sources(result: Generation) -> doc.Table:
    """The sources by their scores, the largest first."""
    limit = doc.largest(result.values[0].tolist())
    rows = [
        (f"{i + 1}", clipped(visible(" ".join(result.words[i].split())), SOURCE),
         doc.Gauge(signed(float(result.values[0, i]), limit, sign=result.signed),
                   doc.share(float(result.values[0, i]), limit), result.signed))
        for i in np.argsort(-result.values[0], kind="stable").tolist()
    ]  # fmt: skip
    return doc.table(("", "source", "score"), rows, words=2)


def _trust(result: Generation) -> Iterator[str]:
    """Sentences that say what the scores add up to, and what removing the top sources does."""
    yield account_line(result.over())
    told = result.details.get("sources")
    if not isinstance(told, Mapping):
        return
    top, count = int(told["top"]), len(result.inputs)
    which = "the top source" if top == 1 else f"the {top} top sources"
    yield (
        f"Without {which} of {count}, the log-probability of the answer falls by {number(float(told['fall']))}; "
        f"without as many random ones, by {number(float(told['random']))} on average."
    )
    held = told["held_out"]
    agree = (
        "no rank correlation, as one side does not vary" if held is None else f"a rank correlation of {number(held)}"
    )
    yield f"In {told['prompts']} further prompts with half of the sources, sums of scores and the answer have {agree}."


def _notes(result: Generation, shown: int) -> Iterator[str]:
    """Sentences that say what a row is, and what its scores add up to."""
    if len(result.targets) == 1:
        yield account_line(result.over())
        return
    kind = result.targets[0].partition(":")[0]
    yield (
        f"A row is a part of the answer, with its {kind}; its words are coloured by what each gives to it. Words that "
        "come later give nothing."
    )
    if shown < len(result.targets):
        yield f"{len(result.targets) - shown} further parts are not drawn; a .csv file has them."
    if result.complete:
        gaps = np.abs(np.atleast_1d(result.gap))
        yield f"Each row's scores and account add up to its number; the largest gap is {number(float(gaps.max()))}."
    else:
        yield "The scores of a row add up to nothing in particular."
