"""The two texts of a pair that comes as one row of ids, with the number of ``<pair>`` between them."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.models.text.vocabulary import PAIR_NUMBER


def sides(ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> list[tuple[Tensor, Tensor]]:
    """Where each of the two texts starts, and its number of pieces, at least one."""
    places = torch.arange(ids.shape[1], device=ids.device)
    marks = (ids == PAIR_NUMBER) & (places < lengths[:, None])
    paired = marks.any(1)
    at = torch.where(paired, marks.to(torch.uint8).argmax(1), lengths)
    start = torch.where(paired, at + 1, torch.zeros_like(at))
    return [
        (torch.zeros_like(at), at.clamp_min(1)),
        (torch.minimum(start, lengths - 1), (lengths - start).clamp_min(1)),
    ]


def part_of(
    embeds: Float[Tensor, "b t d"], start: Int[Tensor, " b"], count: Int[Tensor, " b"]
) -> Float[Tensor, "b s d"]:
    """The vectors of one text of each row, padded on the right."""
    steps = torch.arange(int(count.max()), device=embeds.device)
    at = (start[:, None] + torch.minimum(steps, count[:, None] - 1)).clamp(max=embeds.shape[1] - 1)
    return embeds[torch.arange(len(embeds), device=embeds.device)[:, None], at]
