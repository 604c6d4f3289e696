"""A module whose weights have lost what training put into them, and kept their sizes."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


@torch.no_grad()
def shuffled(module: Module, seed: int) -> Module:
    """A copy of a module in which the numbers of every weight stand in another order, drawn from ``seed``.

    Each weight keeps the distribution of its numbers, so that states keep about their sizes in any architecture;
    weights that are shared stay shared. Buffers are left as they are.
    """
    other, draws = copy.deepcopy(module), torch.Generator().manual_seed(seed)
    for weight in other.parameters():
        flat = weight.detach().flatten()
        order = torch.randperm(flat.numel(), generator=draws)
        weight.data = flat[order.to(flat.device)].view_as(weight).clone()
    return other
