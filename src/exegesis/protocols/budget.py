"""Budgets for work that runs at a time: rows, padded pieces and numbers, by the memory of the device.

Each kind of work has a budget for the CPU. On a CUDA device the budget grows and shrinks with the free memory, by
powers of two, so that batches seldom change between runs. ``limited`` replaces a budget for the length of a block.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from math import floor, log2
from pathlib import Path
from typing import Literal

import torch

Work = Literal[
    "texts", "classifier", "language", "perturbed", "masks", "suffixes", "coalitions", "replacements", "gradients",
    "paths", "panels", "phrases", "relevance", "contexts", "states", "examples", "factors",
]  # fmt: skip
UNBOUND = sys.maxsize
REFERENCE = 8 << 30  # bytes of free device memory for which the budgets of the CPU hold unchanged
SMALLEST, LARGEST = 1 / 8, 64.0  # factors for other amounts of memory


@dataclass(frozen=True)
class Budget:
    """Limits of one kind of work: at most so many rows, padded pieces and numbers in memory at a time."""

    rows: int = UNBOUND
    pieces: int = UNBOUND
    numbers: int = UNBOUND

    def rows_of(self, width: int) -> int:
        """The number of rows of ``width`` padded pieces that fit; one if a single row is too large."""
        return max(1, min(self.rows, self.pieces // max(width, 1)))

    def times(self, factor: float) -> Budget:
        """The budget for ``factor`` times as much memory; every limit is at least 1."""
        limits = (self.rows, self.pieces, self.numbers)
        return Budget(*(limit if limit == UNBOUND else max(1, int(limit * factor)) for limit in limits))


BUDGETS: Mapping[Work, Budget] = {
    "texts": Budget(rows=64, pieces=1 << 14),  # texts that a method explains together
    "classifier": Budget(rows=256, pieces=1 << 14),  # texts in one call of a Hugging Face classifier
    "language": Budget(pieces=1 << 12),  # texts in one call of a masked model: 0.5 GB of logits over 30,000 words
    "perturbed": Budget(pieces=1 << 15),  # texts with parts removed, in one call of the model
    "masks": Budget(pieces=1 << 20),  # masks of perturbed texts that are written out
    "suffixes": Budget(rows=1 << 12, pieces=1 << 23),  # suffixes that step together
    "coalitions": Budget(rows=1 << 16, pieces=1 << 17, numbers=1 << 23),  # requested together, written out, their bits
    "replacements": Budget(rows=1 << 12, pieces=1 << 15),  # texts with other words drawn, in one call of the model
    "gradients": Budget(pieces=1 << 14, numbers=1 << 25),  # texts in one backward pass, gradients that are averaged
    "paths": Budget(pieces=1 << 14),  # points of paths, in one pass
    "panels": Budget(rows=1 << 10),  # panels of an integral at a time
    "phrases": Budget(rows=1 << 11, numbers=1 << 25),  # phrases that step together, and their states
    "relevance": Budget(numbers=1 << 25),  # relevances of one direction of a layer
    "contexts": Budget(rows=1 << 9, pieces=1 << 14),  # contexts of phrases, as many as fit the caches of a CPU
    "states": Budget(numbers=1 << 23),  # states of contexts of phrases, over all layers
    "examples": Budget(rows=64, pieces=1 << 12),  # training texts in one pass with gradients to weights
    "factors": Budget(numbers=1 << 28),  # factors of gradients that are kept from pass to pass
}
_LIMITED: ContextVar[Mapping[Work, Budget]] = ContextVar("limited", default={})  # noqa: B039  (never changed in place)


def budget_for(work: Work, device: torch.device | None = None) -> Budget:
    """The budget of a kind of work on a device, by default the CPU."""
    replaced = _LIMITED.get()
    if work in replaced:
        return replaced[work]
    if device is None or device.type != "cuda":
        return BUDGETS[work]
    return BUDGETS[work].times(factor_of(free_memory(device)))


def free_memory(device: torch.device) -> int:
    """Bytes that new tensors can take on a CUDA device, including those that torch has set aside and does not use."""
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + unused


def main_memory() -> int:
    """Bytes that new arrays can take in main memory, as the system tells; all of it where it does not."""
    try:
        told = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text("ascii"))
        if told:
            return int(told.group(1)) << 10
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return UNBOUND


def factor_of(free: int) -> float:
    """The power of two by which budgets grow or shrink for so many free bytes."""
    return min(max(2.0 ** floor(log2(max(free, 1) / REFERENCE)), SMALLEST), LARGEST)


@contextmanager
def limited(work: Work, **limits: int) -> Iterator[None]:
    """Replace limits (``rows``, ``pieces``, ``numbers``) of a kind of work for the length of a block."""
    token = _LIMITED.set({**_LIMITED.get(), work: replace(BUDGETS[work], **limits)})
    try:
        yield
    finally:
        _LIMITED.reset(token)
