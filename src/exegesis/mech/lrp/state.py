"""The state of one run of relevance propagation: its options, its ledger, and the places of its parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from exegesis.core.place import DIRECTIONS, STATES, Place
from exegesis.mech.backward.ledger import Ledger
from exegesis.mech.lrp.functions import Constant, Propagated, ShareRule
from exegesis.mech.lrp.shares import LrpOptions
from exegesis.nn.recurrent import Way

KINDS = {"h": STATES, "c": "cells", "above": "from above"}  # kinds of places in a recurrent layer, by stream


@dataclass(eq=False)
class State:
    """The state of a run: the rules' options, the ledger, and the word vectors as the anchor of constants."""

    options: LrpOptions
    ledger: Ledger
    anchor: Tensor
    _numbers: dict[str, int] = field(default_factory=dict)

    def place(self, kind: str) -> Place:
        """The place of the next part of a kind: conv1d 1, conv1d 2, and so on."""
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return Place(kind, self._numbers[kind])

    def propagated(
        self,
        rule: ShareRule,
        output: Tensor,
        inputs: tuple[Tensor, ...],
        rows: Tensor | None = None,
        place: Place | None = None,
    ) -> Tensor:
        """The output of a function of ``inputs``, with ``rule`` as its backward pass.

        ``rows`` are the texts for which the rule keeps amounts, ``place`` is the place under which the output's
        relevance is noted.
        """
        result: Tensor = Propagated.apply(rule, self.ledger, rows, place, output, *inputs)  # type: ignore[no-untyped-call]
        return result

    def constant(self, value: Tensor, rows: Tensor, name: str) -> Tensor:
        """A constant beside live values, whose relevance is booked under ``name``."""
        return self.propagated(Constant(name), value.clone(), (self.anchor,), rows)  # a module may write over its own


def place_in_layer(way: Way, stream: str, part: str = "") -> Place:
    """The place of a stream (h, c or above) in a direction of a recurrent layer: ``layer 2 reverse cells``."""
    return Place(KINDS[stream], way[0] + 1, direction=DIRECTIONS[way[1]], part=part)
