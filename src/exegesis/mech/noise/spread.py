"""The normaliser of Eq. 7: how much a state varies when a text's words are drawn anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.text import Text
from exegesis.mech.noise.states import Texts, parts
from exegesis.protocols.batch import filled
from exegesis.protocols.insides import Site

GROUPS = 8  # of draws, from whose differences the error of a variance is told


def pieces_of(texts: Sequence[Text]) -> Int[Tensor, " n"]:
    """The ids of all pieces of words in some texts, as often as they occur, sorted: texts have no order."""
    ids = [text.ids[piece] for text in texts for word in text.words for piece in range(word.start, word.stop)]
    return torch.tensor(sorted(ids), dtype=torch.long)


def variances(
    texts: Texts, sites: Sequence[Site], pool: Int[Tensor, " n"], samples: int, seed: int
) -> tuple[Float[Tensor, "s b"], Float[Tensor, "s b"]]:
    """σ_S² at every site for every text, and its standard error: the total variance of the state, the sum over its
    dimensions, when each piece of a word of the text is one drawn from ``pool``; pieces of no word stay.

    ``samples`` are drawn in up to ``GROUPS`` independent groups of equal size (what is left over is not drawn), each a
    Latin hypercube, over which the mean of a state hardly varies. The variance is the mean of squares less the product
    of the means of two groups, over all pairs of groups: without bias, whether words act alone or only together. The
    error is the jackknife's over groups; that of less than three, which have none, is the whole variance.

    The draws at a place depend on ``seed`` and the place alone. So what they leave of chance moves the words of all
    texts together, and the order of words of several texts does not hang on it.
    """
    count, width = texts.owner.shape
    groups = min(GROUPS, samples)
    size, samples = samples // groups, samples // groups * groups
    drawn = pool[_places(len(pool), groups, size, width, seed)].to(texts.batch.device)
    words = texts.owner < texts.pieces.shape[1]
    ids = torch.where(words[:, None], drawn[None], texts.batch.ids[:, None])
    sums: list[list[Tensor]] = [[] for _ in sites]
    for part in parts(samples, count, width, texts.batch.device):
        index = torch.arange(count).repeat_interleave(part.stop - part.start)
        batch = replace(texts.batch.take(index), ids=ids[:, part].flatten(0, 1), texts=())
        found = texts.model.states_from(texts.model.embed(batch), batch, sites)
        for number, state in enumerate(found):
            sums[number].append(state.detach().flatten(1).double().reshape(count, len(index) // count, -1))
    split = [torch.cat(states, 1).reshape(count, groups, size, -1) for states in sums]
    whole, errors = zip(*map(_variance, split), strict=True)
    return torch.stack(whole), torch.stack(errors)


def _variance(states: Float[Tensor, "b g m d"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """The total variance of each text's states in g groups, and its standard error (see ``variances``)."""
    groups = states.shape[1]
    centred = states - states.mean((1, 2), keepdim=True)
    squares, means = centred.square().mean(2).sum(2), centred.mean(2).square().sum(2)
    # of each group, the mean over the others of the pair's variance; the means of all groups add up to 0
    each = 0.5 * squares + (0.5 * (squares.sum(1, keepdim=True) - squares) + means) / (groups - 1)
    whole = each.mean(1)
    if groups < 3:
        return whole, whole.clone()
    moved = 2 / (groups - 2) * (each - whole[:, None])  # by leaving a group out
    return whole, ((groups - 1) / groups * moved.square().sum(1)).sqrt()


def _places(size: int, groups: int, samples: int, width: int, seed: int) -> Int[Tensor, "m t"]:
    """Places in a pool for every piece of every sample, group by group: in each a Latin hypercube, so that each piece
    is drawn about as often at each place of a text as it stands in the pool."""
    columns = []
    for place in range(width):
        draws = torch.Generator().manual_seed(seed * 1_000_003 + place)
        order = torch.cat([torch.randperm(samples, generator=draws) for _ in range(groups)])
        within = torch.rand(groups * samples, generator=draws, dtype=torch.float64)
        columns.append(((order + within) * (size / samples)).long().clamp_max(size - 1))
    return torch.stack(columns, 1)


def components(texts: Texts, pool: Int[Tensor, " n"]) -> float:
    """The standard deviation of the components of the vectors of all pieces in ``pool``, each as often as it occurs."""
    ids, counts = torch.unique(pool, return_counts=True)
    batch = filled(ids.to(texts.batch.device), texts.owner.shape[1])
    vectors = texts.model.embed(batch).flatten(0, 1)[: len(ids)].double()
    weights = (counts / counts.sum()).to(vectors)[:, None] / vectors.shape[1]
    mean = (weights * vectors).sum()
    return float((weights * (vectors - mean).square()).sum().sqrt())
