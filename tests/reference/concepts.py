"""TCAV written plainly: one set, one text, one step at a time (Kim et al. 2018)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import minimize


def direction(inside: np.ndarray, outside: np.ndarray, everyone: np.ndarray, penalty: float) -> np.ndarray:
    """The normal of a logistic regression of the states that are scaled as in the package, by scipy's BFGS."""
    middle = everyone.mean(0)
    size = np.sqrt(((everyone - middle) ** 2).sum(1).mean())
    rows = np.concatenate([inside, outside])
    rows = (rows - middle) / size
    y = np.array([1.0] * len(inside) + [-1.0] * len(outside))

    def loss(parameters: np.ndarray) -> float:
        w, b = parameters[:-1], parameters[-1]
        total = 0.0
        for x, sign in zip(rows, y, strict=True):
            total += np.log1p(np.exp(-sign * (x @ w + b)))
        return total / len(rows) + penalty / 2 * float(w @ w)

    w = minimize(loss, np.zeros(rows.shape[1] + 1), method="BFGS", options={"gtol": 1e-9}).x[:-1]
    return w / np.linalg.norm(w)


def sensitivity(number, states: np.ndarray, v: np.ndarray, step: float) -> float:
    """S (Eq. 1) by a difference: ``number`` of states ``[step, dimension]``, all of which move along v."""
    return (number(states + step * v) - number(states - step * v)) / (2 * step)


def score(sensitivities: list[float]) -> float:
    """TCAV (Eq. 2): the share of texts whose sensitivity is above zero."""
    return sum(1 for value in sensitivities if value > 0) / len(sensitivities)


def holm(values: list[float]) -> list[float]:
    """p values times the number of those not yet rejected, never falling, at most 1."""
    corrected, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=lambda n: values[n])):
        largest = max(largest, values[place] * (len(values) - rank))
        corrected[place] = min(1.0, largest)
    return corrected


def educe(network: torch.nn.Module, ids: list[int]) -> dict[str, object]:
    """EDUCE for one text, run by run: excerpts, chances, logits, and the marginal probabilities of training."""
    x = network.embedding.weight[torch.tensor(ids)]
    h = network.encoder(x[None])[0][0]
    config, count = network.config, network.config.concepts
    runs = [(i, j) for i in range(len(ids)) for j in range(i, min(i + config.longest, len(ids)))]
    numbers = h @ network.generator.weight.t() + network.generator.bias
    excerpts, chances, marginal = [], [], []
    logits = network.output.bias.clone()
    for k in range(count):
        scores, presences = [], []
        for i, j in runs:
            total = x[i]
            for t in range(i + 1, j + 1):
                total = total + x[t]
            read = torch.tanh(network.reader(total / (j - i + 1)))
            p = read @ network.presence.weight[k] + network.presence.bias[k]
            scores.append(torch.tanh(numbers[i, k] + numbers[j, count + k]) + 2.0 * p)
            presences.append(torch.sigmoid(p))
        weights = torch.softmax(torch.stack(scores), 0)
        marginal.append(float(sum(w * p for w, p in zip(weights, presences, strict=True))))
        best = int(torch.stack(scores).argmax())
        excerpts.append(list(range(runs[best][0], runs[best][1] + 1)))
        chances.append(float(presences[best]))
        if presences[best] > 0.5:
            logits = logits + network.output.weight[:, k]
    return {"excerpts": excerpts, "chances": chances, "logits": logits.tolist(), "marginal": marginal}


def conrat(network: torch.nn.Module, ids: list[int]) -> dict[str, object]:
    """ConRAT's decision for one text, concept by concept."""
    x = network.embedding.weight[torch.tensor(ids)]
    h = network.encoder(x[None])[0][0]
    count = network.config.concepts
    excerpts, numbers = [], []
    for k in range(count):
        detector, offset = network.attention.weight[k], network.attention.bias[k]
        kept, told = [], []
        for t in range(len(ids)):
            chosen = torch.tanh(h[t] @ network.generator.weight[k] + network.generator.bias[k])
            said = torch.tanh(network.reader(x[t])) @ detector + offset
            told.append(float(chosen + 2 * said))
            if told[t] > 0:
                kept.append(t)
        kept = kept or [told.index(max(told))]
        mean = sum((x[t] for t in kept), torch.zeros_like(x[0])) / len(kept)
        read = torch.tanh(network.reader(mean))
        excerpts.append(kept)
        numbers.append(read @ detector + offset)
    attention = torch.sigmoid(torch.stack(numbers))
    logits = network.output.bias.clone()
    for k in range(count):
        if attention[k] > 0.5:
            logits = logits + attention[k] * network.output.weight[:, k]
    return {"excerpts": excerpts, "chances": attention.tolist(), "logits": logits.tolist()}


def conrat_penalties(masks: np.ndarray, vectors: np.ndarray, lengths: list[int], share: float, chances: np.ndarray,
                     attention: np.ndarray) -> dict[str, float]:  # fmt: skip
    """The penalties, pair by pair and word by word."""
    texts, count, _ = masks.shape
    words = sum(lengths)

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    def divergence(wanted: float, found: float) -> float:
        return wanted * np.log(wanted / found) + (1 - wanted) * np.log((1 - wanted) / (1 - found))

    pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
    overlap = sum(max(0.0, masks[b, :, t].sum() - 1) for b in range(texts) for t in range(lengths[b])) / words
    within = np.mean([cosine(vectors[b, i], vectors[b, j]) ** 2 for b in range(texts) for i, j in pairs])
    shares = attention / attention.sum(0)
    across = np.mean([sum(shares[a, i] * shares[b, j] * cosine(vectors[a, i], vectors[b, j]) ** 2
                          for a in range(texts) for b in range(texts)) for i, j in pairs])  # fmt: skip
    changes = sum(abs(masks[b, k, t + 1] - masks[b, k, t]) for b in range(texts) for k in range(count)
                  for t in range(lengths[b] - 1)) / (words * count)  # fmt: skip
    size = np.mean([divergence(share, chances[:, k].sum() / words) for k in range(count)])
    usage = np.mean([divergence(0.3, attention[:, k].mean()) for k in range(count)])
    return {"overlap": overlap, "cosine": within, "orthogonality": 5 * across, "size": 10 * size + 0.1 * changes,
            "usage": usage}  # fmt: skip
