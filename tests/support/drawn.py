"""Sections of documents by their parts, for tests of what stands in them."""

from __future__ import annotations

from typing import Any, NamedTuple

from exegesis.show import document_of
from exegesis.show.document import Facts, Legend, Matrix, Passage, Section, Table, Tree


class Panel(NamedTuple):
    """The parts of a section: the first of each type."""

    passage: Any
    legend: Any
    facts: dict[str, str]
    tables: list[Table]

    @property
    def notes(self) -> list[tuple[str, str]]:
        """The sentences as (name, text)."""
        return [tuple(note) for note in self.legend.notes]

    @property
    def lines(self) -> list[str]:
        return [text for _, text in self.legend.notes]


def panels(results: Any, scale: Any = None) -> tuple[Panel, ...]:
    """A panel for each section; the passage is a tree or a matrix if the section has one."""
    options = {"scale": scale} if scale else {}
    return tuple(map(_panel, document_of(results, **options).sections))


def _panel(section: Section) -> Panel:
    def first(*kinds: type) -> Any:
        return next((part for part in section.parts if isinstance(part, kinds)), None)

    facts = {fact.name: fact.text for fact in first(Facts).items}
    tables = [part for part in section.parts if isinstance(part, Table)]
    return Panel(first(Passage, Tree, Matrix), first(Legend), facts, tables)
