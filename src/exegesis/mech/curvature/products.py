"""Products of vectors with the curvature of a training loss: the Gauss-Newton matrix, or the Hessian itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.errors import ModelError
from exegesis.core.text import Text
from exegesis.mech.curvature.factors import Factors
from exegesis.mech.curvature.passes import Passes
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import budget_for
from exegesis.protocols.loss import curvature, loss, slope
from exegesis.protocols.target import Link

TOGETHER = 32  # vectors that a Hessian is multiplied with in one pass


class Product(Protocol):
    """A symmetric matrix that can be multiplied with vectors, over all texts or over a few."""

    def times(self, vectors: Float[Tensor, "q p"]) -> Float[Tensor, "q p"]: ...
    def batches(self) -> int: ...
    def of_batch(self, number: int, vectors: Float[Tensor, "q p"]) -> Float[Tensor, "q p"]: ...


class Losses:
    """The losses of labelled texts as a model sees them: their gradients, text by text, and their curvature.

    The outputs' gradients of all texts are kept from pass to pass as far as the budget allows. Of outputs that may be
    shifted together (those of a softmax) each but the last counts, less the last: one fewer, and the same loss.
    ``drift``, known after ``products``, is the length of the mean gradient by the mean length of a text's: zero at a
    minimum of the mean loss. ``gold[n]`` are numbers
    of classes (of a regression, values).
    """

    def __init__(self, passes: Passes, texts: Sequence[Text], gold: Float[Tensor, " n"]) -> None:
        self.passes, self.gold, self.count = passes, gold, len(texts)
        self.shifts = passes.model.link in (Link.SOFTMAX, Link.LOG_SOFTMAX)
        self.parts = list(passes.batches(texts))
        self.drift: float | None = None
        self._kept: dict[int, tuple[Tensor, Factors]] = {}
        self._room = budget_for("factors").numbers

    def golds(self, number: int) -> Float[Tensor, " b"]:
        """The gold numbers of a batch."""
        rows, batch = self.parts[number]
        return self.gold[rows].to(batch.device)

    def outputs(self, number: int) -> tuple[Float[Tensor, "b c"], Factors]:
        """The outputs of a batch, and the gradients of each output of each text (see the class)."""
        if number in self._kept:
            return self._kept[number]
        _, batch = self.parts[number]

        def each(raw: Tensor) -> Tensor:
            ones = torch.eye(raw.shape[1], dtype=raw.dtype, device=raw.device)
            ones = ones[:-1] - ones[-1:] if self.shifts else ones
            return ones[:, None].expand(-1, len(raw), -1)

        made = self.passes.factors(batch, each)
        if made[1].numbers <= self._room:
            self._room -= made[1].numbers
            self._kept[number] = made
        return made

    def bend(self, number: int, raw: Float[Tensor, "b c"]) -> Float[Tensor, "b k k"]:
        """The curvature of the loss of each text of a batch in its outputs (see the class)."""
        whole = curvature(raw, self.golds(number), self.passes.model.link)
        return whole[:, :-1, :-1] if self.shifts else whole

    def lead(self, number: int, raw: Float[Tensor, "b c"]) -> Float[Tensor, "b k"]:
        """The slope of the loss of each text of a batch in its outputs (see the class)."""
        whole = slope(raw, self.golds(number), self.passes.model.link)
        return whole[:, :-1] if self.shifts else whole

    def gradients(self) -> Iterator[tuple[Int[Tensor, " b"], Factors]]:
        """The gradient of each text's loss, batch by batch, with the numbers of the texts."""
        link = self.passes.model.link
        for number, (rows, batch) in enumerate(self.parts):
            if number in self._kept:
                raw, factors = self._kept[number]
                yield rows, factors.weighted(self.lead(number, raw)[None])
            else:
                yield rows, self.passes.factors(batch, partial(_slopes, self.golds(number), link))[1]

    def products(self, vectors: Float[Tensor, "q p"]) -> Float[Tensor, "q n"]:
        """The products of every text's gradient with vectors."""
        made = vectors.new_zeros(len(vectors), self.count)
        total, squares = torch.zeros_like(vectors[:1]), 0.0
        for rows, factors in self.gradients():
            made[:, rows.to(made.device)] = factors.times(vectors)[:, :, 0]
            if self.drift is None:
                total += factors.total(total.new_ones(1, len(rows), 1))
                squares += float(factors.squares().sum())
        if self.drift is None:
            self.drift = float(total.norm()) / max((squares * self.count) ** 0.5, 1e-300)
        return made


def _slopes(gold: Float[Tensor, " b"], link: Link, raw: Float[Tensor, "b c"]) -> Float[Tensor, "1 b c"]:
    return slope(raw, gold, link)[None]


class GaussNewton(Losses):
    """The mean over texts of Jᵀ Λ J: J the gradients of a text's outputs, Λ the curvature of its loss in them.

    It equals the Hessian where outputs are linear in the weights, and is never negative. With ``standing``, text n
    stands for so many of a larger set, whose mean it is then; the set has ``whole`` texts, by default the sum of these.
    """

    def __init__(
        self,
        passes: Passes,
        texts: Sequence[Text],
        gold: Float[Tensor, " n"],
        standing: Float[Tensor, " n"] | None = None,
        whole: int | None = None,
    ) -> None:
        super().__init__(passes, texts, gold)
        self.standing = standing
        self.whole = float(whole or (len(texts) if standing is None else standing.sum()))

    def bend(self, number: int, raw: Float[Tensor, "b c"]) -> Float[Tensor, "b k k"]:
        """The curvature of the loss of each text of a batch in its outputs (see the class), for all it stands for."""
        made = super().bend(number, raw)
        return made if self.standing is None else made * self.standing[self.parts[number][0]].to(made)[:, None, None]

    def times(self, vectors: Float[Tensor, "q p"]) -> Float[Tensor, "q p"]:
        """The product with vectors."""
        total = torch.zeros_like(vectors)
        for number in range(len(self.parts)):
            total += self._summed(number, vectors)
        return total / self.whole

    def batches(self) -> int:
        """The number of batches."""
        return len(self.parts)

    def of_batch(self, number: int, vectors: Float[Tensor, "q p"]) -> Float[Tensor, "q p"]:
        """The product with the matrix of one batch of texts, so scaled that the mean over batches is the whole matrix.

        (The mean over a batch's own texts would not do: batches have different sizes.)
        """
        return self._summed(number, vectors) * (len(self.parts) / self.whole)

    def mean_eigenvalue(self) -> float:
        """The mean of the eigenvalues, of those that n texts can keep from being zero. Raises ModelError if all are."""
        numbers = self.outputs(0)[1].count
        return curved(self.trace()) / min(self.whole * numbers, self.passes.layout.size)

    def trace(self) -> float:
        """The sum of the eigenvalues."""
        total = 0.0
        for number in range(len(self.parts)):
            raw, factors = self.outputs(number)
            total += float(factors.weighted(self.roots(number, raw)).squares().sum())
        return total / self.whole

    def roots(self, number: int, raw: Float[Tensor, "b c"]) -> Float[Tensor, "r b k"]:
        """Vectors u_r of each text of a batch of which Σ u_r u_rᵀ is the curvature of its loss in its outputs."""
        values, axes = torch.linalg.eigh(self.bend(number, raw))
        made: Tensor = axes * values.clamp_min(0).sqrt()[:, None]
        return made.permute(2, 0, 1)

    def _summed(self, number: int, vectors: Tensor) -> Tensor:
        raw, factors = self.outputs(number)
        bend = self.bend(number, raw)
        return factors.total(torch.einsum("bcd,qbd->qbc", bend, factors.times(vectors)))


def curved(trace: float) -> float:
    """The sum of the eigenvalues of a curvature, from which a damping can be taken. Raises ModelError if it is zero."""
    if trace > 0:
        return trace
    raise ModelError("the loss on the training texts has no curvature in the weights that count (the model is sure of "
                     "every text, or its outputs do not depend on them): give a damping above 0")  # fmt: skip


class Hessian(GaussNewton):
    """The second derivative of the mean loss to the weights, which may have negative eigenvalues."""

    def _summed(self, number: int, vectors: Tensor) -> Tensor:
        _, batch = self.parts[number]
        raw, watch = self.passes.run(batch, twice=True)
        total = loss(raw, self.golds(number), self.passes.model.link).sum()
        names = [name for name in self.passes.layout.shapes if name in watch.used]
        found = torch.autograd.grad(
            total, [watch.live[name] for name in names], create_graph=True, allow_unused=True, materialize_grads=True
        )
        parts = [vectors[start : start + TOGETHER] for start in range(0, len(vectors), TOGETHER)]
        return torch.cat([second(self.passes, watch.live, names, found, part) for part in parts])


def second(
    passes: Passes,
    live: Mapping[str, Tensor],
    names: Sequence[str],
    gradients: Sequence[Tensor],
    vectors: Float[Tensor, "q p"],
) -> Float[Tensor, "q p"]:
    """The gradients of gradients' products with vectors, all in one pass."""
    parts = passes.layout.split(vectors)
    depend = [(one, parts[name]) for one, name in zip(gradients, names, strict=True) if one.requires_grad]
    if not depend:
        return torch.zeros_like(vectors)
    outputs, slopes = zip(*depend, strict=True)
    together = len(vectors) > 1
    found = torch.autograd.grad(
        outputs, [live[name] for name in names], slopes if together else [slope[0] for slope in slopes],
        retain_graph=True, allow_unused=True, is_grads_batched=together,
    )  # fmt: skip
    made = {name: torch.zeros(len(vectors), *shape).to(vectors) for name, shape in passes.layout.shapes.items()}
    for name, gradient in zip(names, found, strict=True):
        if gradient is not None:
            made[name] = gradient if together else gradient[None]
    return passes.layout.joined(made)


def gradient_of(passes: Passes, batch: Batch, cotangents: Float[Tensor, "k c"]) -> Float[Tensor, "k p"]:
    """The gradients of k numbers of one text to the weights, written out."""
    _, factors = passes.factors(batch, lambda _: cotangents[:, None])
    return factors.dense()[:, 0]
