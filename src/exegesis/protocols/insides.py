"""What a question may ask of the inside of a model: its hidden states at named sites, as functions of word vectors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.core.place import Place
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable

NAMED_IN_ERRORS = 12  # sites that an error names
_STEP = re.compile(r"(?P<site>.+) (?:step (?P<step>[1-9][0-9]*)|(?P<last>last) step)", re.DOTALL)


@dataclass(frozen=True)
class Site:
    """A hidden state of a network: where it is read off while the network runs.

    ``path`` is the submodule's path in the module (empty for the word vectors themselves), ``call`` the number of its
    call, from 0. Its output is the state, or its first input if it ``reads``. ``layer`` numbers a layer inside a torch
    recurrence from 1 (0: the output as it is), ``direction`` one of its directions (None: both side by side).

    ``rows`` and ``steps`` are the axes of texts and of time steps in what is read (``steps`` None: a single vector);
    ``stacked`` states come from one call for each time step. ``step`` is the one time step that is meant, from 0, -1
    the last; None for all. ``layered`` sites are the layers and the pooled vector, others are any other submodule.
    """

    place: Place
    path: str
    call: int = 0
    layer: int = 0
    direction: int | None = None
    reads: bool = False
    rows: int = 0
    steps: int | None = None
    stacked: bool = False
    step: int | None = None
    layered: bool = False


class Layered(Differentiable, Protocol):
    """A model whose hidden states can be read at named sites, as differentiable functions of its word vectors.

    ``sites(batch)`` are found by running the batch's first text: ``layer 1``, ``layer 2`` ... at all time steps
    (``layer 1 forward`` is one direction of a recurrent layer, ``encoder layer 1`` a layer of one of several stacks),
    ``width 3``, a convolution by the width of its kernel, ``pooled``, the vector that the last linear layer reads, and
    every other submodule by its path.

    ``states_from(embeds, batch, sites)`` are the states ``[text, step, dimension]`` at sites, one tensor for each; a
    single vector has one step. All rows of the batch have the same number of pieces. A row's states depend on no other
    row. The network runs no further than to the last site.
    """

    def sites(self, batch: Batch) -> Mapping[Place, Site]: ...
    def states_from(
        self, embeds: Float[Tensor, "b t d"], batch: Batch, sites: Sequence[Site]
    ) -> list[Float[Tensor, "b s h"]]: ...


class Movable(Layered, Protocol):
    """A layered model whose outputs can be had for hidden states that are moved while it runs.

    ``outputs_moved(embeds, batch, sites, shifts)`` are the outputs when every state at a site, at its step or at all
    steps, has moved by its shift ``[text, dimension]``; they carry a gradient to the shifts. What stands above reads
    the moved states. Shifts of zero change nothing. All rows of the batch have the same number of pieces.
    """

    def outputs_moved(
        self,
        embeds: Float[Tensor, "b t d"],
        batch: Batch,
        sites: Sequence[Site],
        shifts: Sequence[Float[Tensor, "b _"]],
    ) -> Float[Tensor, "b c"]: ...


def site_of(name: str | Place, found: Mapping[Place, Site]) -> Site:
    """The site of a name: one that was found, or ``NAME step 3`` and ``NAME last step`` for one of its time steps.

    Raises UsageError, which lists the sites that exist, for any other name.
    """
    place = Place.parse(name)
    if place in found:
        return found[place]
    match = _STEP.fullmatch(str(name))
    if match and Place.parse(match["site"]) in found:
        site = found[Place.parse(match["site"])]
        if site.steps is None:
            raise UsageError(f"the site {match['site']!r} is a single vector and has no time steps; leave the step out")
        return replace(site, place=place, step=-1 if match["last"] else int(match["step"]) - 1)
    layers = [str(place) for place, site in found.items() if site.layered]
    others = [str(place) for place, site in found.items() if not site.layered]
    more = f"; by path also {', '.join(others[:NAMED_IN_ERRORS])}" if others else ""
    more += f" and {len(others) - NAMED_IN_ERRORS} more" if len(others) > NAMED_IN_ERRORS else ""
    raise UsageError(f"the model has no site {str(name)!r}; it has {', '.join(layers) or 'no layers'}{more}")
