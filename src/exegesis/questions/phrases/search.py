"""Searches: how the phrases of a hierarchy are found. A search is a frozen dataclass of its parameters."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from exegesis.core.errors import UsageError
from exegesis.core.nested import Nest, nest
from exegesis.core.text import Span, Text
from exegesis.engine.run import array, finite, in_batches, prediction_of
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Ask, Target
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
    """What is asked for. Raises UsageError where it is several numbers at once."""
    if len(asked.labels) > 1 and asked.kind != "margin":
        raise UsageError("a hierarchy explains one number; name one label as the target, not all of them")
    return asked


def grow(
    model: Classifier, texts: Sequence[Text], name: str, search: Search, asked: Ask, trees: Trees
) -> Iterator[tuple[int, Hierarchy]]:
    """Search texts; results come as they are ready, each with the number of its text.

    Raises UsageError where several numbers are asked for at once, ModelError where outputs are not finite,
    CapacityError where one text alone is too much.
    """
    asked = one_number(asked)

    def grown(some: Sequence[Text]) -> list[Hierarchy]:
        return _grown(model, some, name, search, asked, trees)

    yield from in_batches(texts, grown, name)


def _grown(
    model: Classifier, texts: Sequence[Text], name: str, search: Search, asked: Ask, trees: Trees
) -> list[Hierarchy]:
    start = time.perf_counter()
    batch = model.encode(texts)
    raw = finite(model.outputs(batch), model, "outputs")
    target = asked.of(raw, model.link)
    found = search(model, batch, target, trees)
    explained, probabilities = array(target.of(raw)), array(model.link.probabilities(raw))
    decided = model.link.decide(raw).tolist()
    seconds = (time.perf_counter() - start) / len(texts)
    return [
        Hierarchy(
            text=text,
            parts=parts_of(text, one.marks),
            target=target.names(row, model.labels)[0],
            method=repr(search),
            name=name,
            scorer=search.scored,
            prediction=prediction_of(model, probabilities[row], decided[row]),
            explained=float(explained[row, 0]),
            account=one.account,
            complete=search.complete,
            seconds=seconds,
            model=model.name,
            details=one.details,
        )
        for row, (text, one) in enumerate(zip(texts, found, strict=True))
    ]


def parts_of(text: Text, marks: Mapping[Span, Mark]) -> tuple[Part, ...]:
    """The parts of a hierarchy from what a search found for spans of word numbers.

    The marks hold every word and the whole text. Raises SpanError as ``nest``.
    """
    tree = nest(marks, len(text.words))
    return tuple(
        Part(text.over(span), *marks[span][:2], children, marks[span].step)
        for span, children in zip(tree.spans, tree.children, strict=True)
    )
