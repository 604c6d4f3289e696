"""The document of a catalogue: the methods, or the measures, that can be chosen; of a single one its parameters too."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from exegesis.core.parameters import hints, wording
from exegesis.core.shown import Catalogue
from exegesis.show.document import Column, Document, Heading, Legend, Note, Prose, Section, Table, facts


def document(catalogues: Sequence[Catalogue[Any]]) -> Document:
    """A row for each card; of one card a page."""
    cards = [card for catalogue in catalogues for card in catalogue]
    if len(cards) == 1:
        return Document(cards[0].name, "Method", (Section(cards[0].name, tuple(_page(cards[0]))),))
    rows = [tuple(_facts(card).values()) for card in cards]
    columns = tuple(Column(name, words=True) for name in _facts(cards[0]))
    notes = [Note(card.name, f"{_said(card)} ({', '.join(list(_facts(card).values())[1:-1])})") for card in cards]
    title = f"{len(cards)} {'methods' if hasattr(cards[0], 'summary') else 'measures'}"
    return Document(
        title, "Catalogue", (Section(title, (Table(columns, tuple(rows)),), (Legend(notes=tuple(notes)),)),)
    )


def _page(card: Any) -> list[Any]:
    """A card with what its parameters may be, and what its class says of itself."""
    named = {name: text for name, text in _facts(card).items() if name not in ("method", "measure")}
    notes = [
        Note(field.name, f"{'' if field.default is dataclasses.MISSING else field.default} ({wording(hint)})".strip())
        for field, hint in zip(dataclasses.fields(card.cls), hints(card.cls).values(), strict=True)
    ]
    told = [Prose(" ".join(part.replace("``", "").split())) for part in (card.cls.__doc__ or "").split("\n\n")]
    return [Heading(card.name, 1), facts(named), Legend(notes=tuple(notes)), *told]


def _facts(card: Any) -> dict[str, str]:
    if hasattr(card, "summary"):
        return {"method": card.name, "question": card.question, "needs": card.needed, "year": str(card.year),
                "what a score is": card.summary}  # fmt: skip
    better = "more" if card.higher else "less"
    return {"measure": card.name, "question": card.question, "better": better, "paper": card.paper}


def _said(card: Any) -> str:
    return str(card.summary if hasattr(card, "summary") else card.question)
