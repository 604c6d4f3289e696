"""Parts of a batch that a module takes in a call each: their results in the batch's order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor


def in_order(parts: Sequence[Int[Tensor, " _"]], results: Sequence[Tensor]) -> Tensor:
    """The rows of the results in the order of the batch; ``parts`` are the numbers of their rows."""
    order = torch.argsort(torch.cat(list(parts)))
    return torch.cat(list(results))[order.to(results[0].device)]
