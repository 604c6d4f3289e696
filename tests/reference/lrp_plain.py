"""LRP of an LSTM read through its last state, as users write it by hand in NumPy: one sentence, one class, a step at a
time, messages between all neurons in an array (Arras et al. 2019, Sec. 11.3; products by LRP-all, biases kept).

The yardstick of ``benchmarks/relevance.py``; ``tests/reference/lrp.py`` is the transcription with all rules and the
account.
"""

from __future__ import annotations

import numpy as np


def sigma(x):
    return 1 / (1 + np.exp(-x))


def linear(a, weight, z, relevance, epsilon):
    """What each input of ``z = weight @ a + bias`` receives."""
    denominator = z + epsilon * np.where(z >= 0, 1.0, -1.0)
    messages = weight * a[None, :] / denominator[:, None] * relevance[:, None]
    return messages.sum(0)


def add(first, second, relevance, epsilon):
    """What each term of ``first + second`` receives."""
    z = first + second
    denominator = z + epsilon * np.where(z >= 0, 1.0, -1.0)
    return first / denominator * relevance, second / denominator * relevance


def lrp(x, weight_ih, weight_hh, bias, output, output_bias, index, epsilon=0.001):
    """Relevance of every word for the logit ``index``."""
    n, steps = weight_hh.shape[1], len(x)
    g = slice(2 * n, 3 * n)
    h, c = np.zeros((steps + 1, n)), np.zeros((steps + 1, n))
    pre = np.zeros((steps, 4 * n))
    for t in range(steps):
        pre[t] = weight_ih @ x[t] + weight_hh @ h[t - 1] + bias  # h[-1] is still zero
        i, f, o = sigma(pre[t, :n]), sigma(pre[t, n : 2 * n]), sigma(pre[t, 3 * n :])
        c[t] = f * c[t - 1] + i * np.tanh(pre[t, g])
        h[t] = o * np.tanh(c[t])
    logits = output @ h[steps - 1] + output_bias
    r_h = linear(h[steps - 1], output[index : index + 1], logits[index : index + 1], logits[index : index + 1], epsilon)
    r_c, found = np.zeros(n), np.zeros(steps)
    for t in range(steps - 1, -1, -1):
        f, i = sigma(pre[t, n : 2 * n]), sigma(pre[t, :n])
        r_c, r_g = add(f * c[t - 1], i * np.tanh(pre[t, g]), r_c + r_h, epsilon)
        inputs = np.concatenate([x[t], h[t - 1]])
        messages = linear(inputs, np.concatenate([weight_ih[g], weight_hh[g]], 1), pre[t, g], r_g, epsilon)
        found[t], r_h = messages[: len(x[t])].sum(), messages[len(x[t]) :]
    return found
