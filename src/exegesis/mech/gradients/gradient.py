"""Gradients of the explained numbers with respect to word vectors, in batches that fit the budget."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.errors import UnsupportedError, out_of_memory
from exegesis.core.progress import counted
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import Budget, budget_for
from exegesis.protocols.model import Differentiable
from exegesis.protocols.target import Target

TOGETHER = 16  # numbers that go back together
MANY = 32  # numbers of a text from which each is a row of its own, instead of a backward pass of its own
Reduce = Callable[[Tensor, Tensor], Tensor]  # from gradients [n, t, d] and the numbers of their rows to what is kept


def gradients(
    model: Differentiable,
    embeds: Float[Tensor, "b t d"],
    batch: Batch,
    target: Target,
    reduce: Reduce = lambda slope, _: slope,
) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b k t *rest"]]:
    """The explained numbers, and the gradient of each with respect to every word vector.

    ``reduce`` says what is kept of the gradients of one number, so that those of all are never in memory together.
    A model that says ``one_graph`` (many numbers of few long texts) runs forward once, and backward for many numbers at
    a time. Raises UnsupportedError for a module that overwrites numbers which its own gradient needs.
    """
    try:
        if getattr(model, "one_graph", False) and target.count > 1:
            return _together(model, embeds, batch, target, reduce)
        return (
            _apart(model, embeds, batch, target, reduce)
            if target.count > MANY
            else _each(model, embeds, batch, target, reduce)
        )
    except RuntimeError as error:
        if "inplace" not in str(error):
            raise
        raise UnsupportedError(
            "the module writes over numbers that its gradient needs (an operation in place, as x.add_(y)): use "
            "the one that is not, or take deeplift or lrp"
        ) from error


def _each(
    model: Differentiable, embeds: Tensor, batch: Batch, target: Target, reduce: Reduce
) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b k t *rest"]]:
    """One forward pass of all rows, and a backward pass for each number."""
    leaf, rows = embeds.detach().requires_grad_(True), torch.arange(len(batch), device=embeds.device)
    with torch.enable_grad():
        numbers = target.of(model.outputs_from(leaf, batch))
        kept = [
            reduce(torch.autograd.grad(numbers[:, k].sum(), leaf, retain_graph=k + 1 < target.count)[0], rows)
            for k in range(target.count)
        ]
    return numbers.detach(), torch.stack(kept, 1)


def _together(
    model: Differentiable, embeds: Tensor, batch: Batch, target: Target, reduce: Reduce
) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b k t *rest"]]:
    """One forward pass of all rows, and backward passes of several numbers each (a batched product with the Jacobian).

    A module with a function that has no batched backward pass goes back once for each number.
    """
    leaf, rows = embeds.detach().requires_grad_(True), torch.arange(len(batch), device=embeds.device)
    at_once = budget_for("gradients", batch.device).rows_of(len(batch) * embeds.shape[1])
    with torch.enable_grad():
        numbers = target.of(model.outputs_from(leaf, batch))
        kept = []
        for part in torch.split(
            torch.eye(target.count, device=numbers.device, dtype=numbers.dtype), min(at_once, TOGETHER)
        ):
            ways = part[:, None].expand(-1, len(batch), -1)
            kept += [reduce(slope, rows) for slope in _slopes(numbers, leaf, ways)]
    return numbers.detach(), torch.stack(kept, 1)


def _slopes(numbers: Tensor, leaf: Tensor, ways: Float[Tensor, "n b k"]) -> Float[Tensor, "n b t d"]:
    """The gradients of several sums of the numbers."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="There is a performance drop")
            batched: Tensor = torch.autograd.grad(numbers, leaf, ways, retain_graph=True, is_grads_batched=True)[0]
            return batched
    except RuntimeError as error:
        if out_of_memory(error) or "inplace" in str(error):
            raise
    return torch.stack([torch.autograd.grad(numbers, leaf, way, retain_graph=True)[0] for way in ways])


def _apart(
    model: Differentiable, embeds: Tensor, batch: Batch, target: Target, reduce: Reduce
) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b k t *rest"]]:
    """A row for each number of each text: many numbers share a backward pass, as many as fit the budget."""
    count, width = target.count, embeds.shape[1]
    index = torch.arange(len(batch) * count)
    numbers, kept = [], []
    parts = chunks(len(index), width, budget_for("gradients", batch.device))
    for part in counted(parts, "numbers explained", len(parts)):
        rows, which = torch.div(index[part], count, rounding_mode="floor"), (index[part] % count)[:, None]
        many, at = target.take(rows), which.to(target.index.device)
        against = None if many.against is None else many.against.gather(1, at)
        one = replace(many, index=many.index.gather(1, at), against=against)
        copies = batch.take(rows)
        inner, place = copies.ids.shape[1], rows.to(embeds.device)
        leaf = embeds[place, :inner].detach().requires_grad_(True)
        with torch.enable_grad():
            number = one.of(model.outputs_from(leaf, copies))
            slope = torch.autograd.grad(number.sum(), leaf)[0]
        slope = torch.nn.functional.pad(slope, (0, 0, 0, width - inner))
        numbers.append(number.detach()[:, 0])
        kept.append(reduce(slope, place))
    values = torch.cat(kept)
    return torch.cat(numbers).reshape(-1, count), values.reshape(-1, count, *values.shape[1:])


def chunks(rows: int, width: int, budget: Budget) -> list[Int[Tensor, " _"]]:
    """Row numbers in runs that fit the budget, at least one row each."""
    return list(torch.split(torch.arange(rows), budget.rows_of(width)))
