"""Nearest neighbours: training texts that the model sees as it sees this text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.core.parameters import at_least
from exegesis.data.examples import Example, read_examples
from exegesis.protocols.target import Link
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.method import Queries, Scored, Training, method
from exegesis.questions.sources.space import Distance, Space, layers_of, states
from exegesis.questions.sources.store import Store, content

MOST = 2000  # training texts that stand in for held-out ones


@method(
    "nearest",
    summary="weight of the training text among the nearest in the model's own representation, by its label",
    unit="weight among the nearest neighbours; below zero for a text of another label",
    paper="Wallace et al., Interpreting Neural Networks with Nearest Neighbors",
    year=2018,
)
@dataclass(frozen=True)
class Nearest:
    """The ``k`` training texts nearest to the text in each of some layers, with weights.

    ``layers``: names separated by commas (``layer 1, pooled``; see ``space.states``); by default the vector that the
    last linear layer reads. In a layer, the weight of a neighbour at distance d is exp(-d/m) over the sum of these,
    where m is the mean distance of the k (1/k for all of them if they lie at distance 0), so that layers of any scale
    count alike; over several layers weights are averaged. Weights sum to 1 but for their signs: a neighbour with the
    label that is explained helps, one with another label hurts. ``distance``: ``l2``, or ``cosine`` (1 less the
    cosine). Neighbours at equal distances come in the order of the training data. The text itself, where it stands
    among the training texts, is one of its neighbours unless ``itself`` is false.

    ``details``: ``conformity`` is the share of the neighbours, over all layers, with the label explained (Papernot and
    McDaniel 2018, Wallace et al. 2018). ``credibility`` is the share of held-out labelled texts that conform to their
    own label no more than this text does to its; ``confidence`` is one less the credibility of the runner-up. Both are
    high if training supports this label alone. ``calibration`` names the file of held-out texts; without one the
    training texts stand in (at most 2,000 of them), each held against its own neighbours without itself, and a note
    says so: a model fits them better than others. ``k`` above the number of texts means all of them.

    ``search``: ``exact``, or ``hnsw``, a graph of faiss (extra ``search``), whose ``recall`` is measured and said.
    ``index`` is a folder that ``exegesis index`` wrote: the training texts are not read again, and calibration is done
    at the first question only. Raises UsageError for calibration texts without labels, the errors of ``states`` and,
    for an index of another model or of other texts, FileError.
    """

    k: Annotated[int, at_least(1)] = 20
    layers: str = ""
    distance: Distance = "l2"
    itself: bool = True
    calibration: str = ""
    search: Literal["exact", "hnsw"] = "exact"
    index: str = ""

    def __call__(self, model: Trained, training: Training, queries: Queries) -> Scored:
        layers = layers_of(self.layers)
        store = Store.of(self.index, model, training) if self.index else None
        vectors_of = states(model, training.texts, layers) if store is None else store.states(layers)
        spaces = [Space(one, self.distance, self.search) for one in vectors_of]
        asked = states(model, queries.texts, layers)
        classes, count = training.gold.long(), min(self.k, len(training))
        without = None if self.itself else [training.copies(text) for text in queries.texts]
        values = torch.zeros(len(queries.texts), len(training), dtype=torch.float64)
        seen = torch.zeros(len(queries.texts), len(training), dtype=torch.bool)
        found = list[Tensor]()
        for space, vectors in zip(spaces, asked, strict=True):
            near, order = space.near(vectors, count, without)
            real = near.isfinite()
            weights = neighbour_weights(near) / len(spaces)
            sides = torch.where(classes[order] == queries.classes[:, None].to(order.device), 1.0, -1.0)
            rows = torch.arange(len(order))[:, None].expand_as(order)
            values.index_put_((rows[real], order[real]), (weights * sides)[real], accumulate=True)
            seen[rows[real], order[real]] = True
            found.append(torch.where(real, classes[order], -1))
        values = values.masked_fill(~seen, torch.nan)
        recall = {"recall": min(space.recall(count) for space in spaces)} if self.search != "exact" else {}
        details: list[dict[str, Any]] = [{"neighbours": count, **recall} for _ in queries.texts]
        if model.link is not Link.IDENTITY:
            own = self._own(model, spaces, classes, layers, count, store)
            neighbours = torch.cat(found, 1)
            details = [
                {**detail, **trust(conformities(row[row >= 0], len(model.labels)), own, int(label))}
                for detail, row, label in zip(details, neighbours, queries.classes.tolist(), strict=True)
            ]
        return Scored(values, details, [(_sentence(detail, bool(self.calibration)),) for detail in details])

    def _own(
        self,
        model: Trained,
        spaces: Sequence[Space],
        classes: Int[Tensor, " n"],
        layers: list[str],
        count: int,
        store: Store | None,
    ) -> Float[Tensor, " c"]:
        """The conformity of each calibration text to its own label; an index keeps it for the next question."""
        examples = read_examples(self.calibration) if self.calibration else []

        def made() -> Float[Tensor, " c"]:
            return self._calibrated(model, spaces, classes, layers, count, examples)

        parts = (count, layers, self.distance, self.search, content(examples))
        return made() if store is None else store.remembered(parts, made)

    def _calibrated(
        self,
        model: Trained,
        spaces: Sequence[Space],
        classes: Int[Tensor, " n"],
        layers: list[str],
        count: int,
        examples: Sequence[Example],
    ) -> Float[Tensor, " c"]:
        if not self.calibration:
            some = torch.arange(0, len(classes), -(-len(classes) // MOST))
            return own_label(spaces, classes, count, some)
        held = Training.of(model, examples, what="calibration text")
        gold = held.gold.long()
        asked = states(model, held.texts, layers)
        return _share(
            [
                classes[space.near(vectors, count)[1]] == gold[:, None]
                for space, vectors in zip(spaces, asked, strict=True)
            ]
        )


def own_label(
    spaces: Sequence[Space], classes: Int[Tensor, " n"], count: int, some: Int[Tensor, " m"]
) -> Float[Tensor, " m"]:
    """How many of some training texts' neighbours, but for themselves, have their label, as a share over all layers."""
    if len(classes) < 2:
        return torch.zeros(len(some), dtype=torch.float64)
    alone, count = [[number] for number in some.tolist()], min(count, len(classes) - 1)
    return _share(
        [classes[space.near(space.vectors[some], count, alone)[1]] == classes[some, None] for space in spaces]
    )


def _share(alike: Sequence[Bool[Tensor, "n k"]]) -> Float[Tensor, " n"]:
    """The share of neighbours that are alike, over all layers: one division, so that equal shares are equal numbers."""
    every = torch.cat(list(alike), 1)
    return every.sum(1).double() / every.shape[1]


def neighbour_weights(near: Float[Tensor, "q k"]) -> Float[Tensor, "q k"]:
    """Weights that fall with the distance and sum to one."""
    finite = near.masked_fill(~near.isfinite(), 0.0)
    mean = finite.sum(1, keepdim=True) / near.isfinite().sum(1, keepdim=True).clamp_min(1)
    raw = torch.where(near.isfinite(), (-finite / mean.clamp_min(1e-300)).exp(), 0.0)
    return raw / raw.sum(1, keepdim=True).clamp_min(1e-300)


def conformities(neighbours: Int[Tensor, " k"], labels: int) -> Float[Tensor, " l"]:
    """The share of neighbours with each label."""
    return torch.bincount(neighbours, minlength=labels).double() / max(len(neighbours), 1)


def trust(shares: Float[Tensor, " l"], own: Float[Tensor, " n"], label: int) -> dict[str, float]:
    """Conformity, credibility and confidence of a label."""
    if not len(own):
        raise UsageError("there are no calibration texts; give at least one")
    credible = [float((own <= share).double().mean()) for share in shares]
    others = [value for number, value in enumerate(credible) if number != label]
    return {
        "conformity": float(shares[label]),
        "credibility": credible[label],
        "confidence": 1 - max(others, default=0.0),
    }


def _sentence(detail: dict[str, Any], held_out: bool) -> str:
    found = f" ({detail['recall']:.1%} of the nearest are found)" if "recall" in detail else ""
    if "conformity" not in detail:
        return f"The {detail['neighbours']} nearest training texts{found}."
    against = "held-out texts" if held_out else "the training texts themselves, so it is high for what was fitted"
    return (
        f"Of the {detail['neighbours']} nearest training texts{found} {detail['conformity']:.0%} have this label; "
        f"credibility {detail['credibility']:.2f}, confidence {detail['confidence']:.2f}, by {against}."
    )
