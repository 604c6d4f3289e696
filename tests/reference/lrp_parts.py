"""LRP through convolutions, heads and attention, neuron by neuron: every share of every neuron is written down.

Relevance rules of one neuron z = sum of contributions, a bias among them: epsilon (Bach et al. 2015, Eq. 60), gamma
(Montavon et al. 2019, generalised to contributions of either sign), alpha-beta (Bach et al. 2015, Eq. 61).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Parts:
    rule: str = "epsilon"
    epsilon: float = 0.001
    gamma: float = 0.25
    alpha: float = 2.0
    beta: float = 1.0
    account: dict = field(default_factory=lambda: {"biases": 0.0, "absorbed by epsilon": 0.0, "fixed parts": 0.0})

    def neuron(self, contributions, bias, R):
        """What each contribution of one neuron receives of R; the bias keeps its own, epsilon what is left."""
        every = [*contributions, bias]
        positive, negative = sum(c for c in every if c > 0), sum(c for c in every if c < 0)
        z = positive + negative
        sign = 1.0 if z >= 0 else -1.0
        shares = []
        for c in every:
            if self.rule == "epsilon":
                shares.append(c / (z + self.epsilon * sign) * R)
            elif self.rule == "gamma":
                favoured = positive if sign > 0 else negative
                own = c * (1 + self.gamma) if c * sign > 0 else c
                shares.append(own / (z + self.gamma * favoured + self.epsilon * sign) * R)
            else:
                alpha, beta = self.alpha, self.beta
                if negative == 0:
                    alpha, beta = 1.0, 0.0
                elif positive == 0:
                    alpha, beta = 0.0, -1.0
                if c > 0:
                    shares.append(alpha * c / (positive + self.epsilon) * R)
                else:
                    shares.append(-beta * c / (negative - self.epsilon) * R if c < 0 else 0.0)
        self.account["biases"] += shares[-1]
        self.account["absorbed by epsilon"] += R - sum(shares)
        return shares[:-1]

    def linear(self, a, W, b, R):
        """z_k = sum_j W_kj a_j + b_k."""
        found = np.zeros(len(a))
        for k in range(len(W)):
            found += self.neuron([W[k, j] * a[j] for j in range(len(a))], b[k], R[k])
        return found

    def convolution(self, x, W, b, R):
        """``x`` [T, d], ``W`` [channels, d, width], ``R`` [channels, T - width + 1]."""
        channels, size, width = W.shape
        found = np.zeros(x.shape)
        for k in range(channels):
            for t in range(R.shape[1]):
                places = [(t + s, j) for s in range(width) for j in range(size)]
                shares = self.neuron([W[k, j, place - t] * x[place, j] for place, j in places], b[k], R[k, t])
                for (place, j), share in zip(places, shares, strict=True):
                    found[place, j] += share
        return found

    def cnn(self, x, convs, W, b, label, bend):
        """Convolutions (W, b), ``bend``, the maximum over time, a linear layer: what components of ``x`` receive."""
        states = []
        for K, c in convs:
            z = [[(K[k].T * x[t : t + K.shape[2]]).sum() + c[k] for t in range(len(x) - K.shape[2] + 1)]
                 for k in range(len(K))]  # fmt: skip
            states.append(bend(np.array(z)))
        a = np.concatenate([state.max(1) for state in states])
        R = np.zeros(len(W))
        R[label] = W[label] @ a + b[label]
        R_a, found = self.linear(a, W, b, R), np.zeros(x.shape)
        for (K, c), state in zip(convs, states, strict=True):
            mine, R_a = R_a[: len(K)], R_a[len(K) :]
            R_state = np.zeros(state.shape)
            for k in range(len(K)):
                R_state[k, state[k].argmax()] = mine[k]
            found += self.convolution(x, K, c, R_state)
        return found

    def head(self, a, layers, label, bend):
        """Linear layers with ``bend`` between them; what each component of ``a`` receives of one logit."""
        inputs = [a]
        for W, b in layers[:-1]:
            inputs.append(bend(W @ inputs[-1] + b))
        W, b = layers[-1]
        R = np.zeros(len(W))
        R[label] = W[label] @ inputs[-1] + b[label]
        for (W, b), below in zip(layers[::-1], inputs[::-1], strict=True):
            R = self.linear(below, W, b, R)
        return R


def pooled(states, weights, R):
    """A sum over positions with constant weights hands on in proportion, without epsilon."""
    total = (weights[:, None] * states).sum(0)
    return weights[:, None] * states / total * R
