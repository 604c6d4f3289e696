"""Influence functions: how a number would change if a training text had not been there, to first order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.parameters import above, at_least
from exegesis.mech.curvature.eigen import Eigen
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import GaussNewton, Hessian
from exegesis.mech.curvature.solve import Solved, conjugate_gradients, lissa, residual
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.method import Queries, Scored, Training, method

AT_ONCE = 1 << 26  # numbers of the vectors that are solved for together
AWAY = 0.3  # size of the mean gradient, by that of one text's, above which the loss is at no minimum
FEWEST = 20  # texts from which on that can be told
ROUGH = 0.1  # residual above which an inverse is called rough
LIFT = 0.1  # the share of the mean eigenvalue that is the damping by default


@method(
    "influence-functions",
    summary="change of the number if the text had not been in the training data, by influence functions",
    unit="change of the explained number that the text is responsible for: leaving it out would take it away",
    paper="Koh and Liang, Understanding Black-box Predictions via Influence Functions",
    year=2017,
    products=True,
    inverse=True,
)
@dataclass(frozen=True)
class InfluenceFunctions:
    """The part of the explained number f that a training text z is responsible for: -(1/n) ∇fᵀ (H + λ)⁻¹ ∇L(z).

    That is I(z, f)/n in the notation of the survey (Eqs. 3 and 4), so that leaving z out changes f by about minus the
    score; the sign is turned nowhere: a text with a score above zero helps. Scores are linear in f. At a minimum of the
    mean loss they sum to zero (details: ``sum``); where its gradient says that training stopped far from one, or had
    other texts, a note says so.

    ``curvature`` H of the mean training loss: ``gauss-newton``, which is never negative, or ``hessian``. ``damping`` λ
    is added to its diagonal; by default ``share`` of the Gauss-Newton matrix's mean eigenvalue, of those that n texts
    can keep from being zero. For a model trained with weight decay, give its strength. ``weights`` names the weights
    that count as free, several separated by blanks: whole names or their beginnings; all by default.

    ``solver``: ``cg``, conjugate gradients of at most ``iterations`` steps; ``lissa``, ``repeats`` runs of a recursion
    over ``depth`` random batches (see ``mech.curvature.solve.lissa``; its damping is λ itself); or ``ek-fac``, the
    inverse of the Gauss-Newton matrix as a Kronecker product for each weight (``mech.curvature.eigen``): no iterations,
    and many texts for the price of one, but it is another matrix, and its damping by default is ``share`` of the mean
    eigenvalue of each weight's own block, as Grosse et al. (2023) have it. ``details`` has the residual
    |(H + λ)h - v| / |v| of the solution.

    Raises ModelError if the loss has no curvature and no damping was given.

    What the loss does not hold: weight decay, label smoothing, dropout. For a network stopped early the score speaks of
    training on from here, not of training anew.
    """

    curvature: Literal["gauss-newton", "hessian"] = "gauss-newton"
    damping: Annotated[float, at_least(0)] | None = None
    share: Annotated[float, above(0)] = LIFT
    solver: Literal["cg", "lissa", "ek-fac"] = "cg"
    iterations: Annotated[int, at_least(1)] = 50
    tolerance: Annotated[float, above(0)] = 1e-4
    depth: Annotated[int, at_least(1)] = 1000
    repeats: Annotated[int, at_least(1)] = 1
    scale: Annotated[float, above(0)] | None = None
    weights: str = ""
    seed: Annotated[int, at_least(0)] = 0

    def __call__(self, model: Trained, training: Training, queries: Queries) -> Scored:
        passes = Passes(model, self.weights.split())
        matrix = (Hessian if self.curvature == "hessian" else GaussNewton)(passes, training.texts, training.gold)
        mean = 0.0 if self.damping else matrix.mean_eigenvalue()
        damping = self.share * mean if self.damping is None else self.damping
        eigen = Eigen.of(matrix) if self.solver == "ek-fac" else None
        each = {} if eigen is None else self.each(eigen)
        values, vectors, details = list[Tensor](), list[Tensor](), list[dict[str, Any]]()
        rows, step = len(queries.texts), max(1, AT_ONCE // (6 * passes.layout.size))
        for start in range(0, rows, step):
            asked = queries.gradients(passes, range(start, min(rows, start + step)))
            solved = self.solved(matrix, asked, damping) if eigen is None else by_blocks(eigen, matrix, asked, each)
            vectors.append(solved.solutions / len(training))
            scores = -matrix.products(vectors[-1])
            values.append(scores)
            told = {"damping": damping if eigen is None or self.damping is not None else each}
            told |= {"negative": True} if solved.negative else {}
            details += [
                {**told, "residual": residual, "products": solved.products, "sum": total}
                for residual, total in zip(solved.residual.tolist(), scores.sum(1).tolist(), strict=True)
            ]
        notes = [_notes(detail, passes, matrix.drift or 0.0, len(training)) for detail in details]
        return Scored(torch.cat(values), details, notes, torch.cat(vectors))

    def each(self, eigen: Eigen) -> dict[str, float]:
        """The damping of each weight's block."""
        return eigen.dampings(self.share) if self.damping is None else eigen.even(self.damping)

    def solved(self, matrix: GaussNewton, vectors: Float[Tensor, "q p"], damping: float) -> Solved:
        """The vectors times the inverse of the damped curvature."""
        if self.solver == "cg":
            return conjugate_gradients(matrix.times, vectors, damping, self.iterations, self.tolerance)
        return lissa(matrix, vectors, damping, self.depth, self.repeats, self.scale, self.seed)


def by_blocks(eigen: Eigen, matrix: GaussNewton, vectors: Float[Tensor, "q p"], damping: Mapping[str, float]) -> Solved:
    """The vectors times the inverse of the blocks; the residual is that to the whole damped matrix."""
    solutions = eigen.solved(vectors, damping)
    return Solved(solutions, residual(matrix.times, solutions, vectors, eigen.diagonal(damping)), 3.0)


def _notes(detail: dict[str, Any], passes: Passes, drift: float, texts: int) -> list[str]:
    """What a reader should know of the numbers."""
    damping = detail["damping"]
    damped = "a share of each weight's mean eigenvalue" if isinstance(damping, dict) else f"{damping:.3g}"
    notes = [f"Damping {damped}, residual of the inverse {detail['residual']:.2g}."]
    if detail.get("negative"):
        notes.append("The curvature is negative along some direction, as the loss is at no minimum: the search for its "
                     "inverse ended there. Give more damping, or take curvature=gauss-newton.")  # fmt: skip
    elif detail["residual"] > ROUGH:
        notes.append("The inverse is rough: more iterations or more damping make it better.")
    if drift > AWAY and texts >= FEWEST:
        notes.append(
            f"The loss on these texts is at no minimum (their mean gradient has {drift:.0%} of one text's size): "
            "training stopped early, or had other texts or other labels."
        )
    if passes.slow:
        notes.append(f"Gradients of {', '.join(sorted(passes.slow))} were taken one text at a time.")
    return notes
