"""FastIF: influence functions of the nearest training texts alone, with an inverse that is tuned."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Float, Int
from scipy import stats
from torch import Tensor

from exegesis.core.parameters import above, at_least, at_most
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import GaussNewton, Losses
from exegesis.mech.curvature.solve import conjugate_gradients
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.functions import LIFT
from exegesis.questions.sources.method import Queries, Scored, Training, method
from exegesis.questions.sources.nearest import nearest, representations

FIRST_TEXTS, FIRST_STEPS = 128, 4  # of the inverse, where tuning begins


@method(
    "fast-influence",
    summary="influence functions, of the nearest training texts only, with a tuned inverse",
    unit="change of the explained number that the text is responsible for: leaving it out would take it away",
    paper="Guo et al., FastIF: Scalable Influence Functions for Efficient Model Interpretation and Debugging",
    year=2021,
)
@dataclass(frozen=True)
class FastInfluence:
    """Influence functions (see ``influence-functions``) of the ``k`` nearest training texts; the others have NaN.

    First neighbours, by L2 distance in the vector that the last linear layer reads. Half of the k are the nearest with
    the label that the number speaks for, half the nearest with others: of the predicted label alone, as in the paper,
    texts that hurt would be missed. Then the inverse, by conjugate gradients on the Gauss-Newton matrix of a sample of
    the training texts. Sample and steps are tuned on the first text asked for: they are doubled until the ranks of its
    scores agree with those of half the effort (Spearman, at least ``agreement``); ``details`` has what was taken, and
    the seconds of tuning. Then the scores of the candidates in batches. With ``k`` of all texts and ``agreement`` 1 it
    comes to the numbers of the full run with so many steps.

    ``damping`` is as for ``influence-functions``. Of the texts that matter most, those outside the k are missed.
    """

    k: Annotated[int, at_least(2)] = 200
    damping: Annotated[float, at_least(0)] | None = None
    agreement: Annotated[float, above(0), at_most(1)] = 0.98
    iterations: Annotated[int, at_least(1)] = 50
    weights: str = ""
    seed: Annotated[int, at_least(0)] = 0

    def __call__(self, model: Trained, training: Training, queries: Queries) -> Scored:
        passes = Passes(model, self.weights.split())
        distances = torch.cdist(
            representations(passes, queries.texts).double(), representations(passes, training.texts).double()
        )
        labels = queries.classes.cpu()
        chosen = [self.candidates(row, training, float(label)) for row, label in zip(distances, labels, strict=True)]
        draws = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(training), generator=draws)
        inverse = _Inverse(passes, training, order, self.damping)
        asked = queries.gradients(passes, range(len(queries.texts)))
        start = time.perf_counter()
        texts, steps = self.tuned(inverse, asked[:1], _losses(passes, training, chosen[0]))
        tuning = time.perf_counter() - start
        solutions, left = inverse(asked, texts, steps)
        union = torch.unique(torch.cat(chosen))
        scores = -_losses(passes, training, union).products(solutions / len(training))
        values = torch.full((len(asked), len(training)), torch.nan, dtype=torch.float64)
        for row, numbers in enumerate(chosen):
            values[row, numbers] = scores[row, torch.searchsorted(union, numbers)].double().cpu()
        details: list[dict[str, Any]] = [
            {"candidates": len(numbers), "sample": texts, "steps": steps, "residual": rest,
             "damping": inverse.damping, "tuning_seconds": tuning}
            for numbers, rest in zip(chosen, left.tolist(), strict=True)
        ]  # fmt: skip
        notes = [
            (f"The inverse is that of {texts:,} texts in {steps} steps, tuned in {tuning:.1f} s.",) for _ in details
        ]
        return Scored(values, details, notes)

    def candidates(self, distances: Float[Tensor, " n"], training: Training, label: float) -> Int[Tensor, " k"]:
        """The nearest texts with a label, and as many of the nearest with others."""
        count = min(self.k, len(training))
        same = training.gold == label
        halves = [
            nearest(distances.masked_fill(~side, torch.inf)[None], int(side.sum()))[1][0] for side in (same, ~same)
        ]
        first = max(count - len(halves[1]), -(-count // 2))
        first = min(first, len(halves[0]))
        return torch.cat([halves[0][:first], halves[1][: count - first]]).sort().values

    def tuned(self, inverse: _Inverse, vector: Float[Tensor, "1 p"], losses: Losses) -> tuple[int, int]:
        """The texts and steps of an inverse with which the ranks of scores no longer change."""
        texts, steps, before = min(FIRST_TEXTS, inverse.count), min(FIRST_STEPS, self.iterations), None
        while True:
            scores = losses.products(inverse(vector, texts, steps)[0])[0].double().cpu().numpy()
            full = texts == inverse.count and steps == self.iterations
            if before is not None and self.agreement < 1 and len(scores) > 1:
                rank = float(stats.spearmanr(before, scores)[0])
                if rank >= self.agreement:
                    return texts, steps
            if full:
                return texts, steps
            before, texts, steps = scores, min(2 * texts, inverse.count), min(2 * steps, self.iterations)


class _Inverse:
    """The damped inverse of the curvature of the first texts of an order; the damping is that of the first sample."""

    def __init__(self, passes: Passes, training: Training, order: Int[Tensor, " n"], damping: float | None) -> None:
        self.passes, self.training, self.order, self.count = passes, training, order, len(order)
        self.given, self.damping = damping, damping or 0.0
        self._matrix: tuple[int, GaussNewton] | None = None

    def __call__(self, vectors: Float[Tensor, "q p"], texts: int, steps: int) -> tuple[Float[Tensor, "q p"], Tensor]:
        """The vectors times the inverse, and the residual of each."""
        if self._matrix is None or self._matrix[0] != texts:
            rows = self.order[:texts].sort().values
            chosen = [self.training.texts[row] for row in rows.tolist()]
            self._matrix = (texts, GaussNewton(self.passes, chosen, self.training.gold[rows]))
            if self.given is None:
                self.damping = LIFT * self._matrix[1].mean_eigenvalue()
        solved = conjugate_gradients(self._matrix[1].times, vectors, self.damping, steps, 1e-4)
        return solved.solutions, solved.residual


def _losses(passes: Passes, training: Training, rows: Int[Tensor, " k"]) -> Losses:
    return Losses(passes, [training.texts[row] for row in rows.tolist()], training.gold[rows])
