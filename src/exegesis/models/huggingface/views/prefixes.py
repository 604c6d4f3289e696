"""Rows that begin as one text does, continued from the states of that text instead of read from their first piece.

A causal model's state at a piece depends on the pieces before it alone, so that a text without some pieces has, up to
the first that is gone, the states of the whole text. The whole text is read once with the model's own cache of keys and
values; each row hands in the rest of its pieces with their positions, and a mask that hides what the cache has beyond
its own beginning.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import Budget

NEEDED = {"use_cache", "position_ids", "attention_mask"}
CACHE = ("cache", "past_key_values")  # the argument that holds keys and values, in newer transformers and in older ones
TRIAL, CALL = 3, 24  # texts read before any row goes on, and the pieces that one more call costs about as much as
NEAR = 0.75  # of the longest rest in a call: shorter ones would be filled up


def cache_of(module: nn.Module) -> str | None:
    """The argument by which a module takes its cache; None if it does not take all that continuing needs."""
    taken = set(inspect.signature(module.forward).parameters)
    return next((name for name in CACHE if name in taken), None) if taken >= NEEDED else None


def beginnings(batch: Batch, whole: Int[Tensor, " t"], most: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
    """The number of pieces with which each row begins as the whole text does, at most so many."""
    width = min(batch.ids.shape[1], len(whole))
    alike: Bool[Tensor, "b w"] = (batch.ids[:, :width] == whole[:width]) & batch.mask[:, :width]
    return torch.minimum(alike.long().cumprod(1).sum(1), most)


def worth(batch: Batch, begun: Int[Tensor, " b"], grouped: Sequence[Sequence[int]], length: int) -> bool:
    """True if going on in these groups reads fewer pieces than whole rows, by more than what it costs besides."""
    rests: list[int] = (batch.lengths - begun).tolist()
    read = sum(len(rows) * rests[rows[0]] for rows in grouped)
    return int(batch.mask.sum()) - read > TRIAL * length + CALL * len(grouped)


def alike(rests: Sequence[int], length: int, budget: Budget) -> list[list[int]]:
    """Rows in groups, longest rest first, each rest at least ``NEAR`` of the first of its group, within a budget.

    The states of the whole text, of this ``length``, come with each row.
    """
    grouped: list[list[int]] = []
    for row in sorted(range(len(rests)), key=lambda row: (-rests[row], row)):
        first = rests[grouped[-1][0]] if grouped else 0
        if grouped and rests[row] >= NEAR * first and len(grouped[-1]) < budget.rows_of(length + first):
            grouped[-1].append(row)
        else:
            grouped.append([row])
    return grouped


def rest_of(batch: Batch, begun: Int[Tensor, " b"]) -> Batch:
    """What is left of each row after its beginning."""
    width = int((batch.lengths - begun).max())
    places = begun[:, None] + torch.arange(width, device=batch.device)
    mask = places < batch.lengths[:, None]
    places = places.clamp_max(batch.ids.shape[1] - 1)
    ids, segments = (value.gather(1, places).masked_fill(~mask, 0) for value in (batch.ids, batch.segments))
    return Batch(ids, mask, segments)


@dataclass(frozen=True, eq=False)
class Beginning:
    """The states of one whole text of ``length`` pieces, and its logits.

    ``cache`` is the model's own, its argument is ``name``.
    """

    name: str
    cache: Any
    length: int
    logits: Float[Tensor, "1 t v"]

    def arguments(self, rest: Batch, begun: Int[Tensor, " b"]) -> dict[str, Any]:
        """The arguments beside ids with which a module reads the rest of rows; the cache is a copy."""
        cache = copy.deepcopy(self.cache)
        cache.batch_repeat_interleave(len(rest))
        step = torch.arange(rest.ids.shape[1], device=rest.device)
        known = torch.arange(self.length, device=rest.device) < begun[:, None]
        return {
            "attention_mask": torch.cat([known, rest.mask], 1).long(),
            "position_ids": begun[:, None] + step.minimum((rest.lengths - 1).clamp_min(0)[:, None]),
            self.name: cache,
            "use_cache": True,
            "return_dict": True,
        }


def read_once(module: nn.Module, call: Callable[..., Any], length: int) -> Beginning | None:
    """The states of a text, from one ``call`` of its module; None from a module without a cache of this kind."""
    name = cache_of(module)
    if name is None:
        return None
    answer = call(use_cache=True, return_dict=True)
    cache = getattr(answer, name, None)
    return Beginning(name, cache, length, answer.logits) if hasattr(cache, "batch_repeat_interleave") else None
