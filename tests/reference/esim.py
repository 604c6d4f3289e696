"""ESIM once more, plainly (Chen et al. 2017): one pair, one cell, one step at a time."""

from __future__ import annotations

import torch


def lstm(layer, inputs, gates=None):
    """The states of a bidirectional LSTM over one text; ``gates`` collects i, f, o of each direction and step."""
    ways = []
    for end in ("", "_reverse"):
        w_x, w_h, b_x, b_h = (
            getattr(layer, f"{name}_l0{end}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        h = c = torch.zeros(layer.hidden_size, dtype=inputs.dtype)
        steps = range(len(inputs))
        states = [h] * len(inputs)
        for t in reversed(steps) if end else steps:
            i, f, g, o = (w_x @ inputs[t] + b_x + w_h @ h + b_h).chunk(4)
            i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
            c = f * c + i * g
            h = o * torch.tanh(c)
            states[t] = h
            if gates is not None:
                gates.append((end, t, i, f, o))
        ways.append(torch.stack(states))
    return torch.cat(ways, 1)


def logits(module, premise, hypothesis, seen=None):
    """The logits of one pair of ids; ``seen`` collects scores and gates."""
    gates = [] if seen is None else seen.setdefault("gates", [])
    a, b = (lstm(module.recurrent, module.embedding(ids), gates) for ids in (premise, hypothesis))
    e = torch.tensor([[float(x @ y) for y in b] for x in a], dtype=a.dtype)
    if seen is not None:
        seen["scores"] = e
    soft_a = torch.stack(
        [sum(torch.exp(e[i, j]) * b[j] for j in range(len(b))) / torch.exp(e[i]).sum() for i in range(len(a))]
    )
    soft_b = torch.stack(
        [sum(torch.exp(e[i, j]) * a[i] for i in range(len(a))) / torch.exp(e[:, j]).sum() for j in range(len(b))]
    )
    vectors = []
    for own, other in ((a, soft_a), (b, soft_b)):
        joined = torch.cat([own, other, own - other, own * other], 1)
        states = lstm(module.inference, torch.relu(joined @ module.project.weight.T + module.project.bias), gates)
        vectors += [states.mean(0), states.max(0).values]
    hidden = torch.tanh(module.hidden.weight @ torch.cat(vectors) + module.hidden.bias)
    return module.output.weight @ hidden + module.output.bias
