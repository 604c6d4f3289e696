"""FastIF: influence functions of the nearest training texts alone, with an inverse that is tuned."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Int
from scipy import stats
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.core.parameters import above, at_least, at_most
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import GaussNewton
from exegesis.mech.curvature.solve import Solved, conjugate_gradients
from exegesis.mech.curvature.span import Side, Span, products
from exegesis.protocols.budget import budget_for
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
    inverse=True,
)
@dataclass(frozen=True)
class FastInfluence:
    """Influence functions (see ``influence-functions``) of the ``k`` nearest training texts; the others have NaN.

    First neighbours, by L2 distance in the vector that the last linear layer reads. Half of the k are the nearest with
    the label that the number speaks for, half the nearest with others: of the predicted label alone, as in the paper,
    texts that hurt would be missed. Then the inverse, where the paper has LiSSA with tuned batches, depth and scale: by
    conjugate gradients on the Gauss-Newton matrix of all texts, in which the k count as themselves (the curvature that
    a text adds changes its own score most) and those of ``sample`` texts that are none of the k, drawn by ``seed``,
    stand for the rest. A text is drawn with a chance that grows with what it adds to the matrix's trace, and stands for
    one over that chance: the matrix is right in the mean over draws, and texts that a model is sure of, which add
    nothing, are seldom read. What a text adds is known from an index with gradients, else by the last linear layer
    alone: tr Λ (1 + |r|²), where r is its representation and Λ the curvature of its loss in the outputs.

    ``inverse`` says how a step is made. ``products``: the products of the sample's gradients with each other are made
    once (for all texts that are asked about together; with ``index``, for all later calls too), and those of the k with
    them for each text asked about; a step is then a product with their matrix, by Woodbury's identity
    (``mech.curvature.span``). It holds (outputs × sample)² numbers, in an index as float32, and needs a damping above
    0; ``details`` has the seconds that the sample's products took (``prepared``). ``steps``: each step reads the sample
    and the k again. It is the same matrix and the same inverse.

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
    iterations: Annotated[int, at_least(1)] = 64
    sample: Annotated[int, at_least(0)] = 1000
    inverse: Literal["products", "steps"] = "products"
    weights: str = ""
    seed: Annotated[int, at_least(0)] = 0
    index: str = ""

    def __call__(self, model: Trained, training: Training, queries: Queries) -> Scored:
        if self.inverse == "products" and self.damping == 0:
            raise UsageError("inverse=products divides by the damping: give one above 0, or take inverse=steps")
        passes = Passes(model, self.weights.split())
        kept = Store.of(self.index, model, training) if self.index else None
        points, raw = read(model, training.texts) if kept is None else (kept.states(())[0], kept.outputs())
        distances = torch.cdist(representations(model, queries.texts).to(points), points)
        pulls = None if kept is None else kept.pulls()
        pulls = lifted(at_last(raw, training.gold, points, model.link) if pulls is None else pulls)
        chances = included(pulls, self.sample)
        order = torch.randperm(len(training), generator=torch.Generator().manual_seed(self.seed))
        drawn = order[drawn_by(chances[order], self.seed)].sort().values
        sample = Sample.of(passes, training, drawn, kept) if self.inverse == "products" else None
        values = torch.full(distances.shape, torch.nan, dtype=torch.float64)
        details = list[dict[str, Any]]()
        for row, label in enumerate(queries.classes.tolist()):
            start = time.perf_counter()
            chosen = self.candidates(distances[row], training, float(label))
            group = Group.of(chosen, drawn, chances)
            if sample is None:
                matrix: GaussNewton | Span = group.matrix(passes, training)
            else:
                matrix = group.span(sample, passes, training)
            damping = self.share * matrix.mean_eigenvalue() if self.damping is None else self.damping
            asked = queries.gradients(passes, range(row, row + 1))
            scores, told = self.tuned(solver(matrix, asked, damping, group.at), damping)
            values[row, chosen] = scores / len(training)
            told |= {"candidates": len(chosen), "sample": len(group.rows), "damping": damping}
            told |= {} if sample is None else {"prepared": sample.seconds}
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

    def tuned(self, work: ByTexts | ByProducts, damping: float) -> tuple[Float[Tensor, " k"], dict[str, Any]]:
        """The scores of the chosen texts, with so many steps that their ranks no longer change, and what was taken."""
        found: dict[int, Tensor] = {}
        reached = 0.0

        def enough(steps: int, solutions: Tensor) -> bool:
            nonlocal reached
            if self.agreement == 1 or steps < FIRST_STEPS or steps & (steps - 1):
                return False
            found[steps] = work.scores(solutions)
            if steps // 2 not in found or len(found[steps]) < 2:
                return False
            reached = float(stats.spearmanr(found[steps // 2].cpu(), found[steps].cpu())[0])
            return reached >= self.agreement

        solved = conjugate_gradients(work.times, work.start, damping, self.iterations, work.tolerance, enough)
        scores = -work.scores(solved.solutions).double().cpu()
        told = {"steps": int(solved.products) - 1, "agreement": reached, "residual": work.residual(solved)}
        return scores, told


@dataclass(frozen=True, eq=False)
class Sample:
    """Texts that stand for all others: their numbers, the products of their gradients, and the seconds these took."""

    rows: Int[Tensor, " m"]
    side: Side | None
    known: Float[Tensor, "a a"]
    seconds: float

    @classmethod
    def of(cls, passes: Passes, training: Training, rows: Int[Tensor, " m"], kept: Store | None) -> Sample:
        """The sample of these numbers, whose products a store remembers.

        Raises UsageError if there are more products than memory is meant for.
        """
        if not len(rows):
            return cls(rows, None, torch.zeros(0, 0), 0.0)
        side = Side.of(losses_of(passes, training, rows))
        size, room = side.slopes.numel(), budget_for("factors").numbers
        if size**2 > room:
            most = int(room**0.5) // max(1, side.slopes.shape[1])
            raise UsageError(f"inverse=products holds {size:,} times {size:,} products: take a sample of at most "
                             f"{most:,}, or inverse=steps")  # fmt: skip
        start = time.perf_counter()
        if kept is None:
            return cls(rows, side, products(side.losses), time.perf_counter() - start)
        known, seconds = kept.products(["products", passes.layout.shapes, rows.tolist()], lambda: products(side.losses))
        return cls(rows, side, known.to(side.roots), seconds)


@dataclass(frozen=True, eq=False)
class Group:
    """The texts that a matrix is made of: the sampled, then those of the chosen that are not among them; how many each
    stands for, and the places ``at`` of the chosen."""

    rows: Int[Tensor, " m"]
    standing: Float[Tensor, " m"]
    at: Int[Tensor, " k"]

    @classmethod
    def of(cls, chosen: Int[Tensor, " k"], drawn: Int[Tensor, " s"], chances: Float[Tensor, " n"]) -> Group:
        """The chosen, each for itself, and what was drawn with such chances for the rest."""
        rows = torch.cat([drawn, chosen[~torch.isin(chosen, drawn)]])
        places = torch.empty(len(chances), dtype=torch.long)
        places[rows] = torch.arange(len(rows))
        standing = 1 / chances[rows]
        standing[places[chosen]] = 1.0
        return cls(rows, standing, places[chosen])

    def matrix(self, passes: Passes, training: Training) -> GaussNewton:
        """The curvature of all texts by these."""
        return losses_of(passes, training, self.rows, self.standing)

    def span(self, sample: Sample, passes: Passes, training: Training) -> Span:
        """The same, in the span of their gradients."""
        more = self.rows[len(sample.rows) :]
        added = Side.of(losses_of(passes, training, more)) if len(more) else None
        if sample.side is None:
            assert added is not None
            return Span(added, products(added.losses), None, self.standing, len(training))
        return Span(sample.side, sample.known, added, self.standing, len(training))


def losses_of(
    passes: Passes, training: Training, rows: Int[Tensor, " m"], standing: Float[Tensor, " m"] | None = None
) -> GaussNewton:
    """The mean loss of all training texts, by some of them."""
    texts = [training.texts[row] for row in rows.tolist()]
    return GaussNewton(passes, texts, training.gold[rows], standing, None if standing is None else len(training))


class ByTexts:
    """An inverse whose steps read the texts: what conjugate gradients need, and what their solutions say."""

    tolerance = 1e-4

    def __init__(self, matrix: GaussNewton, asked: Float[Tensor, "1 p"], at: Int[Tensor, " k"]) -> None:
        self.matrix, self.start, self.at, self.times = matrix, asked, at, matrix.times

    def scores(self, solutions: Float[Tensor, "1 p"]) -> Float[Tensor, " k"]:
        """The products of the chosen texts' gradients with (H + λ)⁻¹v."""
        return self.matrix.products(solutions)[0][self.at]

    def residual(self, solved: Solved) -> float:
        """The share of v that is left."""
        return float(solved.residual)


class ByProducts:
    """An inverse whose steps are products with what gradients have in common (see ``ByTexts``)."""

    tolerance = 1e-12  # steps cost next to nothing

    def __init__(self, span: Span, asked: Float[Tensor, "1 p"], damping: float, at: Int[Tensor, " k"]) -> None:
        self.span, self.at, self.damping, self.times = span, at, damping, span.times
        self.along, self.size = span.along(asked), torch.linalg.vector_norm(asked, dim=1)
        self.start = span.start(self.along)

    def scores(self, solutions: Float[Tensor, "1 m"]) -> Float[Tensor, " k"]:
        """The products of the chosen texts' gradients with (H + λ)⁻¹v."""
        found = self.span.solved(self.along, solutions, self.damping)[0, self.at]
        return (found * self.span.slopes[self.at]).sum(1)

    def residual(self, solved: Solved) -> float:
        """The share of v that is left."""
        return float(self.span.residual(self.along, solved.solutions, self.damping, self.size))


def solver(
    matrix: GaussNewton | Span, asked: Float[Tensor, "1 p"], damping: float, at: Int[Tensor, " k"]
) -> ByTexts | ByProducts:
    """The way to a matrix's inverse."""
    return ByProducts(matrix, asked, damping, at) if isinstance(matrix, Span) else ByTexts(matrix, asked, at)


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
    once = f" after {detail['prepared']:.1f} s for products of gradients, once," if "prepared" in detail else ""
    return (
        f"The inverse is that of {detail['sample']:,} texts,{once} in {detail['steps']} steps; the ranks agree with "
        f"those of half the steps to {detail['agreement']:.2f}."
    )
