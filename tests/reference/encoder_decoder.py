"""The encoder-decoder with attention once more, plainly: one pair, one layer, one step at a time."""

from __future__ import annotations

import torch


def lstm(layer, inputs, starts):
    """The states of all layers of an LSTM that reads one way, and the last hidden and cell state of each layer."""
    ends = []
    for number, (h, c) in enumerate(starts):
        w_x, w_h, b_x, b_h = (
            getattr(layer, f"{name}_l{number}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        states = []
        for x in inputs:
            i, f, g, o = (w_x @ x + b_x + w_h @ h + b_h).chunk(4)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            states.append(h)
        inputs = states
        ends.append((h, c))
    return torch.stack(inputs), ends


def logits(module, read, written):
    """The logits of the word behind ``written``, and the attention of every step."""
    zero = torch.zeros(module.config.hidden, dtype=module.embedding.weight.dtype)
    s, ends = lstm(module.recurrent, module.embedding(read), [(zero, zero)] * module.config.layers)
    h, _ = lstm(module.decoder, module.embedding(written), ends)
    weights = []
    for step in h:
        scores = torch.stack([step @ module.match.weight @ one for one in s])
        weights.append(torch.exp(scores) / torch.exp(scores).sum())
    context = sum(weight * one for weight, one in zip(weights[-1], s, strict=True))
    joined = torch.tanh(module.combine.weight @ torch.cat([h[-1], context]) + module.combine.bias)
    return module.output.weight @ joined + module.output.bias, torch.stack(weights)
