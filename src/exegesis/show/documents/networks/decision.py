"""The document of decisions through concepts: the excerpts in the text, and what each concept adds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from exegesis.results.behaviour.study import Shown, Word
from exegesis.results.internals.decision import ConceptDecision
from exegesis.show import document as doc
from exegesis.show.documents.header import assembled, facts, section
from exegesis.show.documents.passage import marked
from exegesis.show.wording import decimal, number, signed, target_phrase, visible

COLUMNS = ("example", "model", "target", "concept", "excerpt", "present", "chance", "adds")
READ = (
    "Each concept reads its excerpt alone; what the concepts add and the output bias are the number, with nothing left."
)


def document(results: Sequence[ConceptDecision]) -> doc.Document:
    """Decisions in order."""
    return assembled("Concepts", "texts", [_section(result) for result in results])


def _section(result: ConceptDecision) -> doc.Section:
    parts: list[doc.Part] = [facts([result], [result.name])]
    for at, target in enumerate(result.targets):
        parts += _number(result, at, target)
    return section([result], parts)


def _number(result: ConceptDecision, at: int, target: str) -> Iterator[doc.Part]:
    """The text, a row for each concept, and the account of one number."""
    parts = result.parts[:, at].tolist()
    limit = doc.largest(parts) or 1.0
    words, own = result.text.word_strings(), [0.0] * len(result.text.words)
    for numbers, part in zip(result.words, parts, strict=True):
        for word in numbers:
            own[word] += part / len(numbers)
    shown = tuple(Word(text, score, False) for text, score in zip(words, own, strict=True))
    caption = target_phrase(target) if len(result.targets) > 1 else ""
    yield marked(Shown(shown, "", float("nan"), "", 0), doc.largest(own) or 1.0, True, caption)
    order = sorted(range(len(parts)), key=lambda k: (not result.present[k], -abs(parts[k])))
    rows = [
        (visible(result.concepts[k]), visible(result.excerpts[k]) or "nothing", "yes" if result.present[k] else "no",
         decimal(float(result.chance[k]), 2), doc.Gauge(signed(parts[k], limit), doc.share(parts[k], limit)))
        for k in order
    ]  # fmt: skip
    yield doc.table(("concept", "reads", "present", "chance", "adds"), rows, words=2)
    terms = [f"the concepts {number(sum(parts))}"]
    terms += [f"{visible(name)} {number(numbers[at])}" for name, numbers in result.remainder.parts.items()]
    explained = number(float(result.subject.explained[at]))
    yield doc.Legend(None, doc.sentences([f"{target_phrase(target)} {explained} = {' + '.join(terms)}", READ]))


def records(results: Sequence[ConceptDecision]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each concept of each text."""
    yield COLUMNS
    for example, result in enumerate(results):
        for at, target in enumerate(result.targets):
            for k, name in enumerate(result.concepts):
                present = str(result.present[k]).lower()
                values = (float(result.chance[k]), float(result.parts[k, at]))
                yield (example, result.model, target, name, result.excerpts[k], present, *values)
