"""The toy modules of ``torch_toys`` as plain arrays: weights, starts, word vectors, and the readout as blocks."""

from __future__ import annotations

import numpy as np

from tests.reference import cells


def layers(shape, module):
    """``[layer][way]``: weights, and the states (h, c) before the text."""
    ways = 2 if shape.both else 1
    weights = [[cells.Weights.of(module.rnn, k, way == 1) for way in range(ways)] for k in range(shape.layers)]
    zero = np.zeros((shape.layers * ways, shape.hidden))
    h, c = (cells.plain(part)[:, 0] for part in module.start) if shape.starts else (zero, zero)
    first = [[(h[k * ways + way], c[k * ways + way]) for way in range(ways)] for k in range(shape.layers)]
    return weights, first


def vectors(module, ids):
    return cells.plain(module.embedding.weight)[list(ids)]


def blocks(shape, module, states):
    """The pooling as (direction, columns of the output layer, weights [T, n]), over states in the order of the text."""
    W, n, T = cells.plain(module.out.weight), shape.hidden, len(states[0])

    def at(place):
        return np.repeat(np.eye(T)[place][:, None], n, 1)

    def attended():
        score = np.tanh(np.concatenate(states, 1)) @ cells.plain(module.attend.weight)[0]
        score = np.exp(score - score.max())
        return np.repeat((score / score.sum())[:, None], n, 1)

    kinds = {
        "last": lambda way: at(0 if way else T - 1),
        "first": lambda way: at(0),
        "mean": lambda way: np.full((T, n), 1 / T),
        "sum": lambda way: np.ones((T, n)),
        "max": lambda way: 1.0 * (np.arange(T)[:, None] == states[way].argmax(0)),
        "attention": lambda way: attended(),
    }
    ways = range(len(states))
    if shape.readout == "summed":
        return [(way, W, kinds["last"](way)) for way in ways]
    if shape.readout == "averaged":
        return [(way, W / 2, at(0)) for way in ways]
    names = ["last", "max", "mean"] if shape.readout == "concat" else [shape.readout]
    pooled = [(way, kinds[name](way)) for name in names for way in ways]
    return [(way, W[:, k * n : (k + 1) * n], weights) for k, (way, weights) in enumerate(pooled)]


def bias(module):
    return 0.0 if module.out.bias is None else cells.plain(module.out.bias)
