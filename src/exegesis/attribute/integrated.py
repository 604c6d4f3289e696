"""Integrated gradients, with as many points as the stated tolerance needs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.batch import Batch
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.method import Scores, method
from exegesis.core.model import Differentiable
from exegesis.core.target import Target
from exegesis.mech.sensitivity import chunks, gradients


@method(
    "integrated-gradients",
    question="which words?",
    summary="gradient along the straight path from a baseline, times the difference from it",
    paper="Sundararajan et al., Axiomatic Attribution for Deep Networks",
    year=2017,
    complete=True,
)
@dataclass(frozen=True)
class IntegratedGradients:
    """A word's share of the difference between the number at the text and at a baseline (Eq. 1 of the paper).

    Identity (completeness): words + value at the baseline = the number, up to the ``gap`` that the result carries.
    The integral is taken by Gauss-Legendre quadrature; the number of points doubles from ``points``, for the texts
    that need it, until the gap is at most ``tolerance`` times the larger of 1 and the difference from the baseline,
    or ``limit`` is reached (``details["converged"]`` is then false; ``details["points"]`` tells the points used).

    ``baseline``: ``zero`` vectors (the REAT paper's), or the vectors of ``pad``, ``unknown`` or ``mask`` tokens, or
    ``text:...``: any text, whose pieces stand at the same positions, cut or filled up with pad tokens to the length.
    Special pieces ([CLS], [SEP]) stand in the baseline as they are and so score zero.
    """

    baseline: str = "zero"
    tolerance: float = 1e-3
    points: int = 8
    limit: int = 1024

    def __post_init__(self) -> None:
        if not self.baseline.startswith("text:") and self.baseline not in ("zero", "pad", "unknown", "mask"):
            raise UsageError(
                f"unknown baseline {self.baseline!r} (known: zero, pad, unknown, mask, text:SOME OTHER TEXT)"
            )
        if not 1 <= self.points <= self.limit or self.tolerance <= 0:
            raise UsageError("integrated-gradients needs 1 <= points <= limit and tolerance > 0")

    def __call__(self, model: Differentiable, batch: Batch, target: Target) -> Scores:
        vectors = model.embed(batch)
        start = self._start(model, batch, vectors)
        step = vectors - start
        with torch.no_grad():
            first = target.of(model.outputs_from(start, batch))
            last = target.of(model.outputs_from(vectors, batch))
        bound = self.tolerance * (last - first).abs().clamp_min(1.0)
        scores = vectors.new_zeros(len(batch), target.count, vectors.shape[1])
        used = torch.zeros(len(batch), dtype=torch.long)
        open_rows, points = torch.arange(len(batch)), self.points
        while len(open_rows):
            scores[open_rows] = self._integrate(model, start, step, batch, target, open_rows, points)
            used[open_rows] = points
            gap = (last - first - scores.sum(-1)).abs()
            missed = (gap > bound).any(1).cpu()
            open_rows = open_rows[missed[open_rows]]
            if points >= self.limit:
                break
            points = min(2 * points, self.limit)
        late = set(open_rows.tolist())
        details = [{"points": int(n), "converged": row not in late} for row, n in enumerate(used)]
        return Scores(scores, {"value at the baseline": first}, details)

    def _start(self, model: Differentiable, batch: Batch, vectors: Float[Tensor, "b t d"]) -> Float[Tensor, "b t d"]:
        special = torch.zeros_like(batch.mask)
        for row, text in enumerate(batch.texts):
            special[row, : len(text)] = torch.tensor(text.special, dtype=torch.bool)
        keep = special | ~batch.mask
        if self.baseline == "zero":
            return torch.where(keep[..., None], vectors, torch.zeros_like(vectors))
        if not self.baseline.startswith("text:"):
            if self.baseline not in model.tokens:
                raise UnsupportedError(f"the model's vocabulary has no {self.baseline} token to take as a baseline")
            ids = torch.full_like(batch.ids, model.tokens[self.baseline])
        else:
            other = model.read(self.baseline.removeprefix("text:"))
            plain = [i for i, flag in zip(other.ids, other.special, strict=True) if not flag]
            ids = torch.full_like(batch.ids, model.tokens["pad"])
            for row in range(len(batch)):
                places = (~keep[row]).nonzero()[: len(plain), 0]
                ids[row, places] = torch.tensor(plain[: len(places)], device=ids.device)
        return model.embed(replace(batch, ids=torch.where(keep, batch.ids, ids)))

    def _integrate(
        self,
        model: Differentiable,
        start: Float[Tensor, "b t d"],
        step: Float[Tensor, "b t d"],
        batch: Batch,
        target: Target,
        rows: Tensor,
        points: int,
    ) -> Float[Tensor, "n k t"]:
        """The path integral of some rows: every pair of row and point is a row of a pooled batch."""
        nodes, weights = np.polynomial.legendre.leggauss(points)
        alphas = torch.from_numpy((nodes + 1) / 2).to(step)
        shares = torch.from_numpy(weights / 2).to(step)
        found = step.new_zeros(len(rows), target.count, step.shape[1])
        for part in chunks(len(rows) * points, int(batch.lengths[rows].max())):
            owner, point = part // points, (part % points).to(step.device)
            row = rows[owner]
            rest, index = batch.take(row), row.to(step.device)
            width = rest.ids.shape[1]
            at = start[index, :width] + alphas[point, None, None] * step[index, :width]
            _, slope = gradients(model, at, rest, target.take(row))
            share = (slope * step[index, None, :width]).sum(-1) * shares[point, None, None]
            found[:, :, :width].index_add_(0, owner.to(step.device), share)
        return found
