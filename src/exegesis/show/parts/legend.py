"""What stands under a picture: its scale, its keys and sentences about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from exegesis.show.parts.scale import Scale

Dash = Literal["", "dashed", "dotted", "long"]


class Note(NamedTuple):
    """A sentence under a picture; its name (empty for none) says which row it is about and stands before it."""

    name: str
    text: str


class Key(NamedTuple):
    """The name of a categorical colour and dash."""

    name: str
    hue: int | None
    dash: Dash = ""


@dataclass(frozen=True)
class Legend:
    """Help for reading the parts above: keys of colours, the colour scale, muted sentences after their names."""

    scale: Scale | None = None
    notes: tuple[Note, ...] = ()
    keys: tuple[Key, ...] = ()


def sentences(lines: Iterable[str]) -> tuple[Note, ...]:
    """Notes without names."""
    return tuple(Note("", line) for line in lines)
