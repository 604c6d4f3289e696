"""The document of a word's attributes: what remains of the word beyond each concept, as curves over the layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from exegesis.results.internals.attributes import Attributes
from exegesis.show.document import Chart, Curve, Document, Key, Legend, Section, sentences, table
from exegesis.show.documents.header import assembled, facts, title_of
from exegesis.show.wording import many, number, visible

COLUMNS = ("example", "model", "word", "reading", "layer", "concept", "words", "alone", "shared", "remaining", "error")
AXIS = "nats beyond the concept"
UNITS = ((1e7, 1e6, "millions of "), (1e4, 1e3, "thousands of "))  # from where on, how many, their name


def document(results: Sequence[Attributes]) -> Document:
    """The attributes of words, a section for each."""
    return assembled("Attributes", "words", [_section(result) for result in results])


def _section(result: Attributes) -> Section:
    layers, most = tuple(map(visible, result.layers)), float(abs(result.remaining).max(initial=0.0))
    unit, prefix = next(((unit, name) for start, unit, name in UNITS if most >= start), (1.0, ""))
    rest, doubt = result.remaining / unit, result.error / unit
    names = [visible(concept) for concept in result.concepts]
    curves = tuple(
        Curve(name, tuple((at + 1.0, float(rest[at, column])) for at in range(len(layers))), hue=column)
        for column, name in enumerate(names)
    )
    chart = Chart(f"What is left of “{visible(result.described)}”", prefix + AXIS, curves, across="layer", words=layers)
    rows = [
        (layer, *(f"{number(float(rest[at, n]))} ± {number(float(doubt[at, n]))}" for n in range(len(names))))
        for at, layer in enumerate(layers)
    ]
    used = ", ".join(f"{name} ({many(count, 'word')})" for name, count in zip(names, result.counts, strict=True))
    notes = sentences(
        [
            f"The text: {visible(' '.join(result.text.raw.split()))}",
            f"The log-likelihood of the word given the state, less the mean over the words of a concept, in {prefix}"
            "nats: where little is left, the state holds of the word hardly more than the concept.",
            f"By the {visible(result.reading)} reading, at K λ = {number(result.rate)}; ± is the standard error over "
            f"the words: {used}.",
        ]
    )
    keys = tuple(Key(name, column) for column, name in enumerate(names))
    body = table(("layer", *names), rows)
    return Section(title_of(result.text), (facts([result], ["attributes"]), chart, body, Legend(None, notes, keys)))


def records(results: Sequence[Attributes]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each concept at each layer."""
    yield COLUMNS
    for example, result in enumerate(results):
        rest = result.remaining
        for at, layer in enumerate(result.layers):
            for n, concept in enumerate(result.concepts):
                values = (result.alone[at], result.shared[at, n], rest[at, n], result.error[at, n])
                head = (example, result.model, result.described, result.reading, layer, concept, result.counts[n])
                yield (*head, *map(float, values))
