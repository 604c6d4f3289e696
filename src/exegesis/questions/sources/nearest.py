"""Nearest neighbours: training texts that the model sees as it sees this text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.parameters import at_least
from exegesis.core.text import Text
from exegesis.mech.curvature.passes import Passes
from exegesis.protocols.target import Link
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.method import Queries, Scored, Training, method


@method(
    "nearest",
    summary="weight of the training text among the nearest in the model's own representation, by its label",
    unit="weight among the nearest neighbours; below zero for a text of another label",
    paper="Wallace et al., Interpreting Neural Networks with Nearest Neighbors",
    year=2018,
)
@dataclass(frozen=True)
class Nearest:
    """The ``k`` training texts nearest to the text in the vector that the last linear layer reads, with weights.

    The weight of a neighbour at distance d is exp(-d/m) over the sum of these, where m is the mean distance of the k
    (1/k for all of them if they lie at distance 0); weights sum to 1 but for their signs. A neighbour with the label
    that is explained helps, one with another label hurts. ``distance``: ``l2``, or ``cosine`` (1 less the cosine).
    Neighbours at equal distances come in the order of the training data. The text itself, where it stands among the
    training texts, is one of its neighbours unless ``itself`` is false.

    ``details``: ``conformity`` is the share of the k with the label explained; ``credibility`` the share of training
    texts, each held against its own neighbours without itself, that conform to their own label no more than this text
    does; ``confidence`` is one less the credibility of the runner-up. Both are high if training supports this label
    alone. ``k`` above the number of texts means all of them. Search is exact.
    """

    k: Annotated[int, at_least(1)] = 20
    distance: Literal["l2", "cosine"] = "l2"
    itself: bool = True

    def __call__(self, model: Trained, training: Training, queries: Queries) -> Scored:
        passes = Passes(model)
        states = representations(passes, training.texts)
        asked = representations(passes, queries.texts)
        classes, labels = training.gold.long(), len(model.labels)
        distances = self.distances(asked, states)
        if not self.itself:
            same = torch.tensor([[text.ids == other.ids for other in training.texts] for text in queries.texts])
            distances = distances.masked_fill(same, torch.inf)
        count = min(self.k, len(training))
        near, order = nearest(distances, count)
        weights = neighbour_weights(near)
        sides = torch.where(classes[order] == queries.classes[:, None].to(order.device), 1.0, -1.0)
        values = torch.full((len(asked), len(training)), torch.nan, dtype=torch.float64)
        values.scatter_(1, order, weights.double() * sides)
        values = values.masked_fill(values == 0, torch.nan) if not self.itself else values
        details: list[dict[str, Any]] = [{"neighbours": count} for _ in queries.texts]
        if model.link is not Link.IDENTITY:
            own = self.own_label(states, classes, count)
            details = [
                {"neighbours": count, **trust(conformities(classes[row], labels), own, int(label))}
                for row, label in zip(order, queries.classes.tolist(), strict=True)
            ]
        return Scored(values, details, [(_sentence(detail),) for detail in details])

    def distances(self, asked: Float[Tensor, "q d"], states: Float[Tensor, "n d"]) -> Float[Tensor, "q n"]:
        """The distance of every text from every training text."""
        if self.distance == "cosine":
            first, second = (
                torch.nn.functional.normalize(side.double(), dim=1, eps=1e-300) for side in (asked, states)
            )
            return 1 - first @ second.t()
        found: Tensor = torch.cdist(asked.double(), states.double())
        return found

    def own_label(self, states: Tensor, classes: Int[Tensor, " n"], count: int) -> Float[Tensor, " n"]:
        """How many of each training text's neighbours, but for itself, have its own label, as a share."""
        shares = []
        for start in range(0, len(states), 1024):
            part = self.distances(states[start : start + 1024], states)
            part[torch.arange(len(part)), torch.arange(start, start + len(part))] = torch.inf
            _, order = nearest(part, min(count, max(len(states) - 1, 1)))
            own = classes[start : start + 1024, None]
            shares.append((classes[order] == own).double().mean(1))
        return torch.cat(shares)


def representations(passes: Passes, texts: Sequence[Text]) -> Float[Tensor, "n d"]:
    """The vector of each text that the model's last linear map reads (its last position where there are several)."""
    rows: list[Tensor] = [torch.empty(0)] * len(texts)
    for numbers, batch in passes.batches(texts):
        _, watch = passes.run(batch, gradients=False)
        last = [use for use in watch.uses if use.kind == "linear" and use.inputs is not None][-1].inputs
        assert last is not None
        last = last.detach()
        if last.dim() > 2:
            last = last[torch.arange(len(batch)), (batch.lengths - 1).clamp_max(last.shape[1] - 1).to(last.device)]
        for number, row in zip(numbers.tolist(), last.reshape(len(batch), -1), strict=True):
            rows[number] = row.cpu()
    return torch.stack(rows)


def nearest(distances: Float[Tensor, "q n"], count: int) -> tuple[Float[Tensor, "q k"], Int[Tensor, "q k"]]:
    """The distances and numbers of the nearest, the nearest first; equal ones in their order."""
    near, order = torch.sort(distances, dim=1, stable=True)
    return near[:, :count], order[:, :count]


def neighbour_weights(near: Float[Tensor, "q k"]) -> Float[Tensor, "q k"]:
    """Weights that fall with the distance and sum to one."""
    finite = near.masked_fill(~near.isfinite(), 0.0)
    mean = finite.sum(1, keepdim=True) / near.isfinite().sum(1, keepdim=True).clamp_min(1)
    raw = torch.where(near.isfinite(), (-finite / mean.clamp_min(1e-300)).exp(), 0.0)
    return raw / raw.sum(1, keepdim=True).clamp_min(1e-300)


def conformities(neighbours: Int[Tensor, " k"], labels: int) -> Float[Tensor, " l"]:
    """The share of neighbours with each label."""
    return torch.bincount(neighbours, minlength=labels).double() / len(neighbours)


def trust(shares: Float[Tensor, " l"], own: Float[Tensor, " n"], label: int) -> dict[str, float]:
    """Conformity, credibility and confidence of a label."""
    credible = [float((own <= share).double().mean()) for share in shares]
    others = [value for number, value in enumerate(credible) if number != label]
    return {
        "conformity": float(shares[label]),
        "credibility": credible[label],
        "confidence": 1 - max(others, default=0.0),
    }


def _sentence(detail: dict[str, Any]) -> str:
    if "conformity" not in detail:
        return f"The {detail['neighbours']} nearest training texts."
    return (
        f"Of the {detail['neighbours']} nearest training texts {detail['conformity']:.0%} have this label; "
        f"credibility {detail['credibility']:.2f}, confidence {detail['confidence']:.2f}."
    )
