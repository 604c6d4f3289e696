"""One text gives one result, a list gives a list: what every question of texts has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from exegesis.api.inputs import bar, read_texts, several
from exegesis.core.text import Text
from exegesis.protocols.model import Classifier

One = TypeVar("One")
Advance = Callable[[], object]  # called after each text
Work = Callable[[Sequence[Text], Advance], list[One]]


def answered(model: Classifier, given: object, work: Work[One], name: str, progress: bool) -> One | list[One]:
    """What ``work`` gives for the texts as the model reads them, under a progress bar of that name."""
    many = several(given)
    read = read_texts(model, [given] if many is None else many)
    with bar(progress, len(read), name) as advance:
        results = work(read, advance)
    return results[0] if many is None else results


def in_order(numbered: Iterable[tuple[int, One]], advance: Advance) -> list[One]:
    """Results that come with the numbers of their texts, in the order of the texts."""
    found: dict[int, One] = {}
    for number, result in numbered:
        found[number] = result
        advance()
    return [found[number] for number in sorted(found)]
