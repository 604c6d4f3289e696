"""Sampling contextual decomposition, Jin et al. 2020, Sec. 3.3: one phrase, one step, one context at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tests.reference.cells import Weights, sigma

Split = Callable[[np.ndarray], np.ndarray]


def activation(act: Split, wholes: Sequence[np.ndarray], part: np.ndarray) -> np.ndarray:
    """Eq. 6: the mean over contexts of what the activation loses without the part."""
    return sum(act(A) - act(A - part) for A in wholes) / len(wholes)


def product(us: Sequence[np.ndarray], vs: Sequence[np.ndarray], u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return sum(U * V - (U - u) * (V - v) for U, V in zip(us, vs, strict=True)) / len(us)


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def direction(
    cell: str, w: Weights, contexts: Sequence[np.ndarray], part: np.ndarray, h0: np.ndarray, c0: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Whole states of each context, and the phrase's part of all states; everything in reading order."""
    n = len(h0)
    S, T = len(contexts), len(part)
    h, c = [h0] * S, [c0] * S
    beta_h, beta_c = np.zeros(n), np.zeros(n)
    wholes: list[list[np.ndarray]] = [[] for _ in range(S)]
    parts = []
    for t in range(T):
        x = [w.x @ contexts[s][t] + w.bx for s in range(S)]
        r = [w.h @ h[s] + w.bh for s in range(S)]
        px, ph = w.x @ part[t], w.h @ beta_h
        if cell == "lstm":
            total = [x[s] + r[s] for s in range(S)]
            p = px + ph
            gate = {
                name: ([act(one[k * n : (k + 1) * n]) for one in total],
                       activation(act, [one[k * n : (k + 1) * n] for one in total], p[k * n : (k + 1) * n]))
                for k, (name, act) in enumerate((("i", sigma), ("f", sigma), ("g", np.tanh), ("o", sigma)))
            }  # fmt: skip
            (wi, i), (wf, f), (wg, g), (wo, o) = (gate[name] for name in "ifgo")
            new = product(wi, wg, i, g) + product(wf, c, f, beta_c)
            c = [wf[s] * c[s] + wi[s] * wg[s] for s in range(S)]
            bent = activation(np.tanh, c, new)
            beta_h, beta_c = product(wo, [np.tanh(one) for one in c], o, bent), new
            h = [wo[s] * np.tanh(c[s]) for s in range(S)]
        elif cell == "gru":
            R = [sigma(x[s][:n] + r[s][:n]) for s in range(S)]
            Z = [sigma(x[s][n : 2 * n] + r[s][n : 2 * n]) for s in range(S)]
            Q = [r[s][2 * n :] for s in range(S)]
            pre = [x[s][2 * n :] + R[s] * Q[s] for s in range(S)]
            pr = activation(sigma, [x[s][:n] + r[s][:n] for s in range(S)], (px + ph)[:n])
            pz = activation(sigma, [x[s][n : 2 * n] + r[s][n : 2 * n] for s in range(S)], (px + ph)[n : 2 * n])
            pn = activation(np.tanh, pre, px[2 * n :] + product(R, Q, pr, ph[2 * n :]))
            N = [np.tanh(one) for one in pre]
            beta_h = product([1 - one for one in Z], N, -pz, pn) + product(Z, h, pz, beta_h)
            h = [(1 - Z[s]) * N[s] + Z[s] * h[s] for s in range(S)]
        else:
            act = relu if cell == "relu" else np.tanh
            total = [x[s] + r[s] for s in range(S)]
            beta_h = activation(act, total, px + ph)
            h = [act(one) for one in total]
        parts.append(beta_h)
        for s in range(S):
            wholes[s].append(h[s])
    return [np.array(one) for one in wholes], parts


def parts(
    cell: str, weights: list, contexts: Sequence[np.ndarray], first: list, blocks: list, start: int, stop: int
) -> np.ndarray:  # fmt: skip
    """The phrase's part of the raw outputs; ``blocks`` are the text's own poolings (``slow.toys.blocks``)."""
    inputs = [np.array(one) for one in contexts]
    part = (
        np.array(contexts[0]) * ((np.arange(len(contexts[0])) >= start) & (np.arange(len(contexts[0])) < stop))[:, None]
    )
    for layer, ways in enumerate(weights):
        every, split = [], []
        for way, w in enumerate(ways):
            turn = slice(None, None, -1 if way else 1)
            whole, own = direction(cell, w, [one[turn] for one in inputs], part[turn], *first[layer][way])
            every.append([one[turn] for one in whole])
            split.append(np.array(own)[turn])
        inputs = [np.concatenate([every[way][s] for way in range(len(ways))], 1) for s in range(len(contexts))]
        part = np.concatenate(split, 1)
    n = len(weights[-1][0].h[0])
    found = 0.0
    for way, W, omega in blocks:
        found = found + W @ (omega * part[:, way * n : (way + 1) * n]).sum(0)
    return found
