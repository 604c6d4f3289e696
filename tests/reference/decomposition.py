"""Contextual decomposition as in Murdoch, Liu & Yu 2018, Sec. 3: one phrase of one text, step by step, both parts.

Every value is split into groups: r (relevant), i (irrelevant), b (bias). Groups of activations are averages over
orderings of what each adds; a product of two split values is written out term by term. Beyond the paper: GRU, plain
RNN, layers and directions, as the docstring of the method says.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np


def sigma(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


def bias_first(f, r, i, b):
    """The two orderings that begin with the bias: groups of f(r + i + b)."""
    of_r = ((f(b + r) - f(b)) + (f(b + i + r) - f(b + i))) / 2
    of_i = ((f(b + i) - f(b)) + (f(b + r + i) - f(b + r))) / 2
    return of_r, of_i, f(b)


def all_orderings(f, r, i, b):
    """All six; what f is at zero is the bias's."""
    values, shares = {"r": r, "i": i, "b": b}, {"r": 0.0, "i": 0.0, "b": f(0 * b)}
    for order in permutations("rib"):
        total = 0 * b
        for group in order:
            shares[group] = shares[group] + (f(total + values[group]) - f(total)) / 6
            total = total + values[group]
    return shares["r"], shares["i"], shares["b"]


def two(f, r, i):
    """Groups of f(r + i) for an f that is zero at zero."""
    return (f(r) + f(r + i) - f(i)) / 2, (f(i) + f(r + i) - f(r)) / 2


def times(x, y):
    """A product of two values of three groups: what holds no irrelevant factor, what holds one, bias x bias."""
    (x_r, x_i, x_b), (y_r, y_i, y_b) = x, y
    r = x_r * y_r + x_r * y_b + x_b * y_r
    i = x_i * y_r + x_i * y_i + x_i * y_b + x_r * y_i + x_b * y_i
    return r, i, x_b * y_b


def lstm_step(w, x, h, c, mine, share):
    """x, h, c are pairs (relevant, irrelevant); ``mine``: bias x bias of i g is the phrase's."""
    n, b = len(h[0]), w.bx + w.bh
    r, i = (w.x @ x[k] + w.h @ h[k] for k in (0, 1))
    gate = {
        letter: share(f, r[k * n : k * n + n], i[k * n : k * n + n], b[k * n : k * n + n])
        for k, (letter, f) in enumerate((("i", sigma), ("f", sigma), ("g", np.tanh)))
    }
    ig = times(gate["i"], gate["g"])
    fc = times(gate["f"], (c[0], c[1], 0 * c[0]))
    c_r, c_i = ig[0] + fc[0], ig[1] + fc[1]
    if mine:
        c_r = c_r + ig[2]
    else:
        c_i = c_i + ig[2]
    o = sigma((r + i + b)[3 * n :])
    t_r, t_i = two(np.tanh, c_r, c_i)
    return (o * t_r, o * t_i), (c_r, c_i)


def gru_step(w, x, h, c, mine, share):
    """PyTorch's GRU: n = tanh(W x + b + r (U h + b')), h' = (1 - z) n + z h."""
    n = len(h[0])
    x_r, x_i, h_r, h_i = w.x @ x[0], w.x @ x[1], w.h @ h[0], w.h @ h[1]
    part = [slice(0, n), slice(n, 2 * n), slice(2 * n, 3 * n)]
    r, z = (share(sigma, x_r[p] + h_r[p], x_i[p] + h_i[p], w.bx[p] + w.bh[p]) for p in part[:2])
    p = part[2]
    rq = times(r, (h_r[p], h_i[p], w.bh[p]))
    g = share(np.tanh, x_r[p] + rq[0], x_i[p] + rq[1], w.bx[p] + rq[2])
    new = times((-z[0], -z[1], 1 - z[2]), g)
    old = times(z, (h[0], h[1], 0 * h[0]))
    r, i = new[0] + old[0], new[1] + old[1]
    return ((r + new[2], i) if mine else (r, i + new[2])), c


def rnn_step(w, x, h, c, mine, share, f=np.tanh):
    r, i, b = share(f, w.x @ x[0] + w.h @ h[0], w.x @ x[1] + w.h @ h[1], w.bx + w.bh)
    return ((r + b, i) if mine else (r, i + b)), c


def relu_step(w, x, h, c, mine, share):
    return rnn_step(w, x, h, c, mine, share, relu)


STEPS = {"lstm": lstm_step, "gru": gru_step, "rnn": rnn_step, "relu": relu_step}


def states(cell, layers, x, first, start, stop, variant="original", share=bias_first):
    """(relevant, irrelevant) states [T, n] of each direction of the top layer, in the order of the text.

    ``layers[k][way]`` are weights, ``first[k][way]`` the states (h, c) before the text; ``way`` 1 reads from the end.
    """
    T = len(x)
    words = [(v, 0 * v) if start <= t < stop else (0 * v, v) for t, v in enumerate(x)]
    for weights, starts in zip(layers, first, strict=True):
        found = []
        for way, (w, (h0, c0)) in enumerate(zip(weights, starts, strict=True)):
            order = range(T - 1, -1, -1) if way else range(T)
            last = start if way else stop - 1
            h, c = (0 * h0, h0), (0 * h0, c0)
            seen = [None] * T
            for t in order:
                mine = start <= t < stop and (variant == "acd" or t != last)
                h, c = STEPS[cell](w, words[t], h, c, mine, share)
                seen[t] = h
            found.append(seen)
        words = [tuple(np.concatenate([way[t][k] for way in found]) for k in (0, 1)) for t in range(T)]
    return [tuple(np.array([state[k] for state in way]) for k in (0, 1)) for way in found]


def parts(cell, layers, x, first, blocks, start, stop, **options):
    """Relevant and irrelevant parts of the raw outputs. ``blocks``: a direction, columns of the output layer, weights
    [T, n] over its states in the order of the text.
    """
    split = states(cell, layers, x, first, start, stop, **options)
    return tuple(sum(W @ (weights * split[way][k]).sum(0) for way, W, weights in blocks) for k in (0, 1))
