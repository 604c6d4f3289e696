"""Random projections: influence in a space of few random directions of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import FileError, ModelError, UnsupportedError, UsageError
from exegesis.core.parameters import above, at_least
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import Losses
from exegesis.mech.curvature.projection import Projection
from exegesis.protocols.target import Link
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.features import features
from exegesis.questions.sources.method import Queries, Scored, Training, method
from exegesis.questions.sources.store import GRADIENTS, MISSED, Store
from exegesis.questions.sources.tracin import read_checkpoints

# Of a model: the features of the training texts, 1 - p of their labels, the features of the numbers; ΦᵀΦ where kept.
Sides = tuple[Float[Tensor, "n f"], Float[Tensor, " n"], Float[Tensor, "q f"], Float[Tensor, "f f"] | None]


@method(
    "random-projections",
    summary="influence in a space of few random directions: TRAK, of one model or several",
    unit="change of the explained number that the text is responsible for, where the model is linear in its weights",
    paper="Park et al., TRAK: Attributing Model Behavior at Scale",
    year=2023,
    inverse=True,
)
@dataclass(frozen=True)
class RandomProjections:
    """TRAK: φ(x)ᵀ (ΦᵀΦ + λ)⁻¹ φ(z) (1 - p(z)), where φ are randomly projected gradients of log odds.

    φ(z) is the gradient of the log odds of z's own label, log p/(1 - p), to all weights, projected to about ``width``
    numbers for each weight (see ``mech.curvature.projection``: both sides of a matrix are projected by themselves,
    where the paper projects the whole gradient); Φ has those of all training texts; φ(x) is the gradient of the number
    explained. It is the influence on a model that is linear in its weights, without the weights p(1 - p) of the
    curvature, as in the paper. ``models`` names folders of weights of other models of the same shape, separated by
    commas, such as those of ``exegesis train`` with other seeds: both factors, φ(x)ᵀ (ΦᵀΦ + λ)⁻¹ φ(z) and 1 - p(z), are
    then means over them and over the model itself (the paper's Eq. 13), which names the number. ``damping`` λ, by
    default ``share`` of the mean eigenvalue of ΦᵀΦ. ``index`` is a folder that ``exegesis index --gradients`` wrote,
    whose width, weights and seed count: the training texts are not read again. Raises UnsupportedError for a
    regression, UsageError for a folder without weights of this shape, FileError for a store of another model,
    ModelError where neither gradients nor damping leave an inverse.
    """

    width: Annotated[int, at_least(1)] = 64
    damping: Annotated[float, at_least(0)] | None = None
    share: Annotated[float, above(0)] = 1e-3
    weights: str = ""
    models: str = ""
    seed: Annotated[int, at_least(0)] = 0
    index: str = ""

    def __call__(self, model: Trained, training: Training, queries: Queries) -> Scored:
        if model.link is Link.IDENTITY:
            raise UnsupportedError("random-projections explains log odds, which a regression has not")
        others = [name.strip() for name in self.models.split(",") if name.strip()]
        if self.index and others:
            raise UsageError("an index is of one model: leave out models, or the index")
        chances, spans = list[Tensor](), list[Tensor]()
        detail: dict[str, Any] = {}
        sides = self._kept(model, training, queries) if self.index else self._sides(model, training, queries, others)
        for rows, missed, asked, gram in sides:
            damping = self.damping
            if damping is None:
                trace = float(gram.trace() if gram is not None else rows.square().sum())
                damping = self.share * trace / min(rows.shape)
            chances.append(missed)
            spans.append(in_span(rows, asked, damping, gram))
            detail = {"damping": damping, "features": rows.shape[1], "models": len(spans)}
        values = torch.stack(spans).mean(0) * torch.stack(chances).mean(0)
        return Scored(values, [detail for _ in queries.texts])

    def _kept(self, model: Trained, training: Training, queries: Queries) -> Iterator[Sides]:
        """The sides of a model whose training texts an index has."""
        store = Store.of(self.index, model, training)
        wanted = store.wanted
        if not wanted.width:
            raise FileError(f"{self.index} holds no gradients: index it with --gradients WIDTH")
        passes = Passes(model, wanted.weights.split())
        projection = Projection(passes.layout, wanted.width, wanted.seed)
        rows, missed = (torch.from_numpy(np.asarray(store.array(name))) for name in (GRADIENTS, MISSED))
        yield rows, missed[:, 0].double(), _asked(passes, projection, queries), store.gram()

    def _sides(self, model: Trained, training: Training, queries: Queries, others: list[str]) -> Iterator[Sides]:
        """The sides of the model and of each of the others."""
        kept = [None, *(weights for name in others for _, weights in read_checkpoints(name, model))]
        for weights in kept:
            passes = Passes(model, self.weights.split(), by=weights)
            projection = Projection(passes.layout, self.width, self.seed)
            rows, missed, _ = features(Losses(passes, training.texts, training.gold), projection)
            yield rows, missed, _asked(passes, projection, queries), None


def _asked(passes: Passes, projection: Projection, queries: Queries) -> Float[Tensor, "q f"]:
    return (
        torch.cat([projection.of(queries.factors(passes, row))[0] for row in range(len(queries.texts))]).double().cpu()
    )


def in_span(
    features: Float[Tensor, "n f"],
    asked: Float[Tensor, "q f"],
    damping: float,
    gram: Float[Tensor, "f f"] | None = None,
) -> Float[Tensor, "q n"]:
    """φ(x)ᵀ (ΦᵀΦ + λ)⁻¹ Φᵀ, by the smaller of the two matrices of products; ``gram`` is ΦᵀΦ where it is known.

    Raises ModelError if the matrix has no inverse.
    """
    n, size = features.shape
    eye = torch.eye(min(n, size), dtype=asked.dtype, device=asked.device)
    if size <= n:
        small = _solved((features.t() @ features if gram is None else gram) + damping * eye, asked.t())
        return (features @ small.to(features)).t().to(asked)
    features = features.to(asked)
    return _solved(features @ features.t() + damping * eye, features @ asked.t()).t()


def _solved(matrix: Float[Tensor, "m m"], sides: Float[Tensor, "m q"]) -> Float[Tensor, "m q"]:
    made, failed = torch.linalg.solve_ex(matrix, sides)
    if bool(failed.any()):
        raise ModelError("the gradients of the training texts leave out some direction: give a damping above 0")
    solved: Tensor = made
    return solved
