"""The state of one run of relevance propagation: its options, its ledger, and the places of its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from exegesis.core.place import DIRECTIONS, STATES, Place
from exegesis.mech.backward.ledger import Ledger
from exegesis.mech.lrp.functions import Constant, Propagated, ShareRule
from exegesis.mech.lrp.shares import LrpOptions
from exegesis.nn.recurrent import Way

KINDS = {"h": STATES, "c": "cells", "above": "from above"}  # kinds of places in a recurrent layer, by stream


@dataclass(eq=False, slots=True)
class Term:
    """A part of the account, in a run of one text: ``share`` times the sum of ``value`` times the slopes at ``place``.

    It needs no Python in the backward pass.
    """

    name: str
    place: Tensor | GradientEdge
    value: Tensor
    share: float = 1.0


@dataclass(eq=False)
class State:
    """The state of a run: the rules' options, the ledger, and the word vectors as the anchor of constants.

    ``attends`` and ``recurs``: the run met attention or a norm, or a recurrent layer; ``unclear``: it met weights that
    in a text of one piece may be either of attention or of a pooling. ``terms``: what the account
    receives beside what rules and hooks book, in a run of one text.
    """

    options: LrpOptions
    ledger: Ledger
    anchor: Tensor
    attends: bool = False
    recurs: bool = False
    unclear: bool = False
    terms: list[Term] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _later: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    _masks: dict[int, tuple[Tensor, Tensor | None, Tensor | None]] = field(default_factory=dict)
    _zeros: dict[tuple[torch.Size, torch.dtype], Tensor] = field(default_factory=dict)

    @cached_property
    def exactly(self) -> bool:
        """True if sums share in proportion, and relevance in between is not asked for: slopes need nothing beside."""
        return self.options.exact and self.ledger.states is None

    def number(self, kind: str) -> int:
        """The number of the next part of a kind."""
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return self._numbers[kind]

    def place(self, kind: str) -> Place:
        """The place of the next part of a kind: conv1d 1, conv1d 2, and so on."""
        return Place(kind, self.number(kind))

    def spot(self, kind: str) -> Place | None:
        """The place of the next part of a kind, None unless relevance in between is asked for."""
        return None if self.ledger.states is None else self.place(kind)

    def mask(self, value: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Where a term of scores closes them (None: nowhere), and what it adds elsewhere (None: nothing)."""
        if id(value) not in self._masks:
            closed = value <= torch.finfo(value.dtype).min / 4
            share = value.detach().masked_fill(closed, 0.0)
            found = (closed if bool(closed.any()) else None, share if bool(share.any()) else None)
            self._masks[id(value)] = (value, *found)
        return self._masks[id(value)][1:]

    def zeros(self, like: Tensor) -> Tensor:
        """Zeros in a tensor's shape."""
        key = like.shape, like.dtype
        if key not in self._zeros:
            self._zeros[key] = torch.zeros_like(like, memory_format=torch.contiguous_format)
        return self._zeros[key]

    def later(self, queries: int, keys: int, device: torch.device) -> Tensor:
        """The keys that stand behind each query."""
        if (queries, keys) not in self._later:
            every = torch.ones((queries, keys), dtype=torch.bool, device=device)
            self._later[queries, keys] = every.triu(1)
        return self._later[queries, keys]

    def bias(self, value: Tensor) -> Tensor:
        """A bias with a gradient, in a run of one text, which keeps its share."""
        stand_in = value.detach().requires_grad_(True)
        self.terms.append(Term("biases", stand_in, value))
        return stand_in

    def kept(
        self,
        value: Tensor,
        rows: Tensor,
        constant: Tensor | float | None = None,
        name: str = "biases",
        kind: str | None = None,
    ) -> None:
        """Book the share of a ``constant`` that ``value`` contains, and note the relevance of ``value``.

        It is done by a hook on the tensor, whose slopes remain its own: for sums without epsilon.
        """
        place = None if kind is None else self.spot(kind)
        noted = None if place is None else value.detach()
        if constant is None and noted is None:
            return

        def hook(arriving: Tensor | None) -> None:
            if arriving is None:  # what is constant to relevance leads here
                return
            if noted is not None and place is not None:
                self.ledger.note(place, torch.where(arriving == 0, 0.0, noted * arriving))
            vector = isinstance(constant, Tensor) and constant.ndim == 1 and len(constant) == arriving.shape[-1]
            if constant is None:
                return
            if isinstance(constant, Tensor) and vector and rows.stride(-1) == 0 and arriving.ndim > 1:
                self.ledger.book(name, arriving @ constant.to(arriving), rows[..., 0])
            else:
                self.ledger.book(name, arriving * constant, rows)

        value.register_hook(hook)  # type: ignore[no-untyped-call]

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
