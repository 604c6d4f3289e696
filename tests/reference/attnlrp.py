"""AttnLRP through transformer blocks, relevance by relevance: each rule as the paper writes it, with its denominators.

Achtibat et al. 2024: linear maps and sums share in proportion (ε-LRP with ε = 0), activations pass relevance on (the
identity rule), normalisation is such a rule per component of x / length after a linear centring, softmax follows
R_i = x_i (R_i^out - s_i Σ R^out), and a product of matrices gives half to either factor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np


@dataclass
class AttnLrp:
    through: bool = True  # False: the weights of attention and gates are constants
    account: dict = field(default_factory=dict)

    def keep(self, name, amount):
        self.account[name] = self.account.get(name, 0.0) + float(amount)

    def linear(self, x, W, b, R):
        """z_tj = Σ_i W_ji x_ti + b_j."""
        z = x @ W.T + b
        self.keep("biases", (b / z * R).sum())
        return x * ((R / z) @ W)

    def total(self, parts, R):
        """A sum of terms."""
        z = sum(parts)
        return [part / z * R for part in parts]

    def layer_norm(self, x, w, b, R):
        centred = x - x.mean(-1, keepdims=True)
        y = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * w + b
        self.keep("biases", (b / y * R).sum())
        R = (y - b) / y * R
        n = x.shape[-1]
        return x * ((R / centred) @ (np.eye(n) - 1 / n))

    def softmax(self, S, R):
        """The rule for softmax; scores under a mask are -inf and get nothing."""
        P = softmax(S)
        found = np.where(P > 0, np.where(P > 0, S, 0.0) * (R - P * R.sum(-1, keepdims=True)), 0.0)
        self.keep("absorbed by softmax", R.sum() - found.sum())
        return found

    def product(self, A, B, R):
        """O = A B: R_ji = Σ_p A_ji B_ip / (2 O_jp) R_jp for A, and likewise for B."""
        share = R / (2 * (A @ B))
        return A * (share @ B.T), B * (A.T @ share)

    def attention(self, Q, K, V, mask, R):
        """One head, with scores Q Kᵀ / √d + mask; relevance of Q, K and V."""
        S = Q @ K.T / math.sqrt(Q.shape[1]) + mask
        P = softmax(S)
        if not self.through:
            return np.zeros_like(Q), np.zeros_like(K), V * (P.T @ (R / (P @ V)))
        R_P, R_V = self.product(P, V, R)
        R_S = self.softmax(S, R_P)
        R_S = np.where(np.isfinite(mask), R_S, 0.0)
        R_Q, R_K = self.product(Q, K.T, R_S)
        return R_Q, R_K.T, R_V


def softmax(S):
    e = np.exp(S - S.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def encoder_layer(x, w, heads):
    """The output of a post-norm encoder layer, and a function that takes relevance back through it."""
    d = x.shape[1] // heads
    qkv = [x @ W.T + b for W, b in zip(np.split(w["in_w"], 3), np.split(w["in_b"], 3), strict=True)]
    split = [[part[:, h * d : (h + 1) * d] for h in range(heads)] for part in qkv]
    mask = np.zeros((len(x), len(x)))
    joined = np.concatenate([softmax(q @ k.T / math.sqrt(d)) @ v for q, k, v in zip(*split, strict=True)], 1)
    attended = joined @ w["out_w"].T + w["out_b"]
    first = x + attended
    middle = norm(first, w["n1_w"], w["n1_b"])
    inner = middle @ w["l1_w"].T + w["l1_b"]
    bent = gelu(inner)
    outer = bent @ w["l2_w"].T + w["l2_b"]
    second = middle + outer

    def back(rule, R):
        R = rule.layer_norm(second, w["n2_w"], w["n2_b"], R)
        R_middle, R_outer = rule.total([middle, outer], R)
        R_bent = rule.linear(bent, w["l2_w"], w["l2_b"], R_outer)
        R_middle = R_middle + rule.linear(middle, w["l1_w"], w["l1_b"], R_bent)
        R = rule.layer_norm(first, w["n1_w"], w["n1_b"], R_middle)
        R_x, R_attended = rule.total([x, attended], R)
        R_joined = rule.linear(joined, w["out_w"], w["out_b"], R_attended)
        found = [np.zeros_like(x) for _ in range(3)]
        for h in range(heads):
            at = slice(h * d, (h + 1) * d)
            parts = rule.attention(*(part[h] for part in split), mask, R_joined[:, at])
            for total, part in zip(found, parts, strict=True):
                total[:, at] = part
        for part, W, b in zip(found, np.split(w["in_w"], 3), np.split(w["in_b"], 3), strict=True):
            R_x = R_x + rule.linear(x, W, b, part)
        return R_x

    return norm(second, w["n2_w"], w["n2_b"]), back


def norm(x, w, b):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * w + b


def rms(x, w, eps):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * w


def rotation(position, d, base):
    """The matrix that turns a query or key at a position: component i with component i + d / 2."""
    angles = position * base ** (-np.arange(0, d, 2) / d)
    turn, half = np.zeros((d, d)), d // 2
    for i, angle in enumerate(angles):
        turn[i, i] = turn[i + half, i + half] = math.cos(angle)
        turn[i, i + half], turn[i + half, i] = -math.sin(angle), math.sin(angle)
    return turn


def decoder_layer(x, w, heads, groups, eps, base):
    """The output of a Llama block (grouped queries, rotary positions, a gated map), and its way back."""
    d, n = x.shape[1] // heads, len(x)
    turns = [rotation(t, d, base) for t in range(n)]
    mask = np.where(np.tril(np.ones((n, n))) > 0, 0.0, -np.inf)
    normed = rms(x, w["n1"], eps)
    q, k, v = normed @ w["q"].T, normed @ w["k"].T, normed @ w["v"].T

    def head(part, h):
        return part[:, h * d : (h + 1) * d]

    def turned(part):
        return np.stack([turn @ row for turn, row in zip(turns, part, strict=True)])

    shared = heads // groups
    Q, K = [turned(head(q, h)) for h in range(heads)], [turned(head(k, h // shared)) for h in range(heads)]
    V = [head(v, h // shared) for h in range(heads)]
    joined = np.concatenate([softmax(Q[h] @ K[h].T / math.sqrt(d) + mask) @ V[h] for h in range(heads)], 1)
    attended = joined @ w["o"].T
    first = x + attended
    normed2 = rms(first, w["n2"], eps)
    gate, up = normed2 @ w["gate"].T, normed2 @ w["up"].T
    open_ = gate / (1 + np.exp(-gate))
    inner = open_ * up
    outer = inner @ w["down"].T
    result = first + outer

    def back(rule, R):
        R_first, R_outer = rule.total([first, outer], R)
        R_inner = rule.linear(inner, w["down"], 0.0, R_outer)
        R_gate, R_up = (R_inner / 2, R_inner / 2) if rule.through else (0 * R_inner, R_inner)
        R_first = R_first + rule.linear(normed2, w["gate"], 0.0, R_gate) + rule.linear(normed2, w["up"], 0.0, R_up)
        R_x, R_attended = rule.total([x, attended], R_first)
        R_joined = rule.linear(joined, w["o"], 0.0, R_attended)
        R_q, R_k, R_v = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
        for h in range(heads):
            parts = rule.attention(Q[h], K[h], V[h], mask, head(R_joined, h))
            for t in range(n):  # back through the turn, a linear map at each position
                for whole, plain, part, at in (
                    (R_q, head(q, h), parts[0], h),
                    (R_k, head(k, h // shared), parts[1], h // shared),
                ):
                    row = rule.linear(plain[t : t + 1], turns[t], 0.0, part[t : t + 1])
                    whole[t : t + 1, at * d : (at + 1) * d] += row
            head(R_v, h // shared)[:] += parts[2]
        for part, name in ((R_q, "q"), (R_k, "k"), (R_v, "v")):
            R_x = R_x + rule.linear(normed, w[name], 0.0, part)
        return R_x

    return result, back
