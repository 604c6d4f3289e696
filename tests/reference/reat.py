"""REAT as printed in Du et al. 2019, divisions and all. Lists are indexed as in the paper: h[0], h[1], ..., h[T]."""

from __future__ import annotations

import numpy as np


def product(factors: list[np.ndarray], first: int, last: int, like: np.ndarray) -> np.ndarray:
    """The product of factors[first] ... factors[last], elementwise; one where there is none."""
    result = like * 0 + 1
    for k in range(first, last + 1):
        result = result * factors[k]
    return result


def naive_9(W, h, t):
    """Eq. 9: what the state changed by at word t."""
    return W @ (h[t] - h[t - 1])


def word_13(W, h, alpha, t, T):
    """Eq. 13: the score of word t in the state h_T."""
    return W @ ((h[t] - alpha[t] * h[t - 1]) * product(alpha, t + 1, T, h[t]))


def phrase_14(W, h, alpha, q, r, T):
    """Eq. 14: the score of words q to r in the state h_T."""
    updating = h[r] - product(alpha, q, r, h[r]) * h[q - 1]
    forgetting = product(alpha, r + 1, T, h[r])
    return W @ (updating * forgetting)


def phrase_16(W, h, u, q, r, T):
    """Eq. 16, GRU: the update gate is what is kept."""
    return phrase_14(W, h, u, q, r, T)


def alpha_18(f, o):
    """Eq. 18, LSTM: f_t o_t / o_{t-1}. There is no o_0; it is one (see ``state_17``)."""
    o = [f[1] * 0 + 1, *o[1:]]
    return [None] + [f[t] * o[t] / o[t - 1] for t in range(1, len(f))]


def state_17(h, c0_tanh):
    """The states of Eq. 20 with h_0 as Eq. 17 sees it, h_0 / o_0 = tanh(c_0), at o_0 = 1. Zero from a zero start."""
    return [c0_tanh, *h[1:]]


def phrase_20(W, h, f, o, c0_tanh, q, r, T):
    """Eq. 20, LSTM."""
    return phrase_14(W, state_17(h, c0_tanh), alpha_18(f, o), q, r, T)


def state_21(h, u, T):
    """Eq. 21: the reverse direction's h_1, summed over words. h[T + 1] is the state before the first word it reads."""
    total = 0 * h[1]
    for t in range(1, T + 1):
        total = total + (h[t] - u[t] * h[t + 1]) * product(u, 1, t - 1, h[t])
    return total


def phrase_22(W, h_n, a_n, h_r, a_r, q, r, T):
    """Eq. 22: both directions side by side. h_r[t] is the reverse state after it has read words T down to t."""
    normal = (h_n[r] - product(a_n, q, r, h_n[r]) * h_n[q - 1]) * product(a_n, r + 1, T, h_n[r])
    reverse = (h_r[q] - product(a_r, q, r, h_r[q]) * h_r[r + 1]) * product(a_r, 1, q - 1, h_r[q])
    return W @ np.concatenate([normal, reverse])


def phrase_in_state(W, h, alpha, q, r, end):
    """The score of words q to r in the state h_end: Eq. 14 with ``end`` as the last word, zero for a later phrase."""
    if q > end:
        return 0 * (W @ h[0])
    return phrase_14(W, h, alpha, q, min(r, end), end)


def in_words_order(steps: list) -> list:
    """A reverse direction's steps by words: item t belongs to word t, item T + 1 to the start; item 0 is unused."""
    return [None, *steps[:0:-1], steps[0]]
