"""Probes once more, plainly: the objective of a linear probe, the online code, arcs in a tree, structural losses."""

from __future__ import annotations

import math

import torch


def objective(probe, states, labels, penalty):
    """The mean cross-entropy plus penalty / 2 times the squared weights."""
    total = 0.0
    for state, label in zip(states, labels.tolist(), strict=True):
        scores = probe.network.weight @ ((state - probe.mean) / probe.scale) + probe.network.bias
        total += float(torch.log(torch.exp(scores).sum()) - scores[label])
    return total / len(states) + penalty / 2 * float((probe.network.weight**2).sum())


def online_code(blocks, classes, fit):
    """t_1 log2 K − Σ_blocks log2 p(labels | states, all before) (Voita and Titov 2020, Eq. 3)."""
    bits = len(blocks[0][1]) * math.log2(classes)
    for number in range(1, len(blocks)):
        before = [torch.cat([block[part] for block in blocks[:number]]) for part in (0, 1)]
        probe = fit(*before, classes)
        for state, label in zip(*blocks[number], strict=True):
            bits -= float(probe.logs(state[None])[0, label]) / math.log(2)
    return bits


def arcs_between(heads):
    """The arcs on the way between every two words, by walking the tree."""
    ways = {word: {word, head} for word, head in enumerate(heads) if head >= 0}
    near = {word: {b for way in ways.values() if word in way for b in way} - {word} for word in range(len(heads))}
    table = []
    for start in range(len(heads)):
        found, edge = {start: 0}, [start]
        while edge:
            edge = [b for a in edge for b in near[a] if b not in found and not found.update({b: found[a] + 1})]
        table.append([found[word] for word in range(len(heads))])
    return table


def distance_loss(matrix, sentences):
    """The mean over sentences of Σ |d_T − ‖B(h_i − h_j)‖²| / length²."""
    total = 0.0
    for states, distances in sentences:
        for i, one in enumerate(states):
            for j, other in enumerate(states):
                moved = matrix @ (one - other)
                total += abs(distances[i][j] - float(moved @ moved)) / len(states) ** 2
    return total / len(sentences)
