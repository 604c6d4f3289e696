"""Names for the constants that a module adds to its words: the vectors of positions and of segments.

They are told by what is looked up, not by names in the module: a lookup of the words' own ids is of words, one of ids
that rise along the text is of positions, one in a table of few rows is of segments. A table that is cut to the length
of the text holds positions.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from exegesis.mech.backward.mode import Namer
from exegesis.protocols.batch import Batch

POSITIONS, SEGMENTS = "positions", "segments"
FEW = 4  # a table of at most so many rows tells segments apart


def lookups(batch: Batch) -> Namer:
    """A ``Namer`` for ``Mode``: the name of what a function of constants looks up, None for anything else."""
    words: set[int] = set()
    length = batch.ids.shape[1]

    def name(function: str, args: tuple[Any, ...], options: dict[str, Any]) -> str | None:
        if function in ("__getitem__", "narrow", "select"):
            source, result = args[0], args[0].shape
            long = source.ndim > 1 and any(size >= length for size in result[:-1])
            return POSITIONS if long and length > 1 and source.grad_fn is None and _is_table(source) else None
        if function != "embedding":
            return None
        ids = args[0] if args else options["input"]
        weight = args[1] if len(args) > 1 else options["weight"]
        alike = ids.shape == batch.ids.shape
        if alike and (torch.equal(ids, batch.ids) or bool(((ids == batch.ids) | ~batch.mask).all())):
            words.add(id(weight))
        return None if id(weight) in words else _looked_up(ids, len(weight), batch)

    return name


def _is_table(source: Tensor) -> bool:
    """True for a module's own table of vectors: a parameter or a buffer of floating numbers that are not a mask's."""
    low = torch.finfo(source.dtype).min / 4 if source.is_floating_point() else 0
    return source.is_floating_point() and source.is_leaf and bool((source > low).all())


def _looked_up(ids: Int[Tensor, "*shape"], size: int, batch: Batch) -> str | None:
    if ids.ndim == 0 or not ids.numel():
        return None
    of_texts = ids.ndim == 2 and len(ids) == len(batch)
    row = ids.reshape(-1, ids.shape[-1])[int(batch.lengths.argmax()) if of_texts else 0]
    row = row[: int(batch.lengths.max())]
    if len(row) > 1 and bool((row.diff() > 0).all()):
        return POSITIONS
    if size <= FEW:
        return SEGMENTS
    return None if of_texts and len(row) > 1 else POSITIONS
