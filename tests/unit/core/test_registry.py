"""Registries: names to cards, values from names, text and other values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest

from exegesis.core.errors import UsageError
from exegesis.core.parameters import Call, at_least
from exegesis.core.registry import Registry


@dataclass(frozen=True)
class Card:
    name: str
    cls: type


@dataclass(frozen=True)
class Thing:
    size: Annotated[int, at_least(1)] = 1
    kind: str = "plain"


@pytest.fixture
def things() -> Registry[Card]:
    registry: Registry[Card] = Registry("thing")
    registry.add(Card("one", Thing))
    registry.add(Card("a-two", Thing), size=2)
    return registry


def test_cards_by_name(things):
    assert things.names == ["a-two", "one"]
    assert [card.name for card in things] == things.names
    assert "one" in things
    assert "Thing" not in things
    assert things["one"].cls is Thing
    with pytest.raises(UsageError, match="unknown thing 'oen'; did you mean 'one'"):
        things["oen"]
    with pytest.raises(UsageError, match="unknown thing 'Thing'"):
        things.make("Thing")


def test_values(things):
    assert things.make("one") == Thing()
    assert things.make("a-two", {"kind": "x"}) == Thing(2, "x")
    assert things.make("a-two:size=3") == things.make("one", {"size": 3}) == Thing(3)
    assert things.make("one:size=3", {"size": 4}) == Thing(4)
    assert things.make(repr(Thing(5, "y"))) == Thing(5, "y")
    assert things.make(Call("one", {"size": 6})) == Thing(6)
    value = Thing(7)
    assert things.make(value) is value
    assert things.make(value, {"kind": "z"}) == Thing(7, "z")
    for given, parameters in (("one", {"size": 0}), ("one:size=0", {}), (value, {"size": 0})):
        with pytest.raises(UsageError, match="size must be a whole number of at least 1, not "):
            things.make(given, parameters)
    with pytest.raises(UsageError, match=r"^3 is not a thing: take a name \(a-two, one\) or a value of its class$"):
        things.make(3)


def test_what_cannot_be_registered(things):
    with pytest.raises(UsageError, match="a thing named 'one' is registered already"):
        things.add(Card("one", Thing))
    for cls in (int, dataclass(type("Loose", (), {}))):
        with pytest.raises(UsageError, match="the thing 'new' must be a frozen dataclass"):
            things.add(Card("new", cls))
    again = type("Thing", (Thing,), {"__module__": Thing.__module__, "__qualname__": Thing.__qualname__})
    things.add(Card("one", dataclass(frozen=True)(again)))
    assert type(things.make("one")) is again  # as of a notebook's cell that runs once more
    things.remove("one")
    assert things.names == ["a-two"]
    with pytest.raises(UsageError, match="unknown thing 'one'"):
        things.remove("one")
