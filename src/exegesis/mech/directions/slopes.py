"""The states of texts at sites, and the slope of a number by moving them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.protocols.batch import Batch
from exegesis.protocols.insides import Movable, Site
from exegesis.protocols.target import Ask


def mean_states(model: Movable, batch: Batch, sites: Sequence[Site]) -> list[Float[Tensor, "b _"]]:
    """The state of each text at each site, the mean over its steps, for texts of one length."""
    with torch.no_grad():
        states = model.states_from(model.embed(batch).detach(), batch, sites)
    return [state.detach().double().mean(1) for state in states]


def slopes(model: Movable, batch: Batch, sites: Sequence[Site], choice: Ask) -> list[Float[Tensor, "b _"]]:
    """The derivative of a text's number as its state at a site moves, at the site's step or at all steps alike.

    Texts have one length. The scalar product with a direction v is Kim et al.'s conceptual sensitivity (2018, Eq. 1),
    the derivative at 0 of the number by e, for states h + e v at every step: v acts on each step, as the state whose
    direction it is is their mean. One run and one backward pass for all sites together.
    """
    vectors = model.embed(batch).detach()
    shapes = mean_states(model, batch, sites)
    shifts = [torch.zeros_like(shape).to(vectors).requires_grad_() for shape in shapes]
    with torch.enable_grad():
        raw = model.outputs_moved(vectors, batch, sites, shifts)
        number = choice.of(raw.detach(), model.link).of(raw).sum()
    if not number.requires_grad:
        return [torch.zeros_like(shape) for shape in shapes]
    found = torch.autograd.grad(number, shifts, materialize_grads=True)
    return [slope.detach().double() for slope in found]
