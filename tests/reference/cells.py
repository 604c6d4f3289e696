"""Recurrent cells step by step: Eq. 1 to 3 of Du et al. 2019, with the parameters and the GRU variant of PyTorch.

PyTorch stacks the gates of an LSTM as i, f, g, o and of a GRU as r, u, g (there called r, z, n), keeps two biases, and
applies the reset gate after the matrix product and its bias: g = tanh(W_gx x + b_gx + r * (W_gh h + b_gh)).
"""

from __future__ import annotations

from dataclasses import dataclass

import mpmath
import numpy as np
import torch

DIGITS = 60
_tanh = np.frompyfunc(mpmath.tanh, 1, 1)
_exp = np.frompyfunc(mpmath.exp, 1, 1)


def tanh(x: np.ndarray) -> np.ndarray:
    return _tanh(x) if x.dtype == object else np.tanh(x)


def sigma(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + _exp(-x)) if x.dtype == object else 1 / (1 + np.exp(-x))


def plain(tensor: torch.Tensor, exact: bool = False) -> np.ndarray:
    """A tensor as an array; ``exact`` of mpmath numbers of 60 digits."""
    values = tensor.detach().double().numpy()
    if not exact:
        return values
    mpmath.mp.dps = DIGITS
    return np.frompyfunc(mpmath.mpf, 1, 1)(values).astype(object)


@dataclass
class Weights:
    """W_x, W_h, b_x, b_h of one direction of one layer, its gates stacked."""

    x: np.ndarray
    h: np.ndarray
    bx: np.ndarray
    bh: np.ndarray

    @classmethod
    def of(cls, module: torch.nn.RNNBase, layer: int, reverse: bool, exact: bool = False) -> Weights:
        end = f"_l{layer}" + ("_reverse" if reverse else "")
        x, h = (plain(getattr(module, name + end), exact) for name in ("weight_ih", "weight_hh"))
        if not module.bias:
            return cls(x, h, 0 * x[:, 0], 0 * x[:, 0])
        return cls(x, h, *(plain(getattr(module, name + end), exact) for name in ("bias_ih", "bias_hh")))


@dataclass
class Steps:
    """What one direction of a layer went through. ``h[t]`` is h_t, ``h[0]`` the state before the first word read.

    ``c`` likewise; the gates have None at 0. ``u`` is the GRU's update gate.
    """

    h: list[np.ndarray]
    c: list[np.ndarray]
    f: list[np.ndarray]
    o: list[np.ndarray]
    u: list[np.ndarray]


def run(kind: str, x: list[np.ndarray], w: Weights, h0: np.ndarray, c0: np.ndarray | None) -> Steps:
    """Read the words x_1 ... x_T in the order given."""
    steps = Steps([h0], [c0], [None], [None], [None])
    for word in x:
        {"lstm": lstm_step, "gru": gru_step, "rnn": rnn_step}[kind](steps, word, w)
    return steps


def rnn_step(steps: Steps, x: np.ndarray, w: Weights) -> None:
    """Eq. 1."""
    steps.h.append(tanh(w.x @ x + w.h @ steps.h[-1] + w.bx + w.bh))


def lstm_step(steps: Steps, x: np.ndarray, w: Weights) -> None:
    """Eq. 2."""
    n = len(steps.h[-1])
    a = w.x @ x + w.h @ steps.h[-1] + w.bx + w.bh
    i, f, g, o = sigma(a[:n]), sigma(a[n : 2 * n]), tanh(a[2 * n : 3 * n]), sigma(a[3 * n :])
    c = f * steps.c[-1] + i * g
    steps.f.append(f)
    steps.o.append(o)
    steps.c.append(c)
    steps.h.append(o * tanh(c))


def gru_step(steps: Steps, x: np.ndarray, w: Weights) -> None:
    """Eq. 3, in PyTorch's variant."""
    n = len(steps.h[-1])
    ax, ah = w.x @ x + w.bx, w.h @ steps.h[-1] + w.bh
    r, u = sigma(ax[:n] + ah[:n]), sigma(ax[n : 2 * n] + ah[n : 2 * n])
    g = tanh(ax[2 * n :] + r * ah[2 * n :])
    steps.u.append(u)
    steps.h.append(u * steps.h[-1] + (1 - u) * g)


def stack(
    module: torch.nn.RNNBase,
    x: np.ndarray,
    state: tuple[np.ndarray, ...] | None = None,
    exact: bool = False,
) -> list[Steps]:
    """The top layer's directions, over words x [T, d] and a start (h, c) of [layers * directions, n] each, or zero.

    The reverse direction's steps are in *its* order: its step 1 reads the last word.
    """
    kind = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"}[type(module).__name__]
    words = list(x)
    ways = 2 if module.bidirectional else 1
    for layer in range(module.num_layers):
        found = []
        for way in range(ways):
            zero = plain(torch.zeros(module.hidden_size), exact)
            row = layer * ways + way
            h0, c0 = (zero, zero) if state is None else (state[0][row], state[1][row] if len(state) > 1 else None)
            read = words[::-1] if way else words
            found.append(run(kind, read, Weights.of(module, layer, way == 1, exact), h0, c0))
        outputs = [found[0].h[1:]] + [way.h[:0:-1] for way in found[1:]]
        words = [np.concatenate(states) for states in zip(*outputs, strict=True)]
    return found
