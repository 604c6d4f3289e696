"""Sentences: facts by their names, paragraphs, headings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple


class Fact(NamedTuple):
    """A value by its name; a strong one stands out (the prediction)."""

    name: str
    text: str
    strong: bool = False


@dataclass(frozen=True)
class Facts:
    """Values by their names, in as few lines as hold them; ``named`` ones stand after their names in every medium."""

    items: tuple[Fact, ...]
    named: bool = False

    @property
    def texts(self) -> list[tuple[str, bool]]:
        """The values as written in a line, and whether each stands out."""
        return [(f"{name}: {text}" if self.named else text, strong) for name, text, strong in self.items]


@dataclass(frozen=True)
class Prose:
    """A paragraph; ``muted`` explains how to read something, ``lead`` is the one sentence to take away."""

    text: str
    tone: Literal["plain", "muted", "lead"] = "plain"


@dataclass(frozen=True)
class Heading:
    """A heading: level 1 is the title of a section, 2 and 3 are within it."""

    text: str
    level: Literal[1, 2, 3] = 2


def facts(items: Mapping[str, str]) -> Facts:
    """Named facts, without those that are empty."""
    return Facts(tuple(Fact(name, text) for name, text in items.items() if text), named=True)
