"""The Transformer encoder, the CNN and the attentions of recurrent classifiers once more, plainly."""

from __future__ import annotations

import math

import torch


def softmax(values):
    """The exponentials over their sum."""
    total = sum(math.exp(float(value)) for value in values)
    return [math.exp(float(value)) / total for value in values]


def normalised(vector, part):
    """Layer normalisation of one vector."""
    mean = vector.mean()
    return (vector - mean) / torch.sqrt(((vector - mean) ** 2).mean() + part.eps) * part.weight + part.bias


def transformer(module, ids):
    """The logits of one text (Vaswani et al. 2017, Sec. 3; Guan et al. 2019, Sec. 4.3)."""
    width = module.embedding.weight.shape[1]
    xs = []
    for t, number in enumerate(ids):
        place = [
            math.sin(t / 10000 ** (2 * (k // 2) / width))
            if k % 2 == 0
            else math.cos(t / 10000 ** (2 * (k // 2) / width))
            for k in range(width)
        ]
        xs.append(module.embedding.weight[number] * math.sqrt(width) + torch.tensor(place, dtype=torch.float64))
    for layer in module.layers:
        attention, outs = layer.self_attn, []
        size = width // attention.num_heads
        w, b = attention.in_proj_weight, attention.in_proj_bias
        for query in xs:
            heads = []
            for head in range(attention.num_heads):
                rows = [slice(part * width + head * size, part * width + (head + 1) * size) for part in range(3)]
                q = w[rows[0]] @ query + b[rows[0]]
                shares = softmax([q @ (w[rows[1]] @ key + b[rows[1]]) / math.sqrt(size) for key in xs])
                heads.append(sum(a * (w[rows[2]] @ value + b[rows[2]]) for a, value in zip(shares, xs, strict=True)))
            outs.append(attention.out_proj.weight @ torch.cat(heads) + attention.out_proj.bias)
        middle = [normalised(x + out, layer.norm1) for x, out in zip(xs, outs, strict=True)]
        xs = []
        for x in middle:
            inner = torch.clamp(layer.linear1.weight @ x + layer.linear1.bias, min=0)
            xs.append(normalised(x + layer.linear2.weight @ inner + layer.linear2.bias, layer.norm2))
    return module.output.weight @ xs[0] + module.output.bias


def cnn(module, ids):
    """The logits of one text (Kim 2014), zeros beyond its ends."""
    vectors, pooled = [module.embedding.weight[number] for number in ids], []
    for part in module.convolutions:
        width = part.kernel_size[0]
        for weight, bias in zip(part.weight, part.bias, strict=True):
            values = []
            for t in range(len(ids)):
                value = bias
                for k in range(width):
                    at = t + k - width // 2
                    if 0 <= at < len(ids):
                        value = value + weight[:, k] @ vectors[at]
                values.append(max(0.0, float(value)))
            pooled.append(max(values))
    return module.output.weight @ torch.tensor(pooled, dtype=torch.float64) + module.output.bias


def attended(attention, states, last):
    """tanh(W_c [c; h]) with c = Σ a_i s_i and each of the three scores (survey, Eq. 15-17)."""
    scores = []
    for state in states:
        if attention.kind == "dot":
            scores.append(last @ state)
        elif attention.kind == "general":
            scores.append(last @ (attention.match.weight @ state))
        else:
            scores.append(attention.score.weight[0] @ torch.tanh(attention.match.weight @ torch.cat([last, state])))
    context = sum(a * state for a, state in zip(softmax(scores), states, strict=True))
    return torch.tanh(attention.combine.weight @ torch.cat([context, last]))


def structured(attention, states):
    """M = A H with A = softmax(W2 tanh(W1 Hᵀ)), row after row, and ‖A Aᵀ − I‖² (survey, Eq. 19-20; Lin et al. 2017)."""
    rows = [
        softmax([w2 @ torch.tanh(attention.hidden.weight @ state) for state in states]) for w2 in attention.score.weight
    ]
    penalty = 0.0
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            penalty += (sum(a * b for a, b in zip(one, other, strict=True)) - (i == j)) ** 2
    return torch.cat([sum(a * state for a, state in zip(row, states, strict=True)) for row in rows]), penalty


def spans(attention, states):
    """Σ a(i, j) h(i, j), every h and a, and 1 − Σ a² (Sun et al. 2020): W [h_i; h_j; h_i − h_j; h_i ∘ h_j] + b, where W
    has the blocks S, E, 0, B."""
    size = len(states[0])
    matrix = torch.cat(
        [attention.starts.weight, attention.ends.weight, torch.zeros(size, size).to(states), attention.both.weight], 1
    )
    found = {}
    for i in range(len(states)):
        for j in range(i, min(len(states), i + attention.longest)):
            joined = torch.cat([states[i], states[j], states[i] - states[j], states[i] * states[j]])
            found[i, j] = torch.tanh(matrix @ joined + attention.starts.bias)
    shares = dict(zip(found, softmax([attention.score.weight[0] @ vector for vector in found.values()]), strict=True))
    vector = sum(shares[span] * found[span] for span in found)
    return vector, found, shares, 1 - sum(float(share) ** 2 for share in shares.values())


def aspect(module, text, topic):
    """The logits of a pair, and the weights of attention (Wang et al. 2016, Eq. 7-12, with a sum in the tanh)."""
    v = module.aspect.weight @ (sum(module.embedding.weight[number] for number in topic) / len(topic))
    inputs = torch.stack([torch.cat([module.embedding.weight[number], v]) for number in text])
    states, (last, _) = module.recurrent(inputs[None])
    scores = [
        module.score.weight[0] @ torch.tanh(module.hidden.weight @ state + module.guide.weight @ v)
        for state in states[0]
    ]
    weights = softmax(scores)
    r = sum(a * state for a, state in zip(weights, states[0], strict=True))
    h = torch.tanh(module.attended.weight @ r + module.last.weight @ torch.cat(tuple(last[:, 0])))
    return module.output.weight @ h + module.output.bias, weights
