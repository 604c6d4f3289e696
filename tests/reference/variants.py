"""The three LSTM variants as printed in Arras et al. 2019, Eqs. 11.7-11.18, and LRP on them: one text, step by step.

Lists are indexed by step: item t is what followed the word t, counted from 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.reference.lrp import Lrp, sigma


@dataclass
class Weights:
    """One cell: matrices and biases by letter (z, i, o), and the scales."""

    W: np.ndarray
    U: dict
    b: dict
    a_g: float
    a_h: float

    @classmethod
    def of(cls, cell):
        values = {name: value.detach().numpy() for name, value in cell.state_dict().items()}
        gates = [name[-1] for name in values if name.startswith("weight_") and not name.endswith("z")]
        return cls(
            values["weight_z"],
            {gate: values[f"weight_{gate}"] for gate in gates},
            {gate: values[f"bias_{gate}"] for gate in ("z", *gates)},
            *values["scales"].tolist(),
        )


def forward(kind, x, w):
    """Every step as (values before activation by letter, c_t, y_t)."""
    c = y = np.zeros(len(w.W))
    steps = []
    for word in x:
        a = {"z": w.W @ word + w.b["z"]}
        z = w.a_g * sigma(a["z"])  # 11.7, 11.12, 11.16
        if kind in ("nondecreasing", "markov"):
            a["i"] = w.U["i"] @ y + w.b["i"]
            c = sigma(a["i"]) * z + c  # 11.8-11.9, 11.13-11.14
        else:
            c = z + c  # 11.17
        if kind == "nondecreasing":
            a["o"] = w.U["o"] @ y + w.b["o"]
            y = sigma(a["o"]) * w.a_h * np.tanh(c)  # 11.10-11.11
        else:
            y = w.a_h * np.tanh(c)  # 11.15, 11.18
        steps.append((a, c, y))
    return steps


def words(rule: Lrp, kind, x, w, R_states):
    """Relevance of every word's vector, [T, d]; ``R_states[t]`` arrives at y_t from above."""
    steps = forward(kind, x, w)
    start = np.zeros(len(w.W))
    R_y, R_c, R_x = 0 * start, 0 * start, []
    for t in range(len(x) - 1, -1, -1):
        a, c, _ = steps[t]
        y_old, c_old = (steps[t - 1][2], steps[t - 1][1]) if t else (start, start)
        R = R_y + R_states[t]
        R_y = 0 * start
        if kind == "nondecreasing":
            R_o, R = rule.gated(a["o"], c, R)
            R_y = R_y + rule.linear(y_old, w.U["o"], w.b["o"], R_o)
        R_c, R_p = rule.accumulate(c_old, c - c_old, R_c + R) if t else (0 * start, R_c + R)  # c_1 is no sum
        if kind != "no-gates":
            R_i, R_p = rule.gated(a["i"], a["z"], R_p)
            R_y = R_y + rule.linear(y_old, w.U["i"], w.b["i"], R_i)
        R_x.append(rule.linear(x[t], w.W, w.b["z"], R_p))
    rule.account["initial states"] += R_y.sum() + R_c.sum()
    return np.array(R_x[::-1])


def stack(kind, layers, x):
    """What each layer reads (text order), and the top states of each direction, [T, n] (text order)."""
    read, inputs, states = [], np.array(x), []
    for ways in layers:
        read.append(inputs)
        states = [
            np.array([y for _, _, y in forward(kind, inputs[:: -1 if way else 1], w)]) for way, w in enumerate(ways)
        ]
        states = [found[:: -1 if way else 1] for way, found in enumerate(states)]
        inputs = np.concatenate(states, 1)
    return read, states


def all_words(rule: Lrp, kind, layers, x, R_top):
    """Relevance of every word's vector through all layers; ``R_top`` has one [T, n] a direction, in text order."""
    R = R_top
    for ways, inputs in zip(layers[::-1], stack(kind, layers, x)[0][::-1], strict=True):
        total = 0
        for way, w in enumerate(ways):
            turn = slice(None, None, -1 if way else 1)
            total = total + words(rule, kind, inputs[turn], w, R[way][turn])[turn]
        R = np.split(total, len(ways), axis=1) if inputs.shape[1] % len(ways) == 0 else total
    return total
