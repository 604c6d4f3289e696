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
from exegesis.protocols.draws import generator
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

    Over a Latin hypercube the mean hardly varies, so that sums of squares are divided by their number, not by one less.
    ``samples`` are drawn in up to ``GROUPS`` independent groups of equal size (what is left over is not drawn). The
    error of a single group, which has none, is the whole variance.
    """
    count, width = texts.owner.shape
    groups = min(GROUPS, samples // 2)
    size, samples = samples // groups, samples // groups * groups
    every = []
    for text in texts.batch.texts:
        draws = generator(text, seed)
        every.append(torch.cat([pool[_places(len(pool), size, width, draws)] for _ in range(groups)]))
    drawn = torch.stack(every).to(texts.batch.device)
    words = texts.owner < texts.pieces.shape[1]
    ids = torch.where(words[:, None], drawn, texts.batch.ids[:, None])
    sums: list[list[Tensor]] = [[] for _ in sites]
    for part in parts(samples, count, width, texts.batch.device):
        index = torch.arange(count).repeat_interleave(part.stop - part.start)
        batch = replace(texts.batch.take(index), ids=ids[:, part].flatten(0, 1), texts=())
        found = texts.model.states_from(texts.model.embed(batch), batch, sites)
        for number, state in enumerate(found):
            sums[number].append(state.detach().flatten(1).double().reshape(count, len(index) // count, -1))
    split = [torch.cat(states, 1).reshape(count, groups, size, -1) for states in sums]
    whole = torch.stack([part.var(2, correction=0).sum(2).T for part in split])  # [site, group, text]
    return whole.mean(1), whole.std(1) / groups**0.5 if groups > 1 else whole[:, 0].clone()


def _places(size: int, samples: int, width: int, draws: torch.Generator) -> Int[Tensor, "m t"]:
    """Places in a pool for every piece of every sample: a Latin hypercube, so that each piece is drawn about as often
    at each place of a text as it stands in the pool, and the variance depends less on the draws."""
    order = torch.stack([torch.randperm(samples, generator=draws) for _ in range(width)], 1)
    within = torch.rand(samples, width, generator=draws, dtype=torch.float64)
    return ((order + within) * (size / samples)).long().clamp_max(size - 1)


def components(texts: Texts, pool: Int[Tensor, " n"]) -> float:
    """The standard deviation of the components of the vectors of all pieces in ``pool``, each as often as it occurs."""
    ids, counts = torch.unique(pool, return_counts=True)
    batch = filled(ids.to(texts.batch.device), texts.owner.shape[1])
    vectors = texts.model.embed(batch).flatten(0, 1)[: len(ids)].double()
    weights = (counts / counts.sum()).to(vectors)[:, None] / vectors.shape[1]
    mean = (weights * vectors).sum()
    return float((weights * (vectors - mean).square()).sum().sqrt())
