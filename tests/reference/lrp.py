"""LRP for recurrent networks as printed in Arras et al. 2019, Sec. 11.3: one text, one number, step by step.

Every linear map builds its whole array of messages R_{j<-s} and sums it, as the printed formulas do. Lists are indexed
by step: item 0 is the start, item t what followed the t-th word read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


def sigma(x):
    return 1 / (1 + np.exp(-x))


def sign(x):
    return np.where(x >= 0, 1.0, -1.0)


@dataclass
class Lrp:
    epsilon: float = 0.001
    product: str = "all"
    stabilizer: float = 0.001
    spread: bool = False
    account: dict = field(default_factory=lambda: {"biases": 0.0, "absorbed by epsilon": 0.0, "initial states": 0.0})
    largest: float = 1.0  # of all messages: what rounding is relative to

    def linear(self, a, W, b, R):
        """Sec. 11.3.1 for z_s = sum_j W_sj a_j + b_s: what each a_j receives."""
        a, W, b, R = (np.asarray(value, dtype=float) for value in (a, W, b, R))
        z = W @ a + b
        eps = self.epsilon * sign(z)
        messages = W * a  # [s, j]
        if self.spread:
            messages = messages + ((b + eps) / len(a))[:, None]
        else:
            self.account["biases"] += (b / (z + eps) * R).sum()
            self.account["absorbed by epsilon"] += (eps / (z + eps) * R).sum()
        messages = messages / (z + eps)[:, None] * R[:, None]
        self.largest = max(self.largest, np.abs(messages).sum())
        return messages.sum(0)

    def accumulate(self, one, two, R):
        """Sec. 11.3.3 for one + two, unit by unit: a linear map of two inputs of weight one without a bias."""
        found = [self.linear([p, q], np.ones((1, 2)), [0.0], [r]) for p, q, r in zip(one, two, R, strict=True)]
        return np.array([pair[0] for pair in found]), np.array([pair[1] for pair in found])

    def gated(self, z_g, z_s, R):
        """Table 11.1: (R_g, R_s)."""
        if self.product == "all":
            return 0 * R, R
        if self.product == "half":
            return 0.5 * R, 0.5 * R
        if self.product == "prop":
            below = z_g + z_s + self.stabilizer * sign(z_g + z_s)
            R_g, R_s = z_g / below * R, z_s / below * R
        else:
            below = np.abs(z_g) + np.abs(z_s) + self.stabilizer
            R_g, R_s = np.abs(z_g) / below * R, np.abs(z_s) / below * R
        self.account["absorbed by epsilon"] += (R - R_g - R_s).sum()
        return R_g, R_s

    def both(self, x, h, w, rows, R):
        """The map of (x_t, h_{t-1}) whose weights are those rows."""
        W = np.concatenate([w.x[rows], w.h[rows]], 1)
        found = self.linear(np.concatenate([x, h]), W, w.bx[rows] + w.bh[rows], R)
        return found[: len(x)], found[len(x) :]

    def lstm(self, x, w, h0, c0, R_states):
        """Eq. 11.1-11.6 backwards. ``R_states[t]`` arrives at h_{t+1} from above; gives the words' relevance."""
        n, h, c, seen = len(h0), h0, c0, []
        for word in x:
            a = w.x @ word + w.h @ h + w.bx + w.bh
            before = (h, c)
            c = sigma(a[n : 2 * n]) * c + sigma(a[:n]) * np.tanh(a[2 * n : 3 * n])
            h = sigma(a[3 * n :]) * np.tanh(c)
            seen.append((a, *before, c))
        R_h, R_c, R_x = 0 * h0, 0 * h0, []
        for word, (a, h_old, c_old, c), R in zip(x[::-1], seen[::-1], R_states[::-1], strict=True):
            i, f, g, o = (slice(k * n, (k + 1) * n) for k in range(4))
            R_o, R_signal = self.gated(a[o], c, R_h + R)
            R_fc, R_ig = self.accumulate(sigma(a[f]) * c_old, sigma(a[i]) * np.tanh(a[g]), R_c + R_signal)
            R_f, R_c = self.gated(a[f], c_old, R_fc)
            R_i, R_g = self.gated(a[i], a[g], R_ig)
            parts = [self.both(word, h_old, w, rows, R) for rows, R in ((i, R_i), (f, R_f), (g, R_g), (o, R_o))]
            R_x.append(sum(part[0] for part in parts))
            R_h = sum(part[1] for part in parts)
        self.account["initial states"] += R_h.sum() + R_c.sum()
        return R_x[::-1]

    def gru(self, x, w, h0, c0, R_states):
        """PyTorch's GRU: n = tanh(W x + b + r q), q = U h' + b', h = (1 - z) n + z h'."""
        n, h, seen = len(h0), h0, []
        r, z, m = (slice(k * n, (k + 1) * n) for k in range(3))
        for word in x:
            ax, ah = w.x @ word + w.bx, w.h @ h + w.bh
            a_r, a_z, q = ax[r] + ah[r], ax[z] + ah[z], ah[m]
            a_n = ax[m] + sigma(a_r) * q
            seen.append((a_r, a_z, q, a_n, h))
            h = (1 - sigma(a_z)) * np.tanh(a_n) + sigma(a_z) * h
        R_h, R_x = 0 * h0, []
        for word, (a_r, a_z, q, a_n, h_old), R in zip(x[::-1], seen[::-1], R_states[::-1], strict=True):
            R_new, R_old = self.accumulate((1 - sigma(a_z)) * np.tanh(a_n), sigma(a_z) * h_old, R_h + R)
            R_closed, R_n = self.gated(-a_z, a_n, R_new)
            R_z, R_h = self.gated(a_z, h_old, R_old)
            R_word, R_rq = 0 * word, 0 * q
            for unit in range(n):  # each reads the word and its own r q
                inputs = np.append(word, sigma(a_r[unit]) * q[unit])
                weights = np.append(w.x[m][unit], 1.0)[None]
                found = self.linear(inputs, weights, w.bx[m][unit : unit + 1], R_n[unit : unit + 1])
                R_word = R_word + found[:-1]
                R_rq[unit] = found[-1]
            R_r, R_q = self.gated(a_r, q, R_rq)
            R_h = R_h + self.linear(h_old, w.h[m], w.bh[m], R_q)
            for rows, R_gate in ((r, R_r), (z, R_z + R_closed)):
                to_x, to_h = self.both(word, h_old, w, rows, R_gate)
                R_word, R_h = R_word + to_x, R_h + to_h
            R_x.append(R_word)
        self.account["initial states"] += R_h.sum()
        return R_x[::-1]

    def rnn(self, x, w, h0, c0, R_states, activation=np.tanh):
        h, seen = h0, []
        for word in x:
            seen.append(h)
            h = activation(w.x @ word + w.h @ h + w.bx + w.bh)
        R_h, R_x = 0 * h0, []
        for word, h_old, R in zip(x[::-1], seen[::-1], R_states[::-1], strict=True):
            to_x, R_h = self.both(word, h_old, w, slice(None), R_h + R)
            R_x.append(to_x)
        self.account["initial states"] += R_h.sum()
        return R_x[::-1]

    def readout(self, blocks, states, bias, number):
        """``blocks``: (direction, weights of the output [n], weights over its states [T, n]). Relevance of the states.

        Poolings and output are one linear map; its inputs are the components of states that are read.
        """
        total = [np.zeros_like(way) for way in states]
        read = [np.zeros(way.shape, dtype=bool) for way in states]
        for way, W, weights in blocks:
            total[way] += W * weights
            read[way] |= weights != 0
        a = np.concatenate([way[mask] for way, mask in zip(states, read, strict=True)])
        W = np.concatenate([way[mask] for way, mask in zip(total, read, strict=True)])
        np.testing.assert_allclose(W @ a + bias, number, rtol=1e-9, atol=1e-9)
        found, at = self.linear(a, W[None], np.array([bias]), np.array([number])), 0
        R = []
        for way, mask in zip(states, read, strict=True):
            R.append(np.zeros(way.shape))
            R[-1][mask] = found[at : at + mask.sum()]
            at += mask.sum()
        return R

    def words(self, kind, layers, x, starts, R_top, **options):
        """``layers``: from below, the weights of each direction; ``starts`` likewise (h0, c0). All in text order.

        Relevance of every word's vector, [T, d].
        """
        inputs, seen = list(x), []
        for weights, start in zip(layers, starts, strict=True):
            outputs = []
            for way, (w, (h0, _)) in enumerate(zip(weights, start, strict=True)):
                outputs.append(forward(kind, inputs[::-1] if way else inputs, w, h0, start[way][1], **options))
                outputs[-1] = outputs[-1][::-1] if way else outputs[-1]
            seen.append(inputs)
            inputs = [np.concatenate(states) for states in zip(*outputs, strict=True)]
        R = R_top
        for weights, start, read in zip(layers[::-1], starts[::-1], seen[::-1], strict=True):
            total = 0
            for way, w in enumerate(weights):
                turn = slice(None, None, -1 if way else 1)
                found = getattr(self, kind)(read[turn], w, *start[way], list(R[way])[turn], **options)
                total = total + np.array(found)[turn]
            if read is not seen[0]:
                R = np.split(total, len(weights), axis=1)  # below there are as many directions
        return total


def forward(kind, x, w, h0, c0, activation=np.tanh):
    """States h_1 ... h_T in the order read."""
    n, h, c, states = len(h0), h0, c0, []
    for word in x:
        ax, ah = w.x @ word + w.bx, w.h @ h + w.bh
        if kind == "lstm":
            i, f, g, o = np.split(ax + ah, 4)
            c = sigma(f) * c + sigma(i) * np.tanh(g)
            h = sigma(o) * np.tanh(c)
        elif kind == "gru":
            r, z = sigma(ax[: 2 * n] + ah[: 2 * n]).reshape(2, n)
            h = (1 - z) * np.tanh(ax[2 * n :] + r * ah[2 * n :]) + z * h
        else:
            h = activation(ax + ah)
        states.append(h)
    return states
