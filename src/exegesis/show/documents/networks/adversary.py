"""The document of adversaries: the text coloured by how far its words move, and the words they are pulled to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from exegesis.results.internals.adversary import Adversary
from exegesis.show.document import Document, Legend, Section, sentences, table
from exegesis.show.documents.header import assembled, facts, title_of
from exegesis.show.documents.passage import Strand, passage, scale_of
from exegesis.show.wording import number, visible

COLUMNS = ("example", "model", "label", "loss", "moved", "word", "start", "stop", "size", "pulled_to", "weight", "gap")
SHOWN = 3  # words that a word is pulled to


def document(results: Sequence[Adversary]) -> Document:
    """Adversaries of texts, a section for each."""
    return assembled("Adversaries", "texts", [_section(result) for result in results])


def _section(result: Adversary) -> Section:
    spans, sizes = result.text.words, result.sizes.tolist()
    strand = Strand("how far each word moves", "", result.text, spans, sizes, ("word",) * len(spans), ("word",),
                    signed=False)  # fmt: skip
    words, _ = passage([strand], True)
    rows = [
        (visible(word), number(size), _pulled(pulls))
        for word, size, pulls in zip(result.text.word_strings(), sizes, result.pulls, strict=True)
    ]
    lines = [
        f"Word vectors move towards other words only, by {number(result.budget)} in all: the loss of "
        f"“{visible(result.label)}” grows from {number(result.loss)} to {number(result.moved)} nats."
    ]
    if result.flip is not None:
        verdict = "flips the decision" if result.flips else "is the nearest to another decision"
        lines.append(
            f"With words replaced by what they are pulled to, this {verdict}: “{visible(result.flip.raw)}” "
            f"({visible(result.flip.label)}, loss {number(result.flip.loss)})."
        )
    else:
        lines.append("No word is pulled to one that can stand in its place.")
    body = table(("word", "moves by", "pulled to"), rows)
    legend = Legend(scale_of(words), sentences(lines))
    return Section(title_of(result.text), (facts([result], ["adversarial"]), words, body, legend))


def _pulled(pulls: Sequence[Any]) -> str:
    found = [pull for pull in pulls if pull.weight > 0][:SHOWN]
    return ", ".join(f"{visible(pull.word)} {number(pull.weight)}" for pull in found) or "-"


def records(results: Sequence[Adversary]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each word of the text with each word that it is pulled to or from."""
    yield COLUMNS
    for example, result in enumerate(results):
        words = zip(result.text.word_strings(), result.offsets, result.sizes.tolist(), result.pulls, strict=True)
        for word, (start, stop), size, pulls in words:
            head = (example, result.model, result.label, result.loss, result.moved, word, start, stop, size)
            if not pulls:
                yield (*head, None, None, None)
            for pull in pulls:
                yield (*head, pull.word, pull.weight, pull.gap)
