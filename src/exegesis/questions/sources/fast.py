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
from exegesis.mech.curvature.products import GaussNewton
from exegesis.mech.curvature.solve import conjugate_gradients
from exegesis.protocols.loss import curvature
from exegesis.protocols.target import Link
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.functions import LIFT
from exegesis.questions.sources.method import Queries, Scored, Training, method
from exegesis.questions.sources.space import AT_ONCE, nearest, read, representations
from exegesis.questions.sources.store import Store

FIRST_STEPS = 4  # of the inverse, where tuning begins: a power of two


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
    texts that hurt would be missed. Then the inverse, where the paper has LiSSA with tuned batches, depth and scale: by
    conjugate gradients on the Gauss-Newton matrix of all texts, in which the k count as themselves (the curvature that
    a text adds changes its own score most) and ``sample`` others, drawn by ``seed``, stand for the rest. A text is
    drawn with a chance that grows with what it adds to the matrix's trace, and stands for one over that chance: the
    matrix is right in the mean over draws, and texts that a model is sure of, which add nothing, are seldom read. What
    a text adds is known from an index with gradients, else by the last linear layer alone: tr Λ (1 + |r|²), where r is
    its representation and Λ the curvature of its loss in the outputs.

    The steps are tuned for each text: at 8, 16, 32 ... of them, at most ``iterations``, it is enough if the ranks of
    its scores agree with those of half the steps (Spearman, at least ``agreement``); ``details`` has what was taken,
    the agreement that was reached, and the seconds. With ``k`` of all texts and ``agreement`` 1 it comes to the numbers
    of the full run with so many steps.

    ``damping`` is as for ``influence-functions``, and so is its default, with the trace estimated from the texts above.
    How near the scores come to those of the full run depends on it: m texts have a curvature in m directions, and the
    less damping, the more directions matter (benchmarks/influence.py). Of the texts that matter most, those outside the
    k are missed. ``index`` is a folder that ``exegesis index`` wrote: of the training texts only those that the matrix
    takes are read again.
    """

    k: Annotated[int, at_least(2)] = 200
    damping: Annotated[float, at_least(0)] | None = None
    share: Annotated[float, above(0)] = LIFT
    agreement: Annotated[float, above(0), at_most(1)] = 0.98
    iterations: Annotated[int, at_least(1)] = 50
    sample: Annotated[int, at_least(0)] = 1000
    weights: str = ""
    seed: Annotated[int, at_least(0)] = 0
    index: str = ""

    def __call__(self, model: Trained, training: Training, queries: Queries) -> Scored:
        passes = Passes(model, self.weights.split())
        kept = Store.of(self.index, model, training) if self.index else None
        points, raw = read(model, training.texts) if kept is None else (kept.states(())[0], kept.outputs())
        distances = torch.cdist(representations(model, queries.texts).to(points), points)
        pulls = None if kept is None else kept.pulls()
        pulls = lifted(at_last(raw, training.gold, points, model.link) if pulls is None else pulls)
        values = torch.full(distances.shape, torch.nan, dtype=torch.float64)
        details = list[dict[str, Any]]()
        for row, label in enumerate(queries.classes.tolist()):
            start = time.perf_counter()
            chosen = self.candidates(distances[row], training, float(label))
            matrix, at = self.matrix(passes, training, chosen, pulls)
            damping = self.damping
            if damping is None:
                damping = self.share * matrix.mean_eigenvalue()
            asked = queries.gradients(passes, range(row, row + 1))
            scores, told = self.tuned(matrix, asked, damping, at)
            values[row, chosen] = scores / len(training)
            told |= {"candidates": len(chosen), "sample": matrix.count, "damping": damping}
            details.append({**told, "seconds": time.perf_counter() - start})
        notes = [(_sentence(detail),) for detail in details]
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

    def matrix(
        self, passes: Passes, training: Training, chosen: Int[Tensor, " k"], pulls: Float[Tensor, " n"]
    ) -> tuple[GaussNewton, Int[Tensor, " k"]]:
        """The curvature of all texts, by the chosen ones and a sample of the others, and the places of the chosen."""
        order = torch.randperm(len(training), generator=torch.Generator().manual_seed(self.seed))
        others = order[~torch.isin(order, chosen)]
        chances = torch.ones(len(training), dtype=torch.float64)
        chances[others] = included(pulls[others], self.sample)
        drawn = others[drawn_by(chances[others], self.seed)]
        rows = torch.cat([chosen, drawn]).sort().values
        texts = [training.texts[row] for row in rows.tolist()]
        matrix = GaussNewton(passes, texts, training.gold[rows], 1 / chances[rows], len(training))
        return matrix, torch.isin(rows, chosen).nonzero()[:, 0]

    def tuned(
        self, matrix: GaussNewton, vector: Float[Tensor, "1 p"], damping: float, at: Int[Tensor, " k"]
    ) -> tuple[Float[Tensor, " k"], dict[str, Any]]:
        """The scores of the chosen texts, with so many steps that their ranks no longer change, and what was taken."""
        found: dict[int, Tensor] = {}
        reached = 0.0

        def enough(steps: int, solutions: Tensor) -> bool:
            nonlocal reached
            if self.agreement == 1 or steps < FIRST_STEPS or steps & (steps - 1):
                return False
            found[steps] = matrix.products(solutions)[0][at]
            if steps // 2 not in found or len(at) < 2:
                return False
            reached = float(stats.spearmanr(found[steps // 2].cpu(), found[steps].cpu())[0])
            return reached >= self.agreement

        solved = conjugate_gradients(matrix.times, vector, damping, self.iterations, 1e-4, enough)
        scores = -matrix.products(solved.solutions)[0][at].double().cpu()
        told = {"steps": int(solved.products) - 1, "agreement": reached, "residual": float(solved.residual)}
        return scores, told


def at_last(
    raw: Float[Tensor, "n c"], gold: Float[Tensor, " n"], points: Float[Tensor, "n d"], link: Link
) -> Float[Tensor, " n"]:
    """What each text adds to the trace of the curvature in the last linear layer."""
    step = max(1, AT_ONCE // raw.shape[1] ** 2)
    parts = [
        curvature(raw[start : start + step].double(), gold[start : start + step], link).diagonal(dim1=1, dim2=2).sum(1)
        for start in range(0, len(raw), step)
    ]
    return torch.cat(parts) * (1 + points.double().square().sum(1))


def lifted(pulls: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """The pulls with a tenth of their mean more for each, so that no text stands for very many."""
    return pulls + 0.1 * pulls.mean() + torch.finfo(pulls.dtype).tiny


def included(pulls: Float[Tensor, " n"], count: int) -> Float[Tensor, " n"]:
    """The chances of being drawn: as the pulls are to each other, none above 1, and ``count`` in sum."""
    chances = torch.ones_like(pulls)
    if count >= len(pulls):
        return chances
    order = pulls.argsort(descending=True)
    rest = pulls[order].flip(0).cumsum(0).flip(0)  # the pulls of a text and of all after it
    left = torch.arange(count, count - len(pulls), -1, dtype=pulls.dtype)  # draws that are left for them
    free = (pulls[order] * left < rest).nonzero()[:, 0]
    first = int(free[0])  # those before are taken for certain
    chances[order[first:]] = pulls[order[first:]] * (left[first] / rest[first])
    return chances


def drawn_by(chances: Float[Tensor, " n"], seed: int) -> Int[Tensor, " m"]:
    """The numbers of what is drawn, each with its chance, about as many as the chances are in sum: systematically, at
    steps of one along their running sum."""
    start = torch.rand(1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    passed = torch.floor(chances.cumsum(0) + start)
    return (passed > torch.cat([torch.floor(start), passed[:-1]])).nonzero()[:, 0]


def _sentence(detail: dict[str, Any]) -> str:
    return (
        f"The inverse is that of {detail['sample']:,} texts in {detail['steps']} steps; the ranks agree with those of "
        f"half the steps to {detail['agreement']:.2f}."
    )
