"""Searches: how the phrases of a hierarchy are found. A search is a frozen dataclass of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from exegesis.core.errors import UsageError
from exegesis.core.nested import Nest, nest
from exegesis.core.text import Span, Text
from exegesis.engine.answer import Asked, answer
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Ask, Target
from exegesis.results.header import Account, Origin, Subject
from exegesis.results.hierarchy import Hierarchy, Part

Trees = Callable[[Text], Nest]


class Mark(NamedTuple):
    """What a search found out about a phrase (see ``Part``)."""

    score: float
    interaction: float | None = None
    step: int = 0


@dataclass(frozen=True, eq=False)
class Grown:
    """What a search found on one text: a mark for each phrase (a span of word numbers), every word and the whole."""

    marks: Mapping[Span, Mark]
    account: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


class Search(Protocol):
    """Which phrases? Called with a batch of whole texts and one number to explain of each.

    ``trees`` gives the phrases of a text for searches that follow a tree; the others do not call it.
    """

    def __call__(self, model: Any, batch: Batch, target: Target, trees: Trees) -> list[Grown]: ...

    @property
    def scored(self) -> str:
        """What a score is, in words."""
        ...

    @property
    def complete(self) -> bool:
        """Whether account and words' scores make the number."""
        ...


def one_number(asked: Ask) -> Ask:
    """The target as it is. Raises UsageError if it is several numbers at once."""
    if len(asked.labels) > 1 and asked.kind != "margin":
        raise UsageError("a hierarchy explains one number; name one label as the target, not all of them")
    return asked


def grow(
    model: Classifier, texts: Sequence[Text], name: str, search: Search, asked: Ask, trees: Trees
) -> Iterator[tuple[int, Hierarchy]]:
    """Search texts; results come as they are ready, each with the number of its text.

    Raises UsageError if several numbers are asked for at once, ModelError if outputs are not finite, CapacityError if
    one text alone is too much.
    """
    yield from answer(model, texts, Phrases(name, search, trees), one_number(asked))


@dataclass(frozen=True, eq=False)
class Phrases:
    """The question which phrases act together: as a search answers it."""

    name: str
    search: Search
    trees: Trees

    @property
    def parameters(self) -> str:
        """The search with its parameters, as code."""
        return repr(self.search)

    def answer(self, asked: Asked) -> list[Grown]:
        """The phrases of each text."""
        return self.search(asked.model, asked.batch, asked.target, self.trees)

    def result(self, subject: Subject, origin: Origin, body: Grown) -> Hierarchy:
        """The hierarchy of one text."""
        account = {name: (float(part),) for name, part in body.account.items()}
        return Hierarchy(
            subject,
            replace(origin, details=body.details),
            parts_of(subject.text, body.marks),
            self.search.scored,
            remainder=Account(account, self.search.complete),
        )


def parts_of(text: Text, marks: Mapping[Span, Mark]) -> tuple[Part, ...]:
    """The parts of a hierarchy from what a search found for spans of word numbers.

    The marks hold every word and the whole text. Raises SpanError as ``nest``.
    """
    tree = nest(marks, len(text.words))
    return tuple(
        Part(text.over(span), *marks[span][:2], children, marks[span].step)
        for span, children in zip(tree.spans, tree.children, strict=True)
    )
