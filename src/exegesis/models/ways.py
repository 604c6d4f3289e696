"""The ways by which words reach a model's outputs: their vectors alone, or another way besides."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable

ELSEWHERE = "its words reach its outputs by another way than their vectors"
WORK = 10**9  # about as many products are spent on trying the words of a vocabulary
FEWEST = 64  # words that are tried whatever the size of the module
AT_ONCE = 256  # texts per call
REPEATING = 8  # texts of few different words
NOISE = 10.0  # times the difference between two equal runs that may be rounding
UNITS = 4.0  # units in the last place of the largest output that may be rounding


def tried_words(
    module: nn.Module, ids: Collection[int], tables: Collection[nn.Module], fewest: int = FEWEST
) -> Int[Tensor, " n"]:
    """The words to try, in an order drawn from a fixed seed: all of ``ids`` where that is no great work.

    ``tables`` are the module's word vectors, whose size costs nothing.
    """
    inside = {id(weight) for table in tables for weight in table.parameters()}
    size = sum(weight.numel() for weight in module.parameters() if id(weight) not in inside)
    number = max(fewest, WORK // max(size, 1))
    order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(0))[:number]
    return torch.tensor(list(ids), dtype=torch.long)[order]


def texts_of(
    words: Int[Tensor, " n"], length: int, most: int | None = None
) -> Iterator[tuple[Int[Tensor, "b t"], Int[Tensor, "b t"]]]:
    """The ids of texts of one length that hold each word, each with the ids of another text of them.

    At most ``most`` texts, in portions for a call. The first ones hold one, two, three ... different words and repeat
    them: a module may count its words. Where all words are tried, each stands in one text twice besides, since it may
    count there alone.
    """
    few = torch.stack([words[torch.arange(length) % (number + 1) % len(words)] for number in range(REPEATING)])
    rows = -(-len(words) // length)
    each = words.repeat(-(-rows * length // len(words)))[: rows * length].view(rows, length)
    ids = torch.cat([few, each, _doubled(words, length)] if most is None else [few, each])[:most]
    yield from zip(torch.split(ids, AT_ONCE), torch.split(ids.roll(1, 0), AT_ONCE), strict=True)


def _doubled(words: Int[Tensor, " n"], length: int) -> Int[Tensor, "b t"]:
    """Texts in which each word is followed by itself; those of an odd length end with a word of another text."""
    pairs = length // 2
    if not pairs:
        return words.new_zeros(0, length)
    rows = -(-len(words) // pairs)
    each = words.repeat(-(-rows * pairs // len(words)))[: rows * pairs].view(rows, pairs)
    return torch.cat([each.repeat_interleave(2, 1), each.roll(1, 0)[:, : length % 2]], 1)


@torch.no_grad()
def by_another_way(model: Differentiable, batch: Batch, ids: Int[Tensor, "b t"]) -> bool:
    """True if the outputs for the vectors of ``ids`` change when a batch's own ids stand beneath them.

    Both runs take the same vectors, so that nothing but the ids can tell them apart. If they differ, it is measured by
    how much two equal runs do.
    """
    others = replace(batch, ids=ids, texts=())
    vectors = model.embed(others)
    first, beneath = (model.outputs_from(vectors, under) for under in (others, batch))
    change = _largest(beneath - first)
    if change <= UNITS * torch.finfo(first.dtype).eps * _largest(first):
        return False
    return change > NOISE * _largest(model.outputs_from(vectors, others) - first)


def _largest(values: Float[Tensor, "b c"]) -> float:
    return float(values.nan_to_num().abs().max())
