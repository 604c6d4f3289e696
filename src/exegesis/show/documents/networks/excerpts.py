"""The section of a model's own concepts: their weights, how far apart they are, and their commonest excerpts."""

from __future__ import annotations

import math

import numpy as np

from exegesis.results.internals.excerpts import ConceptPage, LearnedConcept
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.wording import decimal, many, percent, visible

READ = (
    "A concept reads one excerpt of a text; where it is present it adds its weight to the logits, in the mean over "
    "those texts. Recognised is the share of held-out excerpts that a fresh classifier of their words gives to their "
    "concept: concepts that read the same words cannot be told apart. Alone is the share of a concept's words that no "
    "other present concept reads."
)


def excerpts(page: ConceptPage) -> doc.Section:
    """The verdict, a matrix of weights, the table of concepts, and the excerpts of each."""
    names = tuple(visible(concept.name) for concept in page.concepts)
    weights = np.array([concept.adds for concept in page.concepts])
    limit = doc.largest(weights.flatten().tolist()) or 1.0
    matrix = doc.Matrix(names, tuple(map(visible, page.labels)), weights, limit, title="What a concept adds", digits=2)
    rows = [(name, percent(one.share), one.state, _share(one.recognised), _share(one.alone))
            for name, one in zip(names, page.concepts, strict=True)]  # fmt: skip
    table = doc.table(("concept", "present in", "state", "recognised", "alone"), rows)
    parts: list[doc.Part] = [doc.Prose(_lead(page), "lead"), matrix, table]
    for name, concept in zip(names, page.concepts, strict=True):
        parts += [doc.Heading(name), _excerpts(concept)]
    parts.append(doc.Prose(READ, "muted"))
    section = corpus.section(f"Through which concepts does {visible(page.asked.model)} decide?",
                             corpus.facts(page.asked), parts)  # fmt: skip
    return doc.Section(section.title, section.parts, picture=(matrix,))


def _lead(page: ConceptPage) -> str:
    dead = sum(concept.state == "dead" for concept in page.concepts)
    said = f"{many(len(page.concepts), 'concept')}, {dead} of them never present" if dead else (
        f"{many(len(page.concepts), 'concept')}, each present in some text")  # fmt: skip
    if not math.isnan(page.recognised):
        said += f"; a fresh classifier recognises {percent(page.recognised)} of the excerpts (always the commonest: "
        said += f"{percent(page.chance)})"
    if not math.isnan(page.accuracy):
        said += f"; accuracy {percent(page.accuracy)}"
    return f"{said}."


def _excerpts(concept: LearnedConcept) -> doc.Part:
    if not concept.excerpts:
        return doc.Prose("Present in no text.")
    most = max(one.uses for one in concept.excerpts)
    rows = [(visible(one.text) or "nothing", doc.Gauge(f"{one.uses:,}", one.uses / most, False), decimal(one.chance, 2))
            for one in concept.excerpts]  # fmt: skip
    return doc.table(("excerpt", "texts", "chance"), rows)


def _share(value: float) -> str:
    return "" if math.isnan(value) else percent(value)
