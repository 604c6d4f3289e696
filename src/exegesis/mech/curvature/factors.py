"""Gradients of the texts of a batch as factors: never written out, but multiplied, added up, or put into a matrix.

The gradient of a text's number to a matrix of weights is a sum over positions of the gradient at the output there times
the input there. A product with a vector, or a weighted sum over texts, needs the factors alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.mech.curvature.watch import Kind


@dataclass(frozen=True)
class Layout:
    """The places of weights, by name, in a vector of all of them."""

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def size(self) -> int:
        """The number of weights."""
        return sum(torch.Size(shape).numel() for shape in self.shapes.values())

    def slices(self) -> dict[str, slice]:
        """The range of each weight."""
        found, start = {}, 0
        for name, shape in self.shapes.items():
            stop = start + torch.Size(shape).numel()
            found[name], start = slice(start, stop), stop
        return found

    def split(self, vectors: Float[Tensor, "q p"]) -> dict[str, Tensor]:
        """Vectors as weights by name, ``[q, *shape]``."""
        return {
            name: vectors[:, part].reshape(len(vectors), *self.shapes[name]) for name, part in self.slices().items()
        }

    def joined(self, weights: Mapping[str, Tensor]) -> Float[Tensor, "q p"]:
        """Weights by name, ``[q, *shape]``, as vectors."""
        return torch.cat([weights[name].reshape(len(weights[name]), -1) for name in self.shapes], 1)


@dataclass(frozen=True, eq=False)
class Part:
    """The factors of one use of a weight: ``delta[k, n, ...]`` the gradients of k numbers at n positions, ``owner[n]``
    the row of the text that a position belongs to, ``inputs`` and ``bias`` as in ``Use``; each position's gradient is
    their product."""

    weight: str
    kind: Kind
    owner: Int[Tensor, " n"]
    delta: Float[Tensor, "k n ..."]
    inputs: Tensor | None = None
    transposed: bool = False
    bias: str | None = None

    @property
    def size(self) -> float:
        """A bound of the numbers that the gradients of its positions hold."""
        inputs = 1.0 if self.inputs is None or self.kind == "rows" else float(self.inputs.abs().max())
        return float(self.delta.abs().max()) * inputs if self.delta.numel() else 0.0

    def times(self, vectors: Float[Tensor, "q ..."]) -> Float[Tensor, "q k n"]:
        """The product of each position's gradient with each vector."""
        if self.kind == "linear":
            assert self.inputs is not None
            matrices = self._matrices(vectors)
            return _along(self.inputs @ matrices.transpose(1, 2), self.delta)
        if self.kind == "rows":
            return _along(vectors[:, self.inputs], self.delta)
        return self._gradients().flatten(2).matmul(vectors.flatten(1).t()).permute(2, 0, 1)

    def total(self, weights: Float[Tensor, "q k n"], shape: Sequence[int]) -> Float[Tensor, "q ..."]:
        """The weighted sums of the positions' gradients."""
        if self.kind == "linear":
            assert self.inputs is not None
            summed = _mixed(weights, self.delta)
            made = summed.transpose(1, 2) @ self.inputs
            return (made.transpose(1, 2) if self.transposed else made).reshape(len(weights), *shape)
        if self.kind == "rows":
            assert self.inputs is not None
            summed = _mixed(weights, self.delta)
            return summed.new_zeros(len(weights), *shape).index_add_(1, self.inputs, summed)
        gradients = self._gradients().flatten(2)
        return torch.einsum("qkn,knf->qf", weights, gradients).reshape(len(weights), *shape)

    def sliced(self, start: int, stop: int) -> Part:
        """The factors of a slice of the weight's first axis."""
        if self.kind == "rows":
            assert self.inputs is not None
            inside = (self.inputs >= start) & (self.inputs < stop)
            own, inputs = self.owner[inside], self.inputs[inside] - start
            return replace(self, owner=own, delta=self.delta[:, inside], inputs=inputs)
        if self.kind == "linear" and self.transposed:
            assert self.inputs is not None
            return replace(self, inputs=self.inputs[:, start:stop])
        delta = self.delta[:, :, start:stop]
        if self.inputs is None or self.kind == "linear":
            return replace(self, delta=delta)
        return replace(self, delta=delta, inputs=self.inputs[:, start:stop])

    def each(self, texts: int, shape: Sequence[int]) -> Float[Tensor, "k b ..."]:
        """The gradient of each text, written out."""
        count = len(self.delta)
        if self.kind == "linear":
            assert self.inputs is not None
            delta, inputs = self.padded(self.delta, texts), self.padded(self.inputs[None], texts)[0]
            made = torch.einsum("kbto,bti->kboi", delta, inputs)
            made = made.transpose(2, 3) if self.transposed else made
            return made.reshape(count, texts, *shape)
        if self.kind == "rows":
            assert self.inputs is not None
            made = self.delta.new_zeros(count, texts * shape[0], *shape[1:])
            made.index_add_(1, self.owner * shape[0] + self.inputs, self.delta)
            return made.reshape(count, texts, *shape)
        gradients = self._gradients()
        made = gradients.new_zeros(count, texts, *gradients.shape[2:])
        return made.index_add_(1, self.owner, gradients).reshape(count, texts, *shape)

    def padded(self, values: Float[Tensor, "k n f"], texts: int) -> Float[Tensor, "k b t f"]:
        """Values of positions by text, filled up with zeros."""
        order = torch.argsort(self.owner, stable=True)
        counts = torch.bincount(self.owner, minlength=texts)
        width = int(counts.max())
        if bool((counts == width).all()):
            return values[:, order].reshape(len(values), texts, width, values.shape[-1])
        starts = counts.cumsum(0) - counts
        rows = self.owner[order]
        made = values.new_zeros(len(values), texts * width, values.shape[-1])
        made[:, rows * width + torch.arange(len(rows), device=rows.device) - starts[rows]] = values[:, order]
        return made.reshape(len(values), texts, width, values.shape[-1])

    def _matrices(self, vectors: Tensor) -> Float[Tensor, "q o i"]:
        """Vectors as matrices, outputs first, of a weight of any shape."""
        flat = vectors if vectors.dim() == 3 else vectors.reshape(len(vectors), vectors.shape[1], -1)
        return flat.transpose(1, 2) if self.transposed else flat

    def _gradients(self) -> Float[Tensor, "k n ..."]:
        """The gradients of positions to a scale or a shift."""
        return self.delta if self.inputs is None else self.delta * self.inputs


@dataclass(frozen=True, eq=False)
class Factors:
    """The gradients of k numbers of each of b texts to the weights of a layout.

    ``apart`` has those of weights whose gradients have no factors, written out, ``[k, b, *shape]``.
    """

    layout: Layout
    texts: int
    count: int
    parts: tuple[Part, ...]
    apart: Mapping[str, Tensor]

    @property
    def like(self) -> Tensor:
        """One of the tensors held, for its type and device."""
        return next(iter((*self.apart.values(), *(part.delta for part in self.parts))))

    @property
    def numbers(self) -> int:
        """How many numbers are held."""
        held = {id(value): value for part in self.parts for value in (part.delta, part.inputs) if value is not None}
        return sum(value.numel() for value in (*held.values(), *self.apart.values()))

    def times(self, vectors: Float[Tensor, "q p"]) -> Float[Tensor, "q b k"]:
        """The products of every text's gradients with vectors."""
        named = self.layout.split(vectors)
        made = vectors.new_zeros(len(vectors), self.count, self.texts)
        for part in self.parts:
            made.index_add_(2, part.owner, part.times(named[part.weight]))
        for name, gradients in self.apart.items():
            made += torch.einsum("qf,kbf->qkb", named[name].flatten(1), gradients.flatten(2))
        return made.transpose(1, 2)

    def total(self, weights: Float[Tensor, "q b k"]) -> Float[Tensor, "q p"]:
        """The sums of the gradients of all texts, weighted; ``times`` turned around."""
        turned = weights.transpose(1, 2)
        named = {name: turned.new_zeros(len(weights), *shape) for name, shape in self.layout.shapes.items()}
        for part in self.parts:
            named[part.weight] += part.total(turned[:, :, part.owner], self.layout.shapes[part.weight])
        for name, gradients in self.apart.items():
            named[name] += torch.einsum("qkb,kbf->qf", turned, gradients.flatten(2)).reshape(named[name].shape)
        return self.layout.joined(named)

    def each(self, name: str, start: int = 0, stop: int | None = None) -> Float[Tensor, "k b ..."]:
        """Every text's gradient to one weight, or to a slice of its first axis, written out."""
        shape = self.layout.shapes[name]
        part_of = bool(shape) and (start > 0 or (stop is not None and stop < shape[0]))
        if name in self.apart:
            return self.apart[name][:, :, start:stop] if part_of else self.apart[name]
        parts = [part for part in self.parts if part.weight == name]
        if part_of:
            stop = min(shape[0], shape[0] if stop is None else stop)
            shape = (stop - start, *shape[1:])
            parts = [part.sliced(start, stop) for part in parts]
        made = [part.each(self.texts, shape) for part in parts]
        if len(made) == 1:
            return made[0]
        if made:
            return torch.stack(made).sum(0)
        return self.like.new_zeros(self.count, self.texts, *shape)

    def dense(self) -> Float[Tensor, "k b p"]:
        """Every text's gradient as a vector of all weights."""
        return torch.cat([self.each(name).flatten(2) for name in self.layout.shapes], 2)

    def squares(self) -> Float[Tensor, "k b"]:
        """The squared length of every gradient, without writing it out where one use of the weight makes it."""
        found = list[Tensor]()
        for name in self.layout.shapes:
            parts = [part for part in self.parts if part.weight == name]
            if len(parts) == 1 and parts[0].kind == "linear":
                found.append(self._gram(parts[0]))
            elif parts and self.table(name):
                owner, _, summed = self.by_row(name)
                squares = summed.new_zeros(self.count, self.texts)
                found.append(squares.index_add_(1, owner, summed.square().sum(-1)))
            else:
                found.append(self.each(name).flatten(2).square().sum(2))
        return torch.stack(found).sum(0)

    def _gram(self, part: Part) -> Float[Tensor, "k b"]:
        """The squared length of Σ_t δ_t ⊗ a_t: Σ_{t,t'} (δ_t · δ_t')(a_t · a_t')."""
        assert part.inputs is not None
        delta, inputs = part.padded(part.delta, self.texts), part.padded(part.inputs[None], self.texts)
        return ((delta @ delta.transpose(2, 3)) * (inputs @ inputs.transpose(2, 3))).sum((2, 3))

    def uses(self, name: str) -> bool:
        """True if the numbers depend on a weight."""
        return name in self.apart or any(part.weight == name for part in self.parts)

    def table(self, name: str) -> bool:
        """True for a weight of which nothing but rows is read."""
        return name not in self.apart and all(part.kind == "rows" for part in self.parts if part.weight == name)

    def by_row(self, name: str) -> tuple[Int[Tensor, " m"], Int[Tensor, " m"], Float[Tensor, "k m d"]]:
        """The gradients to the rows of a table that each text reads, those that repeat in a text added up: the text,
        the row, and the gradient of each number."""
        parts = [part for part in self.parts if part.weight == name]
        if not parts:
            none = torch.zeros(0, dtype=torch.long, device=self.like.device)
            return none, none, self.like.new_zeros(self.count, 0, *self.layout.shapes[name][1:])
        length = self.layout.shapes[name][0]
        asked = torch.cat([part.owner * length + part.inputs for part in parts if part.inputs is not None])
        delta = torch.cat([part.delta for part in parts], 1)
        keys, at = torch.unique(asked, return_inverse=True)
        summed = delta.new_zeros(self.count, len(keys), delta.shape[-1]).index_add_(1, at, delta)
        return torch.div(keys, length, rounding_mode="floor"), keys % length, summed

    def weighted(self, weights: Float[Tensor, "j b k"]) -> Factors:
        """The gradients of j sums of the k numbers of each text: Jᵀw without writing J out."""
        parts = tuple(
            replace(part, delta=_mixed(weights[:, part.owner].transpose(1, 2), part.delta)) for part in self.parts
        )
        apart = {name: _mixed(weights.transpose(1, 2), value) for name, value in self.apart.items()}
        return Factors(self.layout, self.texts, len(weights), parts, apart)


def _along(first: Float[Tensor, "q n f"], second: Float[Tensor, "k n f"]) -> Float[Tensor, "q k n"]:
    """The products of vectors at the same position. (As a batched product, each position would be one by itself.)"""
    return torch.stack([torch.stack([(one * other).sum(-1) for other in second]) for one in first])


def _mixed(weights: Float[Tensor, "q k n"], values: Float[Tensor, "k n ..."]) -> Float[Tensor, "q n ..."]:
    """Sums over k of values that are weighted position by position."""
    shaped = weights.reshape(*weights.shape, *[1] * (values.dim() - 2))
    return torch.stack([sum(w * value for w, value in zip(one, values, strict=True)) for one in shaped])
