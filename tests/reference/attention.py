"""Attention's methods once more, plainly: one cell, one path, one piece at a time."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch


def rollout(layers, residual=True):
    """Abnar and Zuidema 2020: the product from the first layer up, each (A + I) / 2."""
    found = None
    for weights in layers:
        mean = weights.mean(0)
        if residual:
            mean = 0.5 * mean + 0.5 * np.eye(len(mean))
        found = mean if found is None else mean @ found
    return found


def max_flow(layers, source, sink):
    """The maximal flow by augmenting paths (Edmonds and Karp), in floats; nodes are (level, position)."""
    top, size = len(layers), len(layers[0])
    room = {}
    for level, matrix in enumerate(layers):
        for i in range(size):
            for j in range(size):
                room[(level + 1, i), (level, j)] = matrix[i, j]
                room[(level, j), (level + 1, i)] = 0.0
    total = 0.0
    while True:
        came, queue = {(top, source): None}, deque([(top, source)])
        while queue and (0, sink) not in came:
            node = queue.popleft()
            for level in (node[0] - 1, node[0] + 1):
                if 0 <= level <= top:
                    for k in range(size):
                        if (level, k) not in came and room[node, (level, k)] > 1e-12:
                            came[level, k] = node
                            queue.append((level, k))
        if (0, sink) not in came:
            return total
        path, node = [], (0, sink)
        while came[node] is not None:
            path.append((came[node], node))
            node = came[node]
        least = min(room[edge] for edge in path)
        for start, stop in path:
            room[start, stop] -= least
            room[stop, start] += least
        total += least


def zeroed(bert, ids, layer):
    """Mohebbi et al. 2023 for a BERT: the layer runs again with the value of each piece set to zero, by a hook."""
    part = bert.bert.encoder.layer[layer]
    with torch.no_grad():
        states = bert(ids, output_hidden_states=True).hidden_states
        cells = torch.zeros(ids.shape[1], ids.shape[1], dtype=torch.float64)
        for j in range(ids.shape[1]):

            def hook(module, args, output, j=j):
                output = output.clone()
                output[:, j] = 0.0
                return output

            handle = part.attention.self.value.register_forward_hook(hook)
            answer = part(states[layer])
            handle.remove()
            moved = (answer[0] if isinstance(answer, tuple) else answer)[0]
            for i in range(ids.shape[1]):
                a, b = moved[i], states[layer + 1][0, i]
                cells[i, j] = 1 - float(a @ b / (a.norm() * b.norm()))
    return cells / cells.sum(1, keepdim=True)


def carried(bert, ids, layer):
    """Kobayashi et al. 2020: the vectors A_ij v_j W_O of each head, and GlobEnc's behind both norms, for a BERT."""
    part = bert.bert.encoder.layer[layer]
    own, heads = part.attention.self, bert.config.num_attention_heads
    with torch.no_grad():
        states = bert(ids, output_hidden_states=True).hidden_states
        x = states[layer][0]
        t, d = x.shape
        width = d // heads
        query, key, value = (m(x).view(t, heads, width) for m in (own.query, own.key, own.value))
        w_o, b_o = part.attention.output.dense.weight, part.attention.output.dense.bias
        vectors = torch.zeros(heads, t, t, d, dtype=x.dtype)
        for h in range(heads):
            weights = torch.softmax(query[:, h] @ key[:, h].T / width**0.5, -1)
            for i in range(t):
                for j in range(t):
                    vectors[h, i, j] = w_o[:, h * width : (h + 1) * width] @ (weights[i, j] * value[j, h])
        behind = torch.zeros(t, t, d, dtype=x.dtype)
        norm1, norm2 = part.attention.output.LayerNorm, part.output.LayerNorm
        for i in range(t):
            z = vectors[:, i].sum((0, 1)) + b_o + x[i]
            middle = norm1(z)
            second = part.output.dense(part.intermediate(middle[None]))[0] + middle
            for j in range(t):
                u = vectors[:, i, j].sum(0) + (x[i] if i == j else 0)
                u = norm1.weight * (u - u.mean()) / (z.var(unbiased=False) + norm1.eps) ** 0.5
                u = norm2.weight * (u - u.mean()) / (second.var(unbiased=False) + norm2.eps) ** 0.5
                behind[i, j] = u
    return vectors, behind
