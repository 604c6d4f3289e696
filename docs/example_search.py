"""A whole search in one file: ``import`` it, and ``exegesis.hierarchy(model, text, "halves")`` knows it.

A search is a frozen dataclass of its parameters, whose annotations say which values are allowed. It is called with a
model, a batch of whole texts, one number to explain per text, and a function that gives the phrases of a text to
searches that follow a tree. It returns the nested phrases of each text, as spans of word numbers, with their scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exegesis.authoring import Batch, Classifier, Game, Grown, How, Mark, Span, Target, Trees, bits, search


@search("halves", paper="an example")
@dataclass(frozen=True)
class Halves:
    """Halve a text again and again; a phrase's score is the number if only its words are kept, in units of the number.

    ``how`` says what takes the place of the other words, as for leave-one-out.
    """

    how: How = "drop"

    @property
    def scored(self) -> str:
        return "the number if only the phrase is kept"

    @property
    def complete(self) -> bool:
        return False

    def __call__(self, model: Classifier, batch: Batch, target: Target, trees: Trees) -> list[Grown]:
        game = Game(model, batch, self.how)  # runs each set of words once, whichever text or step asks for it
        spans = [list(halves(Span(0, len(text.words)))) for text in batch.texts]
        trees_by_row: dict[int, Grown] = {}
        for row, numbers in game.each(target, lambda row: [bits(range(*span)) for span in spans[row]]):
            scores = numbers[:, 0].tolist()  # of one number per text
            marks = {span: Mark(score) for span, score in zip(spans[row], scores, strict=True)}
            trees_by_row[row] = Grown(marks)
        return [trees_by_row[row] for row in range(len(batch))]


def halves(span: Span) -> Iterator[Span]:
    """A span, its halves, their halves, down to single words."""
    yield span
    if span.width > 1:
        middle = (span.start + span.stop) // 2
        yield from halves(Span(span.start, middle))
        yield from halves(Span(middle, span.stop))
