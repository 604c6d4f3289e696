"""The two parts of pairs that one model reads apart, each as a batch of its own."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.text import Span, Text
from exegesis.models.huggingface.adapter import PARTS
from exegesis.protocols.batch import Batch


def apart(batch: Batch, part: int, filling: int) -> tuple[Batch, Int[Tensor, "b s"]]:
    """One part of every row as a batch, and the places of its pieces in the rows; ``segments`` are as they were.

    A row without this part has one piece of the id ``filling`` instead.
    """
    keep = batch.mask & (batch.segments % PARTS == part)
    order = torch.argsort((~keep).to(torch.uint8), dim=1, stable=True)
    lengths = keep.sum(1)
    width = max(int(lengths.max()), 1) if len(batch) else 0
    order = order[:, :width]
    mask = torch.arange(width, device=batch.device) < lengths.clamp_min(1)[:, None]
    inside = torch.arange(width, device=batch.device) < lengths[:, None]
    ids = batch.ids.gather(1, order).masked_fill(~inside, filling)
    return Batch(ids, mask, batch.segments.gather(1, order).masked_fill(~inside, 0)), order


def taken(embeds: Float[Tensor, "b t d"] | None, order: Int[Tensor, "b s"]) -> Float[Tensor, "b s d"] | None:
    """The vectors at some places of each row."""
    return None if embeds is None else embeds.gather(1, order[..., None].expand(-1, -1, embeds.shape[-1]))


def joined(first: Text, second: Text) -> Text:
    """Two texts as the parts of one, each with its own special pieces."""
    count, shift = len(first), len(first.raw) + 1
    return Text(
        raw=f"{first.raw}\n{second.raw}",
        pieces=first.pieces + second.pieces,
        ids=first.ids + second.ids,
        offsets=first.offsets + tuple((start + shift, stop + shift) for start, stop in second.offsets),
        words=first.words + tuple(Span(word.start + count, word.stop + count) for word in second.words),
        segments=(Span(0, count), Span(count, count + len(second))),
        special=first.special + second.special,
    )
