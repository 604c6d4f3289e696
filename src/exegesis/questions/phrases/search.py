"""Searches, which find the phrases of a hierarchy. A search is a frozen dataclass of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from exegesis.core.errors import UsageError
from exegesis.core.nested import Nest, nest
from exegesis.core.text import Span, Text
from exegesis.engine.answer import Task, answer
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Ask, Target
from exegesis.results.header import Account, Origin, Subject
from exegesis.results.hierarchy import Hierarchy, Part

Trees = Callable[[Text], Nest]
PART = 1000  # bytes of a part of a tree while it is put together


class Mark(NamedTuple):
    """The score, the interaction and the step of a phrase that a search found (see ``Part``)."""

    score: float
    interaction: float | None = None
    step: int = 0


@dataclass(frozen=True, eq=False)
class Grown:
    """The phrases that a search found in a text: a mark for each span of word numbers, with every word and the text."""

    marks: Mapping[Span, Mark]
    account: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


class Search(Protocol):
    """A search for phrases: called with a batch of whole texts and one number to explain for each.

    ``trees`` gives the phrases of a text for searches that follow a tree; the others do not call it. A search may state
    its cost as methods do (``passes(words)``).
    """

    def __call__(self, model: Any, batch: Batch, target: Target, trees: Trees) -> list[Grown]: ...

    @property
    def scored(self) -> str:
        """The meaning of a score, in words."""
        ...

    @property
    def complete(self) -> bool:
        """True if the words' scores and the account add up to the number."""
        ...


def one_number(choice: Ask) -> Ask:
    """The choice of target unchanged. Raises UsageError if it is several numbers at once."""
    if len(choice.labels) > 1 and choice.kind != "margin":
        raise UsageError("a hierarchy explains one number; name one label as the target, not all of them")
    return choice


def grow(
    model: Classifier, texts: Sequence[Text], name: str, search: Search, choice: Ask, trees: Trees
) -> Iterator[tuple[int, Hierarchy]]:
    """Search texts for phrases; results come as they are ready, each with the number of its text.

    Raises UsageError for several numbers at once, ModelError if outputs are not finite, CapacityError if a single text
    needs too much memory.
    """
    yield from answer(model, texts, Phrases(name, search, trees), one_number(choice))


@dataclass(frozen=True, eq=False)
class Phrases:
    """The question which phrases act together, answered by a search."""

    name: str
    search: Search
    trees: Trees

    @property
    def parameters(self) -> str:
        """The search with its parameters, as code."""
        return repr(self.search)

    def passes(self, text: Text, numbers: int) -> int | None:
        """The passes that the search states for a text; None if it states none."""
        stated = getattr(self.search, "passes", None)
        return None if stated is None else stated(len(text.words))

    def held(self, text: Text, numbers: int) -> int:
        """Bytes of the parts of the tree."""
        return 2 * len(text.words) * PART

    def answer(self, task: Task) -> list[Grown]:
        """The phrases of each text."""
        return self.search(task.model, task.batch, task.target, self.trees)

    def result(self, subject: Subject, origin: Origin, body: Grown) -> Hierarchy:
        """The hierarchy of one text."""
        account = {name: (float(part),) for name, part in body.account.items()}
        return Hierarchy(
            subject,
            replace(origin, details={**origin.details, **body.details}),
            parts_of(subject.text, body.marks),
            self.search.scored,
            remainder=Account(account, self.search.complete),
        )


def parts_of(text: Text, marks: Mapping[Span, Mark]) -> tuple[Part, ...]:
    """The parts of a hierarchy from the marks that a search gave to spans of word numbers.

    The marks include every word and the whole text. Raises the SpanError of ``nest`` if spans cross.
    """
    tree = nest(marks, len(text.words))
    return tuple(
        Part(text.over(span), *marks[span][:2], children, marks[span].step)
        for span, children in zip(tree.spans, tree.children, strict=True)
    )
