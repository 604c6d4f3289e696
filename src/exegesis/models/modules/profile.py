"""What the trials of a module have found: how it is called, where its words are, how its states become outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from exegesis.models.modules.calls import Plan
from exegesis.models.modules.lookups import Lookup
from exegesis.models.modules.readout import Readout
from exegesis.protocols.target import Link


@dataclass(frozen=True)
class Recurrence:
    """The way from a module's recurrent states to its outputs, learned once on texts that tell poolings apart.

    (On a single short text a maximum may be the last state, and any initial state is the same for all.) ``folded`` is
    the number of linear parts that are folded into the last one; ``same_start`` and ``blind`` as in ``Unrolled``;
    ``forgetting`` is the letter of the gate that keeps or forgets, empty for a plain RNN.
    """

    readout: Readout
    folded: int
    same_start: bool = False
    blind: bool = False
    forgetting: str = ""


@dataclass(frozen=True)
class Profile:
    """The findings of the trials of a module.

    ``blank`` is the id for an empty text if the module cannot take a pad token alone (because it drops pads itself, for
    instance), else None. ``lookups`` are the places at which it looks its words up. Word vectors are shown in the type
    of its outputs, ``dtype``, and handed over in that type too if the module takes them so (``casts`` if not: then each
    in its table's own). ``recurrence`` describes its recurrent layer. ``lacks`` has the reason for each ability that
    the trials deny.
    """

    name: str
    labels: tuple[str, ...]
    link: Link
    plan: Plan
    blank: int | None = None
    lookups: tuple[Lookup, ...] = ()
    dtype: torch.dtype = torch.float32
    casts: bool = False
    recurrence: Recurrence | None = None
    lacks: Mapping[str, str] = field(default_factory=dict)
