"""From numbers of words to words that are kept: the top share, or the run of the same length with the largest sum."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from exegesis.core.ties import SHARE


def counts_of(real: Bool[Tensor, "b t"], share: float) -> Tensor:
    """How many words of each text a selector may keep at most: the share rounded down, at least one.

    The papers leave rounding open; the published code of Jain et al. 2020 rounds up.
    """
    exact = real.sum(1).to(torch.float64) * share
    return torch.floor(exact + 1e-9).long().clamp(min=1)


def top_words(scores: Float[Tensor, "b t"], real: Bool[Tensor, "b t"], share: float) -> Bool[Tensor, "b t"]:
    """The ``share`` of words with the largest scores; among equal ones the first."""
    order = torch.argsort(scores.masked_fill(~real, -torch.inf), dim=1, descending=True, stable=True)
    rank = torch.argsort(order, dim=1)
    return (rank < counts_of(real, share)[:, None]) & real


def best_window(
    scores: Float[Tensor, "b t"], real: Bool[Tensor, "b t"], counts: Int[Tensor, " b"]
) -> Bool[Tensor, "b t"]:
    """The run of ``counts`` words of each text with the largest sum of scores; among equal ones the first.

    Sums that differ by no more than a millionth of the text's largest score are equal (``core.ties``).
    """
    counts, lengths = counts.to(scores.device), real.sum(1)
    own = scores.double().masked_fill(~real, 0.0)
    sums = torch.nn.functional.pad(own.cumsum(1), (1, 0))
    starts = torch.arange(scores.shape[1], device=scores.device)
    stops = (starts + counts[:, None]).clamp(max=scores.shape[1])
    totals = sums.gather(1, stops) - sums[:, :-1]
    totals = totals.masked_fill(starts + counts[:, None] > lengths[:, None], -torch.inf)
    best = totals.amax(1, keepdim=True) - SHARE * own.abs().amax(1, keepdim=True)
    first = (totals >= best).to(torch.uint8).argmax(1, keepdim=True)
    return (starts >= first) & (starts < first + counts[:, None]) & real


def discretised(
    scores: Float[Tensor, "b t"], real: Bool[Tensor, "b t"], share: float, contiguous: bool = False
) -> Bool[Tensor, "b t"]:
    """The words that are kept: the top ones, or the best run (Jain et al. 2020, Sec. 4.1)."""
    return best_window(scores, real, counts_of(real, share)) if contiguous else top_words(scores, real, share)
