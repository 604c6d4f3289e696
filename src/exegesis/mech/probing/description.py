"""The length of the description of labels by states: how many bits say the labels to one who has the states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.mech.probing.classifiers import Fit

SHARES = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)  # of Voita and Titov


def online_code(
    states: Float[Tensor, "n d"], labels: Int[Tensor, " n"], classes: int, fit: Fit, shares: Sequence[float] = SHARES
) -> float:
    """The bits of the online code (Voita and Titov 2020, Eq. 3).

    t_1 log2 K for the first block of labels, then for each block −Σ log2 p of its labels by the probe that was fitted
    to all blocks before. Blocks end at ``shares`` of the examples, in their order; those that would be empty fall away.
    Of few examples the first blocks hold one or two, and each label that none of them has costs the next probe up to
    twenty bits: states that say nothing of ten classes take 6.3 bits a label of 200, 3.6 of 2,000, and log2 10 is 3.3.
    """
    count = len(labels)
    ends = sorted({max(1, round(share * count)) for share in shares})
    bits = ends[0] * math.log2(classes)
    for start, stop in pairwise(ends):
        probe = fit(states[:start], labels[:start], classes)
        logs = probe.logs(states[start:stop]).gather(1, labels[start:stop, None])
        bits -= float(logs.sum()) / math.log(2)
    return bits


def uniform_code(count: int, classes: int) -> float:
    """The bits of as many labels without any states: n log2 K."""
    return count * math.log2(classes)


def shuffled_together(
    states: Float[Tensor, "n d"], labels: Int[Tensor, " n"], seed: int
) -> tuple[Float[Tensor, "n d"], Int[Tensor, " n"]]:
    """States and labels in one random order, which the online code needs."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    return states[order], labels[order]
