"""Texts as one padded tensor of ids, and the arithmetic of taking rows and removing pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from exegesis.core.text import Text


@dataclass(frozen=True, eq=False)
class Batch:
    """Texts padded on the right.

    ``ids[b, t]`` are the model's ids, ``mask[b, t]`` is true on real pieces, ``segments[b, t]`` numbers the part of a
    pair. ``texts`` are the texts themselves if the rows still are whole texts, and empty for perturbed rows.
    """

    ids: Int[Tensor, "b t"]
    mask: Bool[Tensor, "b t"]
    segments: Int[Tensor, "b t"]
    texts: tuple[Text, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> Int[Tensor, " b"]:
        """The number of real pieces of each row."""
        return self.mask.sum(1)

    @property
    def device(self) -> torch.device:
        return self.ids.device

    def take(self, rows: Int[Tensor, " n"]) -> Batch:
        """The rows with these numbers, in their order, cut to the longest of them."""
        index = rows.to(self.device)
        width = max(int(self.lengths[index].max()), 1) if len(rows) else self.ids.shape[1]
        return replace(
            self,
            ids=self.ids[index, :width],
            mask=self.mask[index, :width],
            segments=self.segments[index, :width],
            texts=tuple(self.texts[i] for i in rows.tolist()) if self.texts else (),
        )

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        if device == self.device:
            return self
        return replace(self, ids=self.ids.to(device), mask=self.mask.to(device), segments=self.segments.to(device))


def pad(texts: Sequence[Text], pad_id: int, device: torch.device | str = "cpu") -> Batch:
    """A batch of texts, padded on the right with ``pad_id``."""
    width = max((len(text) for text in texts), default=0)
    ids = torch.full((len(texts), width), pad_id, dtype=torch.long)
    mask = torch.zeros((len(texts), width), dtype=torch.bool)
    segments = torch.zeros((len(texts), width), dtype=torch.long)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text.ids, dtype=torch.long)
        mask[row, : len(text)] = True
        for number, segment in enumerate(text.segments[1:], 1):
            segments[row, segment.start : segment.stop] = number
    return Batch(ids.to(device), mask.to(device), segments.to(device), tuple(texts))


def filled(ids: Int[Tensor, " n"], width: int) -> Batch:
    """Rows of a width that hold all of some ids in their order, the first ones again at the end."""
    rows = max(1, -(-len(ids) // width))
    table = ids.repeat(-(-rows * width // max(1, len(ids))))[: rows * width].view(rows, width)
    return Batch(table, torch.ones_like(table, dtype=torch.bool), torch.zeros_like(table))


def compact(batch: Batch, keep: Bool[Tensor, "b t"], pad_id: int) -> Batch:
    """Each row without the pieces for which ``keep`` is false; the other pieces move up in their order."""
    keep = keep & batch.mask
    order = torch.argsort((~keep).to(torch.uint8), dim=1, stable=True)
    lengths = keep.sum(1)
    width = max(int(lengths.max()), 1) if len(keep) else 0
    order = order[:, :width]
    mask = torch.arange(width, device=keep.device) < lengths[:, None]
    ids = batch.ids.gather(1, order).masked_fill(~mask, pad_id)
    segments = batch.segments.gather(1, order).masked_fill(~mask, 0)
    return Batch(ids, mask, segments)


def distinct(key: Int[Tensor, "n w"]) -> tuple[Int[Tensor, " u"], Int[Tensor, " n"]]:
    """The first of equal rows, for each distinct row; and for each row its number among the distinct ones."""
    if len(key) < 2:
        index = torch.arange(len(key), device=key.device)
        return index, index
    _, back = torch.unique(key, dim=0, return_inverse=True)
    first = torch.full((int(back.max()) + 1,), len(key), dtype=torch.long, device=key.device)
    first.scatter_reduce_(0, back, torch.arange(len(key), device=key.device), "amin")
    return first, back


def groups(lengths: Sequence[int], pieces: int, rows: int) -> list[list[int]]:
    """Rows in groups of similar length, longest first: at most ``rows`` rows and ``pieces`` padded pieces per group.

    A row longer than ``pieces`` is a group by itself.
    """
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    grouped: list[list[int]] = []
    for row in order:
        if grouped and len(grouped[-1]) < rows and (len(grouped[-1]) + 1) * lengths[grouped[-1][0]] <= pieces:
            grouped[-1].append(row)
        else:
            grouped.append([row])
    return grouped
