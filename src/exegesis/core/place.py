"""Places inside a network, each with one name wherever it is mentioned: results, files, pictures, methods."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exegesis.core.errors import UsageError

DIRECTIONS = ("forward", "reverse")
STATES = "states"  # the kind of a recurrent layer's hidden states, which its name leaves out
_NUMBER = "([1-9][0-9]*)"
_RECURRENT = re.compile(rf"(?:(\S+ [1-9][0-9]*) )?layer {_NUMBER} (forward|reverse)(?: (.+))?", re.DOTALL)
_OTHER = re.compile(f"(.+?)(?: {_NUMBER})?(?: head {_NUMBER})?", re.DOTALL)


@dataclass(frozen=True, order=True)
class Place:
    """A place inside a network; ``str`` gives its name, and it equals that name as a string.

    Numbers count from 1; 0 stands for a number that the place does not have.

    - In a recurrent layer: ``kind`` is ``states``, ``cells`` or another thing that is known there, ``layer`` is the
      number of the layer from below, ``direction`` is ``forward`` or ``reverse``, and ``part`` names the part of the
      network if it has several: ``layer 1 forward``, ``recurrent 2 layer 1 reverse cells``.
    - Elsewhere: ``kind`` is the function or the thing, ``layer`` its number among those of the same kind, ``head`` the
      number of an attention head: ``word vectors``, ``conv1d 2``, ``attention 3 head 1``.

    Places are ordered by kind, then by number. A mapping by places can be asked for their names: since a place has the
    hash of its name, ``states["layer 1 forward"]`` is ``states[Place("states", 1, direction="forward")]``.

    Raises UsageError for a combination that no name stands for.
    """

    kind: str
    layer: int = 0
    head: int = 0
    direction: str = ""
    part: str = ""

    def __post_init__(self) -> None:
        if _fields(str(self)) != (self.kind, self.layer, self.head, self.direction, self.part):
            raise UsageError(
                f"a place must read back from its name, which {str(self)!r} does not: take a kind that does not end in "
                "a number, numbers from 1 on (0 for none), and for a recurrent layer its number and direction"
            )

    @classmethod
    def parse(cls, name: str | Place) -> Place:
        """The place of a name; a name of no known form is a place whose ``kind`` it is. A place stays as it is."""
        return name if isinstance(name, Place) else cls(*_fields(name))

    @property
    def has_steps(self) -> bool:
        """True for a place of a recurrent layer that reads a text step by step, rather than of a cell called once."""
        return bool(self.direction) and (not self.part or self.part.startswith("recurrent "))

    def __str__(self) -> str:
        if self.direction:
            part = f"{self.part} " if self.part else ""
            return f"{part}layer {self.layer} {self.direction}{'' if self.kind == STATES else f' {self.kind}'}"
        number = f" {self.layer}" if self.layer else ""
        return f"{self.kind}{number}{f' head {self.head}' if self.head else ''}"

    def __format__(self, form: str) -> str:
        return format(str(self), form)

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, Place | str) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))


def _fields(name: str) -> tuple[str, int, int, str, str]:
    """The fields of the place that a name stands for."""
    if match := _RECURRENT.fullmatch(name):
        part, layer, direction, kind = match.groups()
        if kind != STATES:
            return kind or STATES, int(layer), 0, direction, part or ""
    elif match := _OTHER.fullmatch(name):
        kind, layer, head = match.groups()
        return kind, int(layer or 0), int(head or 0), "", ""
    return name, 0, 0, "", ""


WORD_VECTORS = Place("word vectors")
