"""The document of influence: the training texts that help and that hurt, under the text that they speak of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from exegesis.results.behaviour.study import Shown, Word
from exegesis.results.influence import Influence, Source
from exegesis.show import document as doc
from exegesis.show.documents.header import assembled, facts, title_of
from exegesis.show.documents.passage import marked
from exegesis.show.wording import clipped, many, signed, target_phrase, visible

COLUMNS = ("example", "model", "method", "target", "number", "label", "score", "effect", "text")
LONG = 200  # characters of a training text in a table


def document(results: Sequence[Influence]) -> doc.Document:
    """Influence on texts in order."""
    return assembled("Training texts", "texts", [_section(result) for result in results])


def _section(result: Influence) -> doc.Section:
    header = facts([result], [result.name])
    parts: list[doc.Part] = [header, _own(result)]
    limit = doc.largest([source.score for source in result.sources])
    verb = {"help": result.helpful, "hurt": result.harmful}
    rows, groups = list[tuple[str | doc.Gauge, ...]](), list[tuple[int, str]]()
    for name, sources in verb.items():
        if sources:
            groups.append((len(rows), f"{name} the {target_phrase(result.target)}"))
        rows += [_row(source, limit) for source in sources]
    if rows:
        columns = ("training text", "label", "no.", "score")
        parts.append(doc.table(columns, rows, words=2, groups=tuple(groups)))
    else:
        parts.append(doc.Prose("No training text has an effect."))
    parts += [_words(source) for sources in verb.values() for source in sources if source.words]
    parts.append(doc.Legend(None, doc.sentences(_notes(result))))
    return doc.Section(title_of(result.text), tuple(parts))


def _own(result: Influence) -> doc.Passage:
    """The explained text, in the colours of its own saliency where that was asked for."""
    scores = result.marks or (0.0,) * len(result.text.words)
    words = tuple(
        Word(text, score, number == result.word)
        for number, (text, score) in enumerate(zip(result.text.word_strings(), scores, strict=True))
    )
    return marked(Shown(words, "", float("nan"), "", 0), doc.largest(scores) or 1.0, True, "")


def _words(source: Source) -> doc.Passage:
    """A training text with the scores of its words; the one that does most of what the text does is marked."""
    limit = doc.largest([mark.score for mark in source.words]) or 1.0
    best = max(source.words, key=lambda mark: mark.score if source.helps else -mark.score)
    words = tuple(Word(source.text[mark.start : mark.stop], mark.score, mark == best) for mark in source.words)
    caption = f"no. {source.number}, {visible(source.label)}: {source.effect}"
    return marked(Shown(words, source.label, float("nan"), "", source.number), limit, True, caption)


def _row(source: Source, limit: float) -> tuple[str | doc.Gauge, ...]:
    text = clipped(visible(" ".join(source.text.split())), LONG)
    gauge = doc.Gauge(signed(source.score, limit), doc.share(source.score, limit))
    return text, visible(source.label), str(source.number), gauge


def _notes(result: Influence) -> Iterator[str]:
    """Sentences that say what a score is."""
    what = f"A score is the {result.unit}." if result.unit else ""
    if result.word >= 0:
        word = visible(result.text.surface(result.text.words[result.word]))
        what = f"The number explained is the saliency of “{word}”. {what}"
    yield what
    yield "Above zero, a training text helps (it makes the number explained larger); below zero, it hurts."
    some = "" if result.scored == len(result.scores) else f" of {len(result.scores):,}"
    yield f"{many(result.scored, 'training text')}{some} scored. A .csv file has all scores."
    if any(source.words for source in result.sources):
        yield "A word's score is the part of its text's score that goes when the word is left out."
    yield from result.notes


def records(results: Sequence[Influence]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each scored training text in order; the characters of those that the result names."""
    yield COLUMNS
    for example, result in enumerate(results):
        named = {source.number: source for source in result.sources}
        for number in np.flatnonzero(np.isfinite(result.scores)).tolist():
            score, source = float(result.scores[number]), named.get(number)
            effect = "helps" if score > 0 else "hurts" if score < 0 else "no effect"
            label, text = ("", "") if source is None else (source.label, source.text)
            yield (example, result.model, result.name, result.target, number, label, score, effect, text)
