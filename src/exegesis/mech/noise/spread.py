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


def pieces_of(texts: Sequence[Text]) -> Int[Tensor, " n"]:
    """The ids of all pieces of words in some texts, as often as they occur, sorted: texts have no order."""
    ids = [text.ids[piece] for text in texts for word in text.words for piece in range(word.start, word.stop)]
    return torch.tensor(sorted(ids), dtype=torch.long)


def variances(
    texts: Texts, sites: Sequence[Site], pool: Int[Tensor, " n"], samples: int, seed: int
) -> Float[Tensor, "s b"]:
    """σ_S² at every site for every text: the total variance of the state, the sum over its dimensions, when each piece
    of a word of the text is one drawn from ``pool``; pieces of no word stay."""
    count, width = texts.owner.shape
    drawn = torch.stack([
        pool[torch.randint(len(pool), (samples, width), generator=generator(text, seed))] for text in texts.batch.texts
    ]).to(texts.batch.device)  # fmt: skip
    words = texts.owner < texts.pieces.shape[1]
    ids = torch.where(words[:, None], drawn, texts.batch.ids[:, None])
    sums: list[list[Tensor]] = [[] for _ in sites]
    for part in parts(samples, count, width, texts.batch.device):
        index = torch.arange(count).repeat_interleave(part.stop - part.start)
        batch = replace(texts.batch.take(index), ids=ids[:, part].flatten(0, 1), texts=())
        found = texts.model.states_from(texts.model.embed(batch), batch, sites)
        for number, state in enumerate(found):
            sums[number].append(state.detach().flatten(1).double().reshape(count, len(index) // count, -1))
    return torch.stack([torch.cat(states, 1).var(1).sum(1) for states in sums])


def components(texts: Texts, pool: Int[Tensor, " n"]) -> float:
    """The standard deviation of the components of the vectors of all pieces in ``pool``, each as often as it occurs."""
    ids, counts = torch.unique(pool, return_counts=True)
    batch = filled(ids.to(texts.batch.device), texts.owner.shape[1])
    vectors = texts.model.embed(batch).flatten(0, 1)[: len(ids)].double()
    weights = (counts / counts.sum()).to(vectors)[:, None] / vectors.shape[1]
    mean = (weights * vectors).sum()
    return float((weights * (vectors - mean).square()).sum().sqrt())
