"""The explained numbers along straight paths of word vectors, and each piece's share of their slope.

A path runs from ``start`` to ``stop`` (vectors of each piece); at the fraction a of the path the number is F(a), and
F'(a) is the sum over pieces of gradient · (stop - start). If the model is one recurrent layer over its word vectors,
the inputs' part of the gates is linear in a, so the product of vectors and weights is computed once for all points, and
the slope is computed at the gates: a point costs two products with the state per step, whatever the size of the
vectors.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.mech.gradients.gradient import chunks, gradients
from exegesis.mech.one_layer import plain_pass
from exegesis.nn.recurrent import reading_order
from exegesis.nn.steps import cell_of
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import Budget, budget_for
from exegesis.protocols.model import Differentiable
from exegesis.protocols.recurrent import Direction, Unrolled
from exegesis.protocols.target import Target

LEAST_ROWS = 16  # points that always run together: a single one would take as long
LONGEST = 1000  # pieces up to which steps by hand are faster than the library's kernel with fewer rows at a time


class Paths:
    """Paths through any model: each point is a row of a pooled batch, which runs through the model itself."""

    def __init__(self, model: Differentiable, batch: Batch, target: Target, start: Tensor, stop: Tensor) -> None:
        self.model, self.batch, self.target = model, batch, target
        self.start, self.step = start, stop - start

    def numbers(self, rows: Int[Tensor, " n"], at: Float[Tensor, " n"]) -> Float[Tensor, "n k"]:
        """F at the fractions ``at`` of the paths ``rows``."""
        numbers = []
        for part in chunks(len(rows), self._width(rows), self._budget(rows)):
            batch, vectors = self._at(rows[part], at[part])
            with torch.no_grad():
                numbers.append(self.target.take(rows[part]).of(self.model.outputs_from(vectors, batch)))
        return torch.cat(numbers)

    def shares(self, rows: Int[Tensor, " n"], at: Float[Tensor, " n"]) -> Float[Tensor, "n k t"]:
        """Each piece's share of F' at the fractions ``at`` of the paths ``rows``."""
        shares = self.step.new_zeros(len(rows), self.target.count, self.step.shape[1])
        for part in chunks(len(rows), self._width(rows), self._budget(rows)):
            batch, vectors = self._at(rows[part], at[part])
            width = vectors.shape[1]
            step = self.step[rows[part].to(self.step.device), :width]

            def share(slope: Tensor, number: Tensor, step: Tensor = step) -> Tensor:
                return (slope * step[number]).sum(-1)

            _, shares[part, :, :width] = gradients(self.model, vectors, batch, self.target.take(rows[part]), share)
        return shares

    def _at(self, rows: Tensor, at: Tensor) -> tuple[Batch, Float[Tensor, "n t d"]]:
        batch, index = self.batch.take(rows), rows.to(self.start.device)
        width = batch.ids.shape[1]
        return batch, self.start[index, :width] + at.to(self.start)[:, None, None] * self.step[index, :width]

    def _width(self, rows: Tensor) -> int:
        return int(self.batch.lengths[rows.to(self.batch.device)].max())

    def _budget(self, rows: Tensor) -> Budget:
        pieces = budget_for("paths", self.batch.device).pieces
        return Budget(pieces=max(pieces, LEAST_ROWS * self._width(rows)))


class RecurrentPaths(Paths):
    """Paths through one recurrent layer over the word vectors, whose steps are taken by hand."""

    def __init__(
        self, model: Differentiable, batch: Batch, target: Target, start: Tensor, stop: Tensor, unrolled: Unrolled
    ) -> None:
        super().__init__(model, batch, target, start, stop)
        self.unrolled = unrolled
        self.cells = [cell_of(direction) for direction in unrolled.layers[0]]
        self.origin = [self._pre(n, start, bias=True) for n in range(len(self.cells))]
        self.slope = [self._pre(n, stop - start, bias=False) for n in range(len(self.cells))]

    def _pre(self, number: int, vectors: Tensor, *, bias: bool) -> Float[Tensor, "t b g"]:
        direction = self.unrolled.layers[0][number]
        pre = self.cells[number].pre(reading_order(vectors, direction.lengths, direction.reverse), bias=bias)
        return pre.transpose(0, 1).contiguous()

    @torch.no_grad()
    def numbers(self, rows: Int[Tensor, " n"], at: Float[Tensor, " n"]) -> Float[Tensor, "n k"]:
        """The explained numbers ``[n, k]`` of the texts ``rows`` at the fractions ``at`` of their paths."""
        numbers = self.start.new_zeros(len(rows), self.target.count)
        for part in self._parts(rows):
            raw, _ = self._forward(rows[part].to(self.start.device), at[part].to(self.start), keep=False)
            numbers[part] = self.target.take(rows[part]).of(raw).to(numbers)
        return numbers

    @torch.no_grad()
    def shares(self, rows: Int[Tensor, " n"], at: Float[Tensor, " n"]) -> Float[Tensor, "n k t"]:
        """The shares ``[n, k, t]`` of the pieces in the slope of each text in ``rows`` at the fractions ``at``."""
        shares = self.step.new_zeros(len(rows), self.target.count, self.step.shape[1])
        for part in self._parts(rows):
            index = rows[part].to(self.start.device)
            raw, runs = self._forward(index, at[part].to(self.start), keep=True)
            target = self.target.take(rows[part])
            with torch.enable_grad():
                leaf = raw.requires_grad_(True)
                numbers = target.of(leaf)
                slopes = [
                    torch.autograd.grad(numbers[:, k].sum(), leaf, retain_graph=True)[0] for k in range(target.count)
                ]
            for k, slope in enumerate(slopes):
                for number in range(len(self.cells)):
                    shares[part, k] += self._backward(number, index, slope, runs[number])
        return shares

    def _parts(self, rows: Tensor) -> list[Tensor]:
        """Row numbers in runs, longest texts first, so that the rows active at a step are the first ones."""
        lengths = self.batch.lengths.cpu()[rows.cpu()]
        order = torch.argsort(lengths, descending=True, stable=True)
        budget = budget_for("paths", self.batch.device)
        return list(torch.split(order, budget.rows_of(int(lengths.max())))) if len(rows) else []

    def _forward(self, rows: Tensor, at: Tensor, *, keep: bool) -> tuple[Float[Tensor, "n c"], list[Any]]:
        raw = self.unrolled.bias.expand(len(rows), -1).clone()
        runs = []
        for number, (cell, direction) in enumerate(zip(self.cells, self.unrolled.layers[0], strict=True)):
            state = [start[rows].clone() for start in (direction.h0, direction.c0) if start is not None]
            pooled = [torch.zeros_like(state[0]) for _ in self.unrolled.terms]
            trail = []
            for step, active in enumerate(self._active(direction, rows)):
                owner = rows[:active]
                pre = torch.addcmul(
                    self.origin[number][step].index_select(0, owner),
                    self.slope[number][step].index_select(0, owner),
                    at[:active, None],
                )
                new, saved = cell.forward(pre, [s[:active] for s in state])
                state = [
                    torch.cat([value, s[active:]]) if active < len(s) else value
                    for value, s in zip(new, state, strict=True)
                ]
                trail.append(saved if keep else None)
                for term, pool in zip(self.unrolled.terms, pooled, strict=True):
                    if term.direction == number and term.kind != "last":
                        pool[:active] += term.weights[owner, step] * new[0]
            for term, pool in zip(self.unrolled.terms, pooled, strict=True):
                if term.direction == number:
                    value = state[0] if term.kind == "last" else pool
                    raw += torch.nn.functional.linear(value, term.linear)
            runs.append(trail)
        return raw, runs

    def _backward(
        self, number: int, rows: Tensor, slope: Float[Tensor, "n c"], trail: list[Any]
    ) -> Float[Tensor, "n t"]:
        """Each piece's share, from the slope of the raw outputs."""
        cell, direction = self.cells[number], self.unrolled.layers[0][number]
        terms = [term for term in self.unrolled.terms if term.direction == number]
        through = [slope @ term.linear for term in terms]
        shares = slope.new_zeros(len(rows), self.step.shape[1])
        active = self._active(direction, rows)
        size = direction.hidden.shape[-1]
        down = [slope.new_zeros(0, size) for _ in range(1 if direction.c0 is None else 2)]
        for step in range(len(active) - 1, -1, -1):
            count = active[step]
            fresh = count - len(down[0])
            down = [torch.cat([d, d.new_zeros(fresh, size)]) if fresh else d for d in down]
            for term, arriving in zip(terms, through, strict=True):
                if term.kind != "last":
                    down[0] = down[0] + term.weights[rows[:count], step] * arriving[:count]
                elif fresh:
                    down[0][count - fresh :] += arriving[count - fresh : count]
            pre, down = cell.backward(trail[step], down)
            shares[:count, step] = (pre * self.slope[number][step].index_select(0, rows[:count])).sum(-1)
        return reading_order(shares, direction.lengths.to(rows.device)[rows], direction.reverse)

    def _active(self, direction: Direction, rows: Tensor) -> list[int]:
        """The number of rows that still run at each step."""
        lengths = direction.lengths.to(rows.device)[rows]
        steps = torch.arange(int(lengths.max()), device=rows.device)
        active: list[int] = (lengths[:, None] > steps).sum(0).tolist()
        return active


def paths(model: Differentiable, batch: Batch, target: Target, start: Tensor, stop: Tensor) -> Paths:
    """The fastest kind of paths from ``start`` to ``stop``, which must be the texts themselves."""
    unrolled = None if int(batch.lengths.max()) > LONGEST else plain_pass(model, batch)
    if unrolled is None or any(term.kind == "max" for term in unrolled.terms):
        return Paths(model, batch, target, start, stop)
    return RecurrentPaths(model, batch, target, start, stop, unrolled)
