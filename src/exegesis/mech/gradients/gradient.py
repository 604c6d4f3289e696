"""Gradients of the explained numbers with respect to word vectors, in batches that fit the budget."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import Budget
from exegesis.protocols.model import Differentiable
from exegesis.protocols.target import Target


def gradients(
    model: Differentiable, embeds: Float[Tensor, "b t d"], batch: Batch, target: Target
) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b k t d"]]:
    """The explained numbers, and the gradient of each with respect to every word vector.

    Raises UnsupportedError for a module that overwrites numbers which its own gradient needs.
    """
    leaf = embeds.detach().requires_grad_(True)
    with torch.enable_grad():
        numbers = target.of(model.outputs_from(leaf, batch))
        try:
            slopes = [
                torch.autograd.grad(numbers[:, k].sum(), leaf, retain_graph=k + 1 < target.count)[0]
                for k in range(target.count)
            ]
        except RuntimeError as error:
            if "inplace" not in str(error):
                raise
            raise UnsupportedError(
                "the module writes over numbers that its gradient needs (an operation in place, as x.add_(y)): use "
                "the one that is not, or take deeplift or lrp"
            ) from error
    return numbers.detach(), torch.stack(slopes, 1)


def chunks(rows: int, width: int, budget: Budget) -> list[Int[Tensor, " _"]]:
    """Row numbers in runs that fit the budget, at least one row each."""
    return list(torch.split(torch.arange(rows), budget.rows_of(width)))
