"""DeepLIFT, rescale rule (Shrikumar et al. 2017), plainly: every value carries its matrix of multipliers.

A ``Pair`` is a vector at the text and at the baseline, with the multipliers of all its entries with respect to all
components of the word vectors; the chain rule for multipliers (Eq. 3) is a product of matrices. One text at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Pair:
    x: np.ndarray
    base: np.ndarray
    m: np.ndarray  # [entries, components of all word vectors]

    @property
    def step(self):
        return self.x - self.base

    def __getitem__(self, places):
        return Pair(self.x[places], self.base[places], self.m[places])

    def __add__(self, other):
        if isinstance(other, Pair):
            return Pair(self.x + other.x, self.base + other.base, self.m + other.m)
        return Pair(self.x + other, self.base + other, self.m)

    def scaled(self, amount):
        return Pair(self.x * amount, self.base * amount, (self.m.T * amount).T)


def words(x, base):
    """The word vectors, one Pair each."""
    T, d = x.shape
    eye = np.eye(T * d)
    return [Pair(x[t], base[t], eye[t * d : (t + 1) * d]) for t in range(T)]


def constant(x, inputs):
    return Pair(x, x, np.zeros((len(x), inputs)))


def linear(W, v, b=0.0):
    """Sec. 3.5.1: the weights are the multipliers."""
    return Pair(W @ v.x + b, W @ v.base + b, W @ v.m)


def rescale(f, quotient, v):
    """Sec. 3.5.2: delta out over delta in (``quotient`` of text and baseline, written so that no digits are lost)."""
    m = [quotient(x, x0) for x, x0 in zip(v.x, v.base, strict=True)]
    return Pair(f(v.x), f(v.base), np.diag(np.array(m)) @ v.m)


def of_tanh(x, x0):
    """tanh x - tanh x0 = sinh(x - x0) / (cosh x cosh x0)."""
    return (np.sinh(x - x0) / (x - x0) if x != x0 else 1.0) / (np.cosh(x) * np.cosh(x0))


def sigma(v):
    return rescale(lambda x: 1 / (1 + np.exp(-x)), lambda x, x0: of_tanh(x / 2, x0 / 2) / 4, v)


def tanh(v):
    return rescale(np.tanh, of_tanh, v)


def relu(v):
    return rescale(
        lambda x: np.maximum(x, 0),
        lambda x, x0: (max(x, 0) - max(x0, 0)) / (x - x0) if x != x0 else float(x > 0),
        v,
    )


def times(a, b):
    """Each factor's multiplier is the mean of the other."""
    of_a, of_b = np.diag((b.x + b.base) / 2), np.diag((a.x + a.base) / 2)
    return Pair(a.x * b.x, a.base * b.base, of_a @ a.m + of_b @ b.m)


def less_from_one(v):
    return Pair(1 - v.x, 1 - v.base, -v.m)


def softmax(v):
    """p = exp(s - log sum exp s), by logarithmic means of the weights."""
    p, q = (np.exp(s) / np.exp(s).sum() for s in (v.x, v.base))
    d = np.log(p) - np.log(q)
    L = np.array([b * np.expm1(log) / log if log != 0 else b for b, log in zip(q, d, strict=True)])  # (p - q) / d
    return Pair(p, q, np.diag(L) @ (np.eye(len(L)) - np.outer(np.ones(len(L)), L / L.sum())) @ v.m)


def highest(pairs):
    """The largest of several vectors, entry by entry: all of the difference to where the larger maximum stands."""
    entries = []
    for k in range(len(pairs[0].x)):
        here, there = [p.x[k] for p in pairs], [p.base[k] for p in pairs]
        y, y0 = max(here), max(there)
        winner = here.index(y) if y >= y0 else there.index(y0)
        step = here[winner] - there[winner]
        entries.append((y, y0, pairs[winner].m[k] * ((y - y0) / step if step != 0 else 1.0)))
    return Pair(*(np.array(each) for each in zip(*entries, strict=True)))


def joined(pairs):
    return Pair(*(np.concatenate([getattr(p, part) for p in pairs]) for part in ("x", "base", "m")))


def total(pairs):
    found = pairs[0]
    for other in pairs[1:]:
        found = found + other
    return found


def lstm_step(w, x, h, c):
    n = len(h.x)
    a = linear(w.x, x, w.bx) + linear(w.h, h, w.bh)
    i, f, g, o = sigma(a[:n]), sigma(a[n : 2 * n]), tanh(a[2 * n : 3 * n]), sigma(a[3 * n :])
    c = times(f, c) + times(i, g)
    return times(o, tanh(c)), c


def gru_step(w, x, h, c):
    n = len(h.x)
    ax, ah = linear(w.x, x, w.bx), linear(w.h, h, w.bh)
    r, z = sigma(ax[:n] + ah[:n]), sigma(ax[n : 2 * n] + ah[n : 2 * n])
    new = tanh(ax[2 * n :] + times(r, ah[2 * n :]))
    return times(less_from_one(z), new) + times(z, h), c


def rnn_step(w, x, h, c):
    return tanh(linear(w.x, x, w.bx) + linear(w.h, h, w.bh)), c


def relu_step(w, x, h, c):
    return relu(linear(w.x, x, w.bx) + linear(w.h, h, w.bh)), c


STEPS = {"lstm": lstm_step, "gru": gru_step, "rnn": rnn_step, "relu": relu_step}


def states(cell, layers, x, first):
    """States of each direction of the top layer, in the order of the text."""
    inputs = x[0].m.shape[1]
    for weights, starts in zip(layers, first, strict=True):
        found = []
        for way, (w, (h0, c0)) in enumerate(zip(weights, starts, strict=True)):
            h, c = constant(h0, inputs), constant(c0, inputs)
            seen = []
            for word in x[::-1] if way else x:
                h, c = STEPS[cell](w, word, h, c)
                seen.append(h)
            found.append(seen[::-1] if way else seen)
        x = [joined([way[t] for way in found]) for t in range(len(x))]
    return found


def pooled(kind, found, attend=None):
    """The vector that the head reads. ``attend``: weights and bias of the attention's scores."""
    T, both = len(found[0]), len(found) > 1
    last = [found[0][-1], *([found[1][0]] if both else [])]
    each = [joined([way[t] for way in found]) for t in range(T)]
    mean = total([state.scaled(1 / T) for state in each])
    match kind:
        case "last":
            return joined(last)
        case "first":
            return each[0]
        case "mean":
            return mean
        case "sum":
            return total(each)
        case "max":
            return highest(each)
        case "concat":
            return joined([joined(last), highest(each), mean])
        case "summed":
            return last[0] + last[1]
        case "averaged":
            return (found[0][0] + found[1][0]).scaled(0.5)
        case "attention":
            scores = softmax(joined([linear(attend[0], tanh(state), attend[1]) for state in each]))
            wide = [linear(np.ones((len(each[0].x), 1)), scores[t : t + 1]) for t in range(T)]
            return total([times(weight, state) for weight, state in zip(wide, each, strict=True)])
    raise AssertionError(kind)


def shares(output, x, base):
    """Each word's share of each output's difference."""
    T, d = x.shape
    return (output.m * (x - base).ravel()).reshape(len(output.x), T, d).sum(2)
