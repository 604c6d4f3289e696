"""The inverse of a damped curvature in the span of its texts' gradients, from their products with each other.

With J the gradients of the outputs of n texts and UUᵀ the curvature of their losses in these, the Gauss-Newton matrix
of N texts is JᵀUUᵀJ/N, and (Woodbury)

    (JᵀUUᵀJ/N + λ)⁻¹ v = (v - JᵀU y/N)/λ    where    (UᵀPU/N + λ) y = UᵀJv    and    P = JJᵀ.

P does not depend on v. Where it is known, a step towards y reads no text: it is a product with a matrix that has a row
for each output of each text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.mech.curvature.factors import Factors
from exegesis.mech.curvature.products import GaussNewton, Losses, curved
from exegesis.protocols.budget import budget_for

SLAB = 1 << 26  # numbers of gradients that are written out together


@dataclass(frozen=True, eq=False)
class Side:
    """Texts as the sides of a matrix of products: their losses, the ``roots`` U of each text's curvature, and the
    ``slopes`` of its loss in its outputs."""

    losses: GaussNewton
    roots: Float[Tensor, "n k r"]
    slopes: Float[Tensor, "n k"]

    @classmethod
    def of(cls, losses: GaussNewton) -> Side:
        """The side of a mean loss."""
        found = []
        for number, (rows, _) in enumerate(losses.parts):
            raw, _ = losses.outputs(number)
            found.append((rows, losses.roots(number, raw).permute(1, 2, 0), losses.lead(number, raw)))
        rows = torch.cat([rows for rows, _, _ in found]).argsort()
        roots, slopes = (torch.cat([one[place] for one in found]) for place in (1, 2))
        return cls(losses, roots[rows], slopes[rows])

    def along(self, vectors: Float[Tensor, "q p"]) -> Float[Tensor, "q n k"]:
        """The products Jv of the texts' gradients with vectors."""
        made = vectors.new_zeros(len(vectors), *self.slopes.shape)
        for number, (rows, _) in enumerate(self.losses.parts):
            made[:, rows.to(made.device)] = self.losses.outputs(number)[1].times(vectors)
        return made


class Span:
    """The curvature of ``kept`` and ``added`` texts, each standing for so many of a set of ``whole`` texts.

    ``known`` are the products of the kept texts' gradients with each other; those of the added ones are made.
    """

    def __init__(
        self,
        kept: Side,
        known: Float[Tensor, "a a"],
        added: Side | None,
        standing: Float[Tensor, " n"],
        whole: float,
    ) -> None:
        self.sides = [kept] if added is None else [kept, added]
        self.known, self.whole = known, whole
        self.border = known[:0] if added is None else products(added.losses, kept.losses).to(known)
        self.corner = known[:0, :0] if added is None else products(added.losses).to(known)
        self.slopes = torch.cat([side.slopes for side in self.sides])
        self.count, self.numbers = self.slopes.shape
        scale = standing.to(known).sqrt()[:, None, None]
        self.roots = torch.cat([side.roots for side in self.sides]).to(known) * scale

    def along(self, vectors: Float[Tensor, "q p"]) -> Float[Tensor, "q n k"]:
        """The products Jv of all texts' gradients with vectors."""
        return torch.cat([side.along(vectors) for side in self.sides], 1)

    def start(self, along: Float[Tensor, "q n k"]) -> Float[Tensor, "q m"]:
        """The right side UᵀJv of the equation for y."""
        return torch.einsum("nkr,qnk->qnr", self.roots, along).flatten(1)

    def times(self, vectors: Float[Tensor, "q m"]) -> Float[Tensor, "q m"]:
        """UᵀPU y / N."""
        return self.start(self._spread(vectors)) / self.whole

    def solved(self, along: Float[Tensor, "q n k"], vectors: Float[Tensor, "q m"], damping: float) -> Tensor:
        """The products J(H + λ)⁻¹v of all texts' gradients with the solutions, ``[q, n, k]``, given Jv and y."""
        return (along - self._spread(vectors) / self.whole) / damping

    def residual(
        self, along: Float[Tensor, "q n k"], vectors: Float[Tensor, "q m"], damping: float, sizes: Float[Tensor, " q"]
    ) -> Float[Tensor, " q"]:
        """The share |(H + λ)h - v| / |v| that is left of vectors v, of lengths ``sizes``, given Jv and y."""
        left = self.start(along) - self.times(vectors) - damping * vectors
        squares = (left * self.times(left)).sum(1).clamp_min(0) / self.whole
        found: Tensor = squares.sqrt() / damping / sizes.clamp_min(torch.finfo(sizes.dtype).tiny)
        return found

    def mean_eigenvalue(self) -> float:
        """The mean of the eigenvalues, of those that the whole set can keep from being zero (see ``GaussNewton``)."""
        blocks = torch.cat([_diagonal(one, self.numbers) for one in (self.known, self.corner)])
        trace = float(torch.einsum("nkr,nkl,nlr->", self.roots, blocks, self.roots)) / self.whole
        return curved(trace) / min(self.whole * self.numbers, self.sides[0].losses.passes.layout.size)

    def _spread(self, vectors: Float[Tensor, "q m"]) -> Float[Tensor, "q n k"]:
        """P U y."""
        made = vectors.reshape(len(vectors), self.count, -1)
        made = torch.einsum("nkr,qnr->qnk", self.roots, made).flatten(1)
        first, second = made.tensor_split([len(self.known)], 1)
        upper = first @ self.known + second @ self.border
        lower = first @ self.border.t() + second @ self.corner
        return torch.cat([upper, lower], 1).reshape(len(vectors), self.count, self.numbers)


def products(first: Losses, second: Losses | None = None) -> Float[Tensor, "a b"]:
    """The products of the gradients of texts' outputs with those of others, by default with each other.

    A row for each output of each text of ``first``, a column for each of ``second``, those of a text side by side.
    """
    other = second or first
    made: Tensor | None = None
    for at, (rows, mine) in enumerate(_blocks(first)):
        for place, (columns, theirs) in enumerate(_blocks(other)):
            if second is None and place < at:
                continue
            part = of_factors(mine, mine if second is None and place == at else theirs)
            if made is None:
                made = part.new_zeros(first.count * mine[0].count, other.count * theirs[0].count)
            made[rows[:, None], columns] = part
            if second is None:
                made[columns[:, None], rows] = part.t()
    assert made is not None
    return made


def of_factors(first: Sequence[Factors], second: Sequence[Factors]) -> Float[Tensor, "a b"]:
    """The products of gradients in the order of their batches.

    Of a table only the rows that both sides read are multiplied; of other weights, slices of the gradients are written
    out, of one side at most ``SLAB`` numbers at a time and of the other those of a batch.
    """
    counts = [sum(one.texts * one.count for one in side) for side in (first, second)]
    made = first[0].like.new_zeros(counts)
    for name, shape in first[0].layout.shapes.items():
        if not all(any(one.uses(name) for one in side) for side in (first, second)):
            continue
        if all(one.table(name) for one in (*first, *second)):
            _add_rows(made, _by_row(first, name), _by_row(second, name))
            continue
        length, width = (shape[0], torch.Size(shape[1:]).numel()) if shape else (1, 1)
        step = max(1, SLAB // (counts[1] * width))
        for start in range(0, length, step):
            right = torch.cat([_written(one, name, start, start + step) for one in second])
            row = 0
            for one in first:
                stop = row + one.texts * one.count
                left = right[row:stop] if second is first else _written(one, name, start, start + step)
                made[row:stop].addmm_(left, right.t())
                row = stop
    return made


def _blocks(losses: Losses) -> Iterator[tuple[Int[Tensor, " a"], list[Factors]]]:
    """The gradients of texts' outputs, as many together as fit, with the numbers of their rows."""
    room, rows, found = budget_for("factors").numbers, list[Tensor](), list[Factors]()
    for number, (texts, _) in enumerate(losses.parts):
        factors = losses.outputs(number)[1]
        if found and sum(one.numbers for one in found) + factors.numbers > room:
            yield torch.cat(rows), found
            rows, found = [], []
        rows.append((texts[:, None] * factors.count + torch.arange(factors.count)).flatten())
        found.append(factors)
    if found:
        yield torch.cat(rows), found


def _written(factors: Factors, name: str, start: int, stop: int) -> Float[Tensor, "a f"]:
    """The gradients to a slice of a weight, a text's side by side."""
    return factors.each(name, start, stop).transpose(0, 1).flatten(0, 1).flatten(1)


Rows = tuple[Int[Tensor, " m"], Int[Tensor, " m"], Float[Tensor, "k m d"]]  # texts, rows of a table, gradients


def _by_row(side: Sequence[Factors], name: str) -> Rows:
    """The gradients to a table's rows, in the order of the rows."""
    texts, found = 0, list[Rows]()
    for one in side:
        owner, row, summed = one.by_row(name)
        found.append((owner + texts, row, summed))
        texts += one.texts
    rows = torch.cat([row for _, row, _ in found])
    order = rows.argsort(stable=True)
    owners, values = torch.cat([owner for owner, _, _ in found]), torch.cat([value for _, _, value in found], 1)
    return owners[order], rows[order], values[:, order]


def _add_rows(made: Float[Tensor, "a b"], first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> None:
    """Add the products of the gradients to the rows that both sides read."""
    left, right = _runs(first, second[1]), _runs(second, first[1])
    for (place, values), (other, theirs) in zip(left, right, strict=True):
        made[place[:, None], other] += values @ theirs.t()


def _runs(
    side: tuple[Tensor, ...], shared: Int[Tensor, " n"]
) -> Iterator[tuple[Int[Tensor, " g"], Float[Tensor, "g d"]]]:
    """The places and gradients of each row in turn, of those that are shared."""
    inside = torch.isin(side[1], shared)
    owners, rows, values = side[0][inside], side[1][inside], side[2][:, inside]
    count = len(values)
    sizes = torch.unique_consecutive(rows, return_counts=True)[1].tolist()
    places = torch.split(owners[:, None] * count + torch.arange(count, device=owners.device), sizes)
    for place, value in zip(places, torch.split(values.transpose(0, 1), sizes), strict=True):
        yield place.flatten(), value.flatten(0, 1)


def _diagonal(matrix: Float[Tensor, "a a"], count: int) -> Float[Tensor, "n k k"]:
    """The blocks of each text with itself."""
    at = torch.arange(len(matrix), device=matrix.device).reshape(-1, count)
    return matrix[at[:, :, None], at[:, None]]
