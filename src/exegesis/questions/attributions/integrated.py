"""Integrated gradients, with as many points as the tolerance needs (Sundararajan, Taly & Yan 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.core.parameters import above, at_least
from exegesis.engine.methods import BACKWARD, Scores, method
from exegesis.mech.baseline import Baseline, with_numbers
from exegesis.mech.gradients.path import Paths, paths
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import budget_for
from exegesis.protocols.model import Differentiable
from exegesis.protocols.target import Target

BENT = 8  # panels of a path that bends, in the statement of the cost


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
    """A word's share of the difference between the number at the text and at a baseline, in its units (Eq. 1).

    Identity (completeness): words + value at the baseline = the number, up to the ``gap`` of the result.

    The path is cut into panels, each integrated by Gauss-Legendre quadrature with ``points`` points. Completeness holds
    for every panel by itself, so its error is known: the panels with the largest gaps are halved until the absolute
    gaps of a text sum to at most ``tolerance`` times the larger of 1 and its difference from the baseline, or until the
    next halving would need more than ``limit`` points (``details["converged"]`` is then false). ``details["points"]``
    is the number of points of the integral.

    ``baseline``: ``zero`` vectors (the REAT paper's), or the vectors of ``pad``, ``unknown`` or ``mask`` tokens, or
    ``text:...``, any text at the same positions, cut or filled up with pad tokens to the length. Special pieces ([CLS],
    [SEP]) are the same in the baseline and so score zero. Where the model gives no number at vectors of zeros (it
    divides by their length, say) the baseline is the unknown word, and ``details["baseline"]`` says so.

    Raises UsageError if ``points`` exceeds ``limit``, UnsupportedError if the vocabulary has no such token, ModelError
    if the number at the baseline is NaN or infinite.
    """

    baseline: Baseline = "zero"
    tolerance: Annotated[float, above(0)] = 1e-3
    points: Annotated[int, at_least(1)] = 4
    limit: Annotated[int, at_least(1)] = 1024

    def __post_init__(self) -> None:
        if self.points > self.limit:
            raise UsageError(f"limit must be at least points, which are {self.points}, not {self.limit}")

    def __call__(self, model: Differentiable, batch: Batch, target: Target) -> Scores:
        vectors = model.embed(batch)
        all_rows, path = torch.arange(len(batch)), paths(model, batch, target, vectors, vectors)

        def begun(base: Tensor) -> Float[Tensor, "b k"]:
            nonlocal path
            path = paths(model, batch, target, base, vectors)
            return path.numbers(all_rows, torch.zeros(len(batch)))

        _, first, noted = with_numbers(model, batch, vectors, self.baseline, begun)
        last = path.numbers(all_rows, torch.ones(len(batch)))
        bound = self.tolerance * (last - first).abs().amax(1).clamp_min(1.0).cpu().double()
        fresh = [_Panel(row, 0.0, 1.0, first[row], last[row]) for row in range(len(batch))]
        done: list[list[_Panel]] = [[] for _ in range(len(batch))]
        converged = [True] * len(batch)
        while fresh:
            self._integrate(path, fresh)
            for panel in fresh:
                done[panel.row].append(panel)
            coarse: list[_Panel] = []
            for row in sorted({panel.row for panel in fresh}):
                split = _largest(done[row], float(bound[row]))
                if (len(done[row]) + len(split)) * self.points > self.limit:
                    converged[row], split = False, []
                done[row] = [panel for panel in done[row] if panel not in split]
                coarse += split
            fresh = _halve(path, coarse)
        scores = torch.stack([torch.stack([p.share for p in panels]).sum(0) for panels in done])
        details = [
            {"points": self.points * len(panels), "converged": good, **note}
            for panels, good, note in zip(done, converged, noted, strict=True)
        ]
        return Scores(scores, {"value at the baseline": first}, details)

    def passes(self, words: int, numbers: int) -> int:
        """The text and its baseline, and those of a gradient at each point, of as many points as a bent path takes."""
        return 2 + min(self.limit, BENT * self.points) * (1 + BACKWARD * numbers)

    def _integrate(self, path: Paths, panels: Sequence[_Panel]) -> None:
        """Compute the shares and gaps of panels, in place."""
        nodes, weights = np.polynomial.legendre.leggauss(self.points)
        at = torch.from_numpy((nodes + 1) / 2)
        share = torch.from_numpy(weights / 2)
        step = budget_for("panels", path.batch.device).rows
        for part in (panels[i : i + step] for i in range(0, len(panels), step)):
            start = torch.tensor([panel.start for panel in part], dtype=torch.float64)[:, None]
            width = torch.tensor([panel.stop - panel.start for panel in part], dtype=torch.float64)[:, None]
            rows = torch.tensor([panel.row for panel in part]).repeat_interleave(self.points)
            shares = path.shares(rows, (start + width * at).flatten())
            weight = (width * share).flatten().to(shares)[:, None, None]
            sums = (shares * weight).reshape(len(part), self.points, *shares.shape[1:]).sum(1)
            for panel, integral in zip(part, sums, strict=True):
                panel.share = integral
                panel.gap = float((panel.last - panel.first - integral.sum(-1)).abs().max())


@dataclass(eq=False)
class _Panel:
    """A part of a text's path: the number at its ends, its integral, and the gap that the integral leaves."""

    row: int
    start: float
    stop: float
    first: Float[Tensor, " k"]
    last: Float[Tensor, " k"]
    share: Float[Tensor, "k t"] = field(default_factory=lambda: torch.zeros(0, 0))
    gap: float = 0.0


def _largest(panels: Sequence[_Panel], bound: float) -> list[_Panel]:
    """The panels to halve: those with the largest gaps, so that the rest sum to half of the bound; none if all fit."""
    if sum(panel.gap for panel in panels) <= bound:
        return []
    ranked = sorted(panels, key=lambda panel: panel.gap)
    total, keep = 0.0, 0
    while keep < len(ranked) - 1 and total + ranked[keep].gap <= bound / 2:
        total += ranked[keep].gap
        keep += 1
    return ranked[keep:]


def _halve(path: Paths, panels: Sequence[_Panel]) -> list[_Panel]:
    if not panels:
        return []
    middles = [(panel.start + panel.stop) / 2 for panel in panels]
    rows = torch.tensor([panel.row for panel in panels])
    numbers = path.numbers(rows, torch.tensor(middles, dtype=torch.float64))
    halves = []
    for panel, middle, number in zip(panels, middles, numbers, strict=True):
        halves.append(_Panel(panel.row, panel.start, middle, panel.first, number))
        halves.append(_Panel(panel.row, middle, panel.stop, number, panel.last))
    return halves
