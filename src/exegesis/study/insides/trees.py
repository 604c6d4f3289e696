"""Trees in hidden states: structural probes of a layer, judged sentence by sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import spearmanr
from torch import Tensor

from exegesis.data.treebank import Sentence
from exegesis.mech.probing.structure import Trees, arcs, fitted, spanning, squared_distances
from exegesis.results.internals.probes import Structure
from exegesis.statistics.bootstrap import draw_texts, interval, resampled_ratios

LENGTHS = range(5, 51)  # of sentences whose correlations are averaged (Hewitt and Manning 2019)


def structures(
    layer: str, sentences: Sequence[Sentence], states: list[Float[Tensor, "t d"]], blank: list[Float[Tensor, "t d"]],
    first: set[int], rank: int, samples: int, seed: int,
) -> list[Structure]:  # fmt: skip
    """The structural probes of a layer with a state for each word; none for a single vector."""
    if len(states[0]) != len(sentences[0].words):
        return []
    held = [number for number in range(len(sentences)) if number not in first]
    rows = []
    for kind in ("distance", "depth"):
        found, beside = (_measured(kind, sentences, one, first, held, rank, seed) for one in (states, blank))
        right, counts = (np.array([one[part] for one in found]) for part in (0, 1))
        drawn = resampled_ratios(right[None], counts, draw_texts(len(held), samples, seed))
        base = [_judged(kind, sentences[n], _positions(kind, len(sentences[n].words))) for n in held]
        rows.append(
            Structure(
                kind, layer, len(held), right.sum() / counts.sum(), *interval(drawn[0], len(held)), _correlation(found),
                sum(one[0] for one in beside) / counts.sum(), _correlation(beside),
                sum(one[0] for one in base) / counts.sum(),
            )
        )  # fmt: skip
    return rows


def _measured(
    kind: str, sentences: Sequence[Sentence], states: list[Float[Tensor, "t d"]], first: set[int], held: Sequence[int],
    rank: int, seed: int,
) -> list[tuple[float, float, float, int]]:  # fmt: skip
    """Of each sentence that was held back: what was right, of how many, the rank correlation, and the length."""
    numbers = sorted(first)
    trees = _padded([sentences[n] for n in numbers], [states[n] for n in numbers])
    matrix = fitted(trees, rank, seed, depth=kind == "depth")
    found = []
    for n in held:
        projected = states[n] @ matrix.T
        if kind == "depth":
            found.append(_judged(kind, sentences[n], projected.square().sum(1).cpu().numpy()))
        else:
            found.append(_judged(kind, sentences[n], squared_distances(projected[None])[0].cpu().numpy()))
    return found


def _padded(sentences: Sequence[Sentence], states: Sequence[Float[Tensor, "t d"]]) -> Trees:
    longest = max(len(sentence.words) for sentence in sentences)
    first = states[0]
    inputs = first.new_zeros(len(sentences), longest, first.shape[1])
    distance, depth = first.new_zeros(len(sentences), longest, longest), first.new_zeros(len(sentences), longest)
    real = torch.zeros(len(sentences), longest, dtype=torch.bool, device=first.device)
    for row, (sentence, own) in enumerate(zip(sentences, states, strict=True)):
        size = len(sentence.words)
        between, down = arcs(sentence.heads)
        inputs[row, :size], real[row, :size] = own, True
        distance[row, :size, :size], depth[row, :size] = torch.tensor(between).to(first), torch.tensor(down).to(first)
    return Trees(inputs, distance, depth, real)


def _positions(kind: str, size: int) -> Float[np.ndarray, " *n"]:
    """Distances, or depths, that know the order of words alone."""
    places = np.arange(size, dtype=np.float64)
    return places if kind == "depth" else np.abs(places[:, None] - places)


def _judged(kind: str, sentence: Sentence, found: Float[np.ndarray, " *n"]) -> tuple[float, float, float, int]:
    """What is right of a sentence, of how many, the rank correlation (NaN for a constant), and the length."""
    kept = [word for word, relation in enumerate(sentence.relations) if relation != "punct"]
    between, down = arcs(sentence.heads)
    if kind == "depth":
        root = sentence.heads.index(-1)
        own = min(kept, key=lambda word: float(found[word])) if kept else -1
        right, count, pairs = float(own == root), 1.0, [(found, down)]
    else:
        arcs_of = {(min(w, h), max(w, h)) for w, h in enumerate(sentence.heads) if h >= 0 and w in kept and h in kept}
        tree = {(kept[a], kept[b]) for a, b in spanning(found[np.ix_(kept, kept)])}
        right, count, pairs = float(len(arcs_of & tree)), float(len(arcs_of)), list(zip(found, between, strict=True))
    ranks = [spearmanr(a, b).statistic for a, b in pairs if np.ptp(a) > 0 and np.ptp(b) > 0]
    return right, count, float(np.mean(ranks)) if ranks else float("nan"), len(sentence.words)


def _correlation(found: Sequence[tuple[float, float, float, int]]) -> float:
    """The mean rank correlation of each length, averaged over the lengths."""
    means = []
    for length in LENGTHS:
        own = [rank for _, _, rank, size in found if size == length and not np.isnan(rank)]
        if own:
            means.append(float(np.mean(own)))
    return float(np.mean(means)) if means else float("nan")
