"""The curvature as a Kronecker product for each weight, with its own eigenvalues: EK-FAC (George et al. 2018).

Of a weight whose gradient is a sum of products of inputs and output gradients, the eigenvectors are taken to be those
of the inputs' and of the output gradients' second moments, one against each of the other (Martens and Grosse 2015);
positions without a gradient, such as padding, count in neither. The eigenvalues are then those that fit the
Gauss-Newton matrix best: its diagonal in these axes, which also makes up for positions of a text being added together,
as in recurrent layers. The bias of a linear map is one more column of its matrix, whose input is 1 (Martens and Grosse
2015, Sec. 2). A table of vectors needs axes for its columns alone. Scales, other shifts, and weights without factors
have a diagonal. Blocks of different weights are taken to be independent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import ModelError
from exegesis.mech.curvature.factors import Factors, Layout, Part
from exegesis.mech.curvature.products import GaussNewton, curved


@dataclass(frozen=True, eq=False)
class Block:
    """The curvature of one weight: axes of its outputs and of its inputs (columns), and the eigenvalues [out, in].

    A ``rows`` block has axes for the columns of a table only, a ``plain`` one has none. ``bias`` is the weight that is
    the last column of a ``linear`` one.
    """

    kind: Literal["linear", "rows", "plain"]
    values: Float[Tensor, ...]
    outputs: Float[Tensor, "o o"] | None = None
    inputs: Float[Tensor, "i i"] | None = None
    transposed: bool = False
    bias: str | None = None

    def turned(self, matrices: Float[Tensor, "q o i"], *, back: bool = False) -> Float[Tensor, "q o i"]:
        """Matrices in the block's axes, or back in their own."""
        assert self.outputs is not None
        assert self.inputs is not None
        if back:
            return self.outputs @ matrices @ self.inputs.t()
        return self.outputs.t() @ matrices @ self.inputs

    def solved(self, name: str, named: Mapping[str, Tensor], damping: float) -> dict[str, Tensor]:
        """Vectors ``[q, *shape]`` of the block's weight and bias, by name, times the inverse of the damped block."""
        vectors = named[name]
        if self.kind == "linear":
            flat = vectors.reshape(len(vectors), vectors.shape[1], -1)
            matrices = flat.transpose(1, 2) if self.transposed else flat
            if self.bias is not None:
                matrices = torch.cat([matrices, named[self.bias][..., None]], 2)
            made = self.turned(self.turned(matrices) / (self.values + damping), back=True)
            last = {} if self.bias is None else {self.bias: made[..., -1]}
            made = made if self.bias is None else made[..., :-1]
            return {name: (made.transpose(1, 2) if self.transposed else made).reshape(vectors.shape), **last}
        if self.kind == "rows":
            assert self.outputs is not None
            return {name: (vectors @ self.outputs) / (self.values + damping) @ self.outputs.t()}
        return {name: vectors / (self.values + damping)}


@dataclass(frozen=True, eq=False)
class Eigen:
    """The curvature of all weights, block by block; a bias that is a column of a block has none of its own."""

    layout: Layout
    blocks: dict[str, Block]

    @classmethod
    def of(cls, matrix: GaussNewton) -> Eigen:
        """Fit blocks to a Gauss-Newton matrix, in two rounds over the texts: axes, then eigenvalues."""
        axes = _axes(matrix)
        columns = {block.bias for block in axes.values()}
        names = [name for name in matrix.passes.layout.shapes if name not in columns]
        values: dict[str, Tensor] = {}
        for factors in _roots(matrix):
            for name in names:
                added = _squares(factors, name, axes.get(name)) / matrix.count
                values[name] = values[name] + added if name in values else added
        blocks = {}
        for name in names:
            blocks[name] = replace(axes.get(name, Block("plain", values[name])), values=values[name])
        return cls(matrix.passes.layout, blocks)

    def dampings(self, share: float) -> dict[str, float]:
        """A damping for each block: a share of its mean eigenvalue (Grosse et al. 2023, Sec. 2.2), or of that of all
        blocks for one without curvature. Raises ModelError if none has any."""
        whole = curved(self.trace()) / self.layout.size
        return {name: share * (float(block.values.mean()) or whole) for name, block in self.blocks.items()}

    def even(self, damping: float) -> dict[str, float]:
        """One damping for every block. Raises ModelError for none where an eigenvalue is zero."""
        flat = [name for name, block in self.blocks.items() if damping == 0 and bool((block.values == 0).any())]
        if flat:
            raise ModelError(f"the curvature in {flat[0]} is zero along some direction: give a damping above 0")
        return dict.fromkeys(self.blocks, damping)

    def solved(self, vectors: Float[Tensor, "q p"], damping: Mapping[str, float]) -> Float[Tensor, "q p"]:
        """Vectors times the inverse of the curvature, damped for each block."""
        named, made = self.layout.split(vectors), dict[str, Tensor]()
        for name, block in self.blocks.items():
            made |= block.solved(name, named, damping[name])
        return self.layout.joined(made)

    def diagonal(self, damping: Mapping[str, float]) -> Float[Tensor, " p"]:
        """The damping of every single weight."""
        each = dict[str, Tensor]()
        for name, block in self.blocks.items():
            for own in (name, *([] if block.bias is None else [block.bias])):
                each[own] = block.values.new_full((1, *self.layout.shapes[own]), damping[name])
        return self.layout.joined(each)[0]

    def lengths(self, factors: Factors, dampings: Mapping[str, float]) -> Float[Tensor, "k b"]:
        """gᵀ (H + λ)⁻¹ g of every gradient g, without writing it out in all weights at once."""
        total = torch.zeros(factors.count, factors.texts, dtype=torch.float64)
        for name, block in self.blocks.items():
            damping = dampings[name]
            parts = [part for part in factors.parts if part.weight == name]
            if block.kind == "plain" or not parts:
                found = (factors.each(name).square() / (block.values + damping)).flatten(2).sum(2)
            elif block.kind == "rows":
                keys, summed = _by_row(parts, block, factors)
                rows = len(block.values)
                weighted = (summed.square() / (block.values + damping)[keys % rows]).sum(2)
                found = weighted.new_zeros(factors.count, factors.texts).index_add_(1, keys // rows, weighted)
            else:
                each = [(_rotated(parts, block, factors, root).square() / (block.values + damping)).sum((1, 2))
                        for root in range(factors.count)]  # fmt: skip
                found = torch.stack(each)
            total += found.double().cpu()
        return total

    def trace(self) -> float:
        """The sum of the eigenvalues, which is that of the Gauss-Newton matrix."""
        return sum(float(block.values.sum()) for block in self.blocks.values())


def _roots(matrix: GaussNewton) -> Iterator[Factors]:
    """For each batch, gradients g_r of which the sum over texts and r of g_r g_rᵀ is the Gauss-Newton matrix."""
    for number in range(len(matrix.parts)):
        raw, factors = matrix.outputs(number)
        yield factors.weighted(matrix.roots(number, raw))


def _with_bias(part: Part, bias: str | None) -> Float[Tensor, "n i"]:
    """The inputs of a linear map, with a column of ones for its bias."""
    assert part.inputs is not None
    return part.inputs if bias is None else torch.cat([part.inputs, torch.ones_like(part.inputs[:, :1])], 1)


def _axes(matrix: GaussNewton) -> dict[str, Block]:
    """The axes of every weight that has some."""
    moments: dict[str, tuple[Part, Tensor, Tensor | None]] = {}
    kinds: dict[str, set[object]] = {}
    added: dict[str, list[str | None]] = {}  # the biases that were added to the outputs of each linear map
    shifts = list[str]()
    for factors in _roots(matrix):
        for name in factors.apart:
            kinds.setdefault(name, set()).add("apart")
        for part in factors.parts:
            kinds.setdefault(part.weight, set()).add((part.kind, part.transposed))
            shifts += [part.weight] if part.kind == "shift" else []
            if part.kind not in ("linear", "rows"):
                continue
            outer = torch.einsum("kno,knp->op", part.delta, part.delta)
            inner = None
            if part.kind == "linear":
                added.setdefault(part.weight, []).append(part.bias)
                read = _with_bias(part, part.weight) * (part.delta != 0).any(2).any(0)[:, None]
                inner = read.t() @ read
            if part.weight in moments and moments[part.weight][1].shape == outer.shape:
                _, before, under = moments[part.weight]
                outer, inner = before + outer, inner if inner is None or under is None else under + inner
            moments[part.weight] = (part, outer, inner)
    blocks = {}
    for name, (part, outer, inner) in moments.items():
        if len(kinds[name]) == 1 and part.kind != "scale":
            outputs = torch.linalg.eigh(outer)[1]
            bias = _column(name, added, shifts, kinds)
            inner = inner if bias is not None or inner is None else inner[:-1, :-1]
            inputs = None if inner is None else torch.linalg.eigh(inner)[1]
            kind: Literal["linear", "rows"] = "rows" if inputs is None else "linear"
            shape = matrix.passes.layout.shapes[name] if inputs is None else (len(outputs), len(inputs))
            blocks[name] = Block(kind, outer.new_zeros(shape), outputs, inputs, part.transposed, bias)
    return blocks


def _column(
    name: str, added: Mapping[str, list[str | None]], shifts: Sequence[str], kinds: Mapping[str, set[object]]
) -> str | None:
    """The bias that is a column of a matrix: one that is added to all its outputs, and to nothing else."""
    found = added.get(name, [None])
    bias = found[0]
    if bias is None or found.count(bias) < len(found) or len(kinds[bias]) > 1 or shifts.count(bias) != len(found):
        return None
    return bias


def _squares(factors: Factors, name: str, block: Block | None) -> Tensor:
    """The sum over texts of the squares of their gradients to a weight, in a block's axes."""
    if block is None:
        return factors.each(name).square().sum((0, 1))
    parts = [part for part in factors.parts if part.weight == name]
    if not parts:
        return torch.zeros_like(block.values)
    if block.kind == "rows":
        return _row_squares(parts, block, factors)
    total = torch.zeros_like(block.values)
    for root in range(factors.count):
        total += _rotated(parts, block, factors, root).square().sum(0)
    return total


def _rotated(parts: list[Part], block: Block, factors: Factors, root: int) -> Float[Tensor, "b o i"]:
    """One gradient of every text to a matrix, in a block's axes."""
    assert block.inputs is not None
    assert block.outputs is not None
    whole = block.values.new_zeros(factors.texts, *block.values.shape)
    for part in parts:
        delta = part.padded(part.delta[root : root + 1] @ block.outputs, factors.texts)[0]
        inputs = part.padded((_with_bias(part, block.bias) @ block.inputs)[None], factors.texts)[0]
        whole += delta.transpose(1, 2) @ inputs
    return whole


def _row_squares(parts: list[Part], block: Block, factors: Factors) -> Float[Tensor, "v d"]:
    """Those of a table."""
    keys, summed = _by_row(parts, block, factors)
    rows, width = factors.layout.shapes[parts[0].weight]
    return summed.new_zeros(rows, width).index_add_(0, keys % rows, summed.square().sum(0))


def _by_row(parts: list[Part], block: Block, factors: Factors) -> tuple[Tensor, Float[Tensor, "k u d"]]:
    """What each text adds to each row of a table, in the block's axes, before it is squared; text · rows + row."""
    rows, width = factors.layout.shapes[parts[0].weight]
    assert block.outputs is not None
    keys = torch.cat([part.owner * rows + part.inputs for part in parts if part.inputs is not None])
    turned = torch.cat([part.delta for part in parts], 1) @ block.outputs
    found, at = torch.unique(keys, return_inverse=True)
    return found, turned.new_zeros(len(turned), len(found), width).index_add_(1, at, turned)
