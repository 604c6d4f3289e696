"""Texts as points: the vectors that a model makes of them at some layers, and the nearest of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from exegesis.core.errors import MissingExtraError, UnsupportedError
from exegesis.core.text import Text
from exegesis.mech.curvature.passes import Passes
from exegesis.protocols.batch import groups
from exegesis.protocols.budget import budget_for
from exegesis.protocols.insides import Layered, site_of
from exegesis.protocols.model import Classifier, missing
from exegesis.protocols.trained import Trained

Distance = Literal["l2", "cosine"]
AT_ONCE = 1 << 20  # distances that are sorted at a time
TRIED = 50  # texts by which the recall of approximate search is measured


def layers_of(names: str) -> list[str]:
    """The names of layers, separated by commas."""
    return [name.strip() for name in names.split(",") if name.strip()]


def states(model: Classifier, texts: Sequence[Text], layers: Sequence[str]) -> list[Float[Tensor, "n d"]]:
    """The vector of each text at each layer; without one, that which the last linear map reads.

    Layers are named as for ``exegesis.information`` (``pooled``, ``layer 1``, ``layer 2 last step``, a path); of a
    layer with time steps it is the mean over the text's pieces. Raises UsageError for a layer that the model does not
    have, UnsupportedError if the model does not show its insides.
    """
    if not layers:
        return [representations(cast(Trained, model), texts)]
    reasons = missing(model, Layered)
    if reasons:
        raise UnsupportedError(f"layers of {model.name} cannot be read: {next(iter(reasons.values()))}")
    inside = cast(Layered, model)
    found = inside.sites(model.encode(texts[:1]))
    sites = [site_of(name, found) for name in layers]
    rows: list[list[Tensor]] = [[torch.empty(0)] * len(texts) for _ in sites]
    budget = budget_for("examples", getattr(model, "device", None))
    by_length: dict[int, list[int]] = {}
    for number, text in enumerate(texts):
        by_length.setdefault(len(text), []).append(number)
    for length, numbers in sorted(by_length.items()):
        for part in groups([length] * len(numbers), budget.pieces, budget.rows):
            chosen = [numbers[row] for row in part]
            batch = model.encode([texts[number] for number in chosen])
            with torch.no_grad():
                made = inside.states_from(inside.embed(batch), batch, sites)
            for at, state in enumerate(made):
                for number, row in zip(chosen, state.mean(1), strict=True):
                    rows[at][number] = row.cpu()
    return [torch.stack(one) for one in rows]


def representations(model: Trained, texts: Sequence[Text]) -> Float[Tensor, "n d"]:
    """The vector of each text that the model's last linear map reads (its last position where there are several)."""
    return read(model, texts)[0]


def read(model: Trained, texts: Sequence[Text]) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n c"]]:
    """The representations of texts and, from the same passes, the model's outputs."""
    rows: list[Tensor] = [torch.empty(0)] * len(texts)
    outputs: list[Tensor] = [torch.empty(0)] * len(texts)
    passes = Passes(model)
    for numbers, batch in passes.batches(texts):
        made, watch = passes.run(batch, gradients=False, last=True)
        last = watch.uses[-1].inputs
        assert last is not None
        last = last.detach()
        if last.dim() > 2:
            last = last[torch.arange(len(batch)), (batch.lengths - 1).clamp_max(last.shape[1] - 1).to(last.device)]
        for number, row, raw in zip(numbers.tolist(), last.reshape(len(batch), -1), made.detach(), strict=True):
            rows[number], outputs[number] = row.cpu(), raw.cpu()
    return torch.stack(rows), torch.stack(outputs)


class Space:
    """Vectors ``[n, d]``, and the nearest of them by a distance: exactly, or by a graph (HNSW) of the library faiss.

    A vector of zeros has a cosine of 0 with every other one, and of 1 with its like. Raises MissingExtraError for a
    graph without faiss.
    """

    def __init__(self, vectors: Float[Tensor, "n d"], distance: Distance, search: Literal["exact", "hnsw"]) -> None:
        self.distance, self.search = distance, search
        self.vectors = self._placed(vectors)
        self.empty = (self.vectors == 0).all(1)
        self.graph: Any = _graph(self.vectors) if search == "hnsw" else None

    def __len__(self) -> int:
        return len(self.vectors)

    def near(
        self, asked: Float[Tensor, "q d"], count: int, without: Sequence[Collection[int]] | None = None
    ) -> tuple[Float[Tensor, "q k"], Int[Tensor, "q k"]]:
        """The distances and numbers of the nearest, the nearest first, equal ones in their order.

        The vectors ``without[q]`` are none of them; where too few are left, distances are infinite.
        """
        asked = self._placed(asked)
        step = max(1, AT_ONCE // max(len(self), 1))
        found = [
            self._near(asked[start : start + step], count, None if without is None else without[start : start + step])
            for start in range(0, len(asked), step)
        ]
        return torch.cat([near for near, _ in found]), torch.cat([order for _, order in found])

    def recall(self, count: int) -> float:
        """The share of the nearest that the search finds, of some of the vectors themselves; 1 if it is exact."""
        if self.graph is None:
            return 1.0
        tried = torch.arange(0, len(self), max(1, len(self) // TRIED))[:TRIED]
        found, exact = (one(self.vectors[tried], count, None)[1] for one in (self._approximate, self._exact))
        return float(torch.stack([torch.isin(e, f) for e, f in zip(exact, found, strict=True)]).double().mean())

    def _placed(self, vectors: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The vectors as double ones; for cosines, of length one."""
        vectors = vectors.double()
        return torch.nn.functional.normalize(vectors, dim=1, eps=1e-300) if self.distance == "cosine" else vectors

    def _near(self, asked: Tensor, count: int, without: Sequence[Collection[int]] | None) -> tuple[Tensor, Tensor]:
        return (self._exact if self.graph is None else self._approximate)(asked, count, without)

    def _exact(self, asked: Tensor, count: int, without: Sequence[Collection[int]] | None) -> tuple[Tensor, Tensor]:
        distances = self._scaled(torch.cdist(asked, self.vectors, compute_mode=_PLAIN), asked, self.empty)
        for row, numbers in enumerate(without or ()):
            distances[row, list(numbers)] = torch.inf
        return nearest(distances, count)

    def _approximate(
        self, asked: Tensor, count: int, without: Sequence[Collection[int]] | None
    ) -> tuple[Tensor, Tensor]:
        more = min(len(self), count + max(map(len, without or ()), default=0))
        self.graph.hnsw.efSearch = max(64, 2 * more)
        _, numbers = self.graph.search(asked.float().numpy(), more)
        order = torch.from_numpy(numbers)
        order = order.clamp_min(0)
        distances = torch.cdist(asked[:, None], self.vectors[order], compute_mode=_PLAIN)[:, 0]
        distances = self._scaled(distances, asked, self.empty[order])
        distances = distances.masked_fill(torch.from_numpy(numbers < 0), torch.inf)
        for row, left_out in enumerate(without or ()):
            distances[row, torch.isin(order[row], torch.tensor(list(left_out), dtype=torch.long))] = torch.inf
        by_number = torch.argsort(order, dim=1)
        near, at = nearest(distances.gather(1, by_number), count)
        return near, order.gather(1, by_number).gather(1, at)

    def _scaled(
        self, distances: Float[Tensor, "q k"], asked: Float[Tensor, "q d"], empty: Bool[Tensor, "*q k"]
    ) -> Tensor:
        if self.distance == "l2":
            return distances
        return torch.where((asked == 0).all(1)[:, None] ^ empty, 1.0, distances.square() / 2)


_PLAIN = "donot_use_mm_for_euclid_dist"  # a text alone has the distances that it has among others


def _graph(vectors: Float[Tensor, "n d"]) -> Any:
    try:
        import faiss
    except ImportError:
        raise MissingExtraError("faiss-cpu", "search", "approximate search (search=hnsw)") from None
    graph = faiss.IndexHNSWFlat(vectors.shape[1], 32)
    graph.hnsw.efConstruction = 200
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # in one order, so that the graph is the same again
    graph.add(vectors.float().numpy())
    faiss.omp_set_num_threads(threads)
    return graph


def nearest(distances: Float[Tensor, "q n"], count: int) -> tuple[Float[Tensor, "q k"], Int[Tensor, "q k"]]:
    """The distances and numbers of the nearest, the nearest first; equal ones in their order."""
    near, order = torch.sort(distances, dim=1, stable=True)
    return near[:, :count].clone(), order[:, :count].clone()  # not views that hold all distances
