"""Registries: classes by name, with what is said about each, and values built from names and parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from exegesis.core.errors import UsageError, unknown
from exegesis.core.parameters import Call, check_complete, checked, fitted, parsed


@runtime_checkable
class Entry(Protocol):
    """A card: the name of a class, and what else a registry's readers want to know."""

    @property
    def name(self) -> str: ...
    @property
    def cls(self) -> type: ...


C = TypeVar("C", bound=Entry)


class Registry(Generic[C]):
    """The registered classes of one ``kind`` ("method", "search", "measure"), each with a card.

    A class is a frozen dataclass of its parameters. One class may have several names, each with parameters that are
    set beforehand. Iteration gives the cards by name. ``known_as`` has what to say of names that people try.
    """

    def __init__(self, kind: str, known_as: Mapping[str, str] | None = None) -> None:
        self.kind, self.known_as = kind, known_as or {}
        self._cards: dict[str, C] = {}
        self._presets: dict[str, Mapping[str, Any]] = {}

    def add(self, card: C, **preset: Any) -> None:
        """Register a card, and make its class check its parameters (``core.parameters.checked``).

        A class that is defined once more, as by a notebook's cell that runs again, takes the place of its former self.
        Raises UsageError if the name is taken by another class or the class is not a frozen dataclass.
        """
        known = self._cards.get(card.name)
        if known is not None and (known.cls is card.cls or _home(known.cls) != _home(card.cls)):
            raise UsageError(f"a {self.kind} named {card.name!r} is registered already")
        if not dataclasses.is_dataclass(card.cls) or not card.cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise UsageError(f"the {self.kind} {card.name!r} must be a frozen dataclass")
        checked(card.cls)
        self._cards[card.name], self._presets[card.name] = card, preset

    def remove(self, name: str) -> None:
        """Forget a registered name, so that another class can have it. Raises UsageError if it is not registered."""
        del self._cards[self[name].name]

    def __iter__(self) -> Iterator[C]:
        return iter([self._cards[name] for name in self.names])

    def __contains__(self, name: object) -> bool:
        return name in self._cards

    def __getitem__(self, name: str) -> C:
        """The card of a name. Raises UsageError, which lists the names and suggests the nearest, for others."""
        if name not in self._cards:
            also = self.known_as.get(name.lower()) if isinstance(name, str) else None
            if also is not None:
                raise UsageError(f"unknown {self.kind} {name!r}; {also} (known: {', '.join(self.names)})")
            raise unknown(self.kind, name, self.names)
        return self._cards[name]

    @property
    def names(self) -> list[str]:
        """All registered names, sorted."""
        return sorted(self._cards)

    def of(self, value: object) -> C:
        """The card of a value of a registered class. Raises UsageError for any other value."""
        for card in self:
            if type(value) is card.cls:
                return card
        shown = " ".join(repr(value).split())[:60]
        raise UsageError(f"{shown} is not a {self.kind}: take a name ({', '.join(self.names)}) or a value of its class")

    def make(self, given: object, parameters: Mapping[str, Any] | None = None) -> Any:
        """Build a value from a name, from text with parameters (``core.parameters.parsed``), or from another value.

        ``parameters`` are added, or replace those of the text or value. Raises UsageError for a name or parameter that
        is not known, and for a value of a parameter that does not fit.
        """
        if not isinstance(given, str | Call):
            card = self.of(given)
            if not parameters:
                return given
            return dataclasses.replace(given, **fitted(card.cls, card.name, parameters))  # type: ignore[type-var]
        name, own = parsed(given) if isinstance(given, str) else given
        if name not in self and name != given:  # a class with its parameters, as ``repr`` writes it
            name = next((card.name for card in self if card.cls.__name__ == name), name)
        card = self[name]
        values = {**self._presets[card.name], **own, **(parameters or {})}
        check_complete(card.cls, card.name, values)
        return card.cls(**fitted(card.cls, card.name, values))


def _home(cls: type) -> tuple[str, str]:
    """Where a class is defined: its module, and its name there."""
    return cls.__module__, cls.__qualname__
