"""The rules of layer-wise relevance propagation for recurrent cells (Arras et al. 2019, Sec. 11.3), as coefficients.

A cell's relevance is linear in the relevance that arrives, with coefficients that depend on the forward pass alone.
They are computed here for all texts and steps at once, whatever is explained; ``lrp.recurrent`` runs the steps.
Relevance travels in *streams*: that of the hidden state h_t and, in an LSTM, that of the cell state c_t.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.mech.lrp.shares import LrpOptions, inverse, stabilized
from exegesis.nn.recurrent import GATES, before, preactivations, scan
from exegesis.protocols.recurrent import Direction

Share = Tensor | float
ByStream = dict[str, Tensor]  # coefficients [b, t, h] by stream, h or c


class Coefficients:
    """The rules of one direction of one layer; ``direction`` has zeros after the texts' ends.

    For a unit of relevance in a stream at a step: ``words`` is what the vector read at that step receives in total,
    ``biases`` and ``absorbed`` what stays, ``even_x`` and ``even_h`` what every component of that vector, and of the
    previous state, receives beside its own share (biases spread). ``onto_x`` and ``onto_h`` hold, by gate, the stream
    and the factor from it to relevance over denominator, which the gate's weights propagate. ``opened`` is the part of
    h_t's relevance that c_t receives, ``kept`` the part of c_t's that c_{t-1} receives, ``direct`` the part of h_t's
    that h_{t-1} receives without passing any weight. ``blocked`` marks where relevance would be divided by zero.
    """

    def __init__(self, direction: Direction, options: LrpOptions) -> None:
        self.direction, self.options = _cut(direction), options
        self.size, self.width = direction.hidden.shape[-1], direction.inputs.shape[-1]
        self.words: ByStream = {}
        self.biases: ByStream = {}
        self.absorbed: ByStream = {}
        self.even_x: ByStream = {}
        self.even_h: ByStream = {}
        self.blocked: ByStream = {}
        self.onto_x: dict[str, tuple[str, Tensor]] = {}
        self.onto_h: dict[str, tuple[str, Tensor]] = {}
        self.opened: Share = 1.0
        self.kept: Tensor | None = None
        self.direct: Tensor | None = None
        {"lstm": self._lstm, "gru": self._gru}.get(direction.cell, self._rnn)()

    def _lstm(self) -> None:
        """c_t = f c_{t-1} + i g, h_t = o tanh(c_t); i, f, g, o each of one map of (x_t, h_{t-1})."""
        names = "ifg" if self.options.product == "all" else "ifgo"
        from_x, from_h = (dict(zip(names, part, strict=True)) for part in preactivations(self.direction, names))
        bias = self._bias(names, self.direction.bias_ih, self.direction.bias_hh)
        z = {name: from_x[name] + from_h[name] + bias[name] for name in names}
        i, f, g = z["i"].sigmoid(), z["f"].sigmoid(), z["g"].tanh()
        gained, start = i * g, self.direction.c0
        assert start is not None, "an LSTM has a cell state"
        c = scan(f, gained, start)
        previous = torch.cat([start[:, None], c[:, :-1]], 1)
        old, new = self._sum("c", f * previous, gained, c)
        to_i, to_g = self._product("c", new, z["i"], z["g"])
        to_f, self.kept = self._product("c", old, z["f"], previous)
        arriving = {"i": ("c", to_i), "f": ("c", to_f), "g": ("c", to_g)}
        if "o" in names:
            to_o, self.opened = self._product("h", torch.ones_like(c), z["o"], c)
            arriving["o"] = ("h", to_o)
        for name, (stream, share) in arriving.items():
            if share is not None:
                self._map(name, stream, share, z[name], bias[name], from_x[name], self.width + self.size)

    def _gru(self) -> None:
        """h_t = (1 - z) n + z h_{t-1}, n = tanh(W x + b + r q), q = U h_{t-1} + b' (PyTorch's place of r)."""
        (x_r, x_z, x_n), (h_r, h_z, h_n) = preactivations(self.direction, "rzn")
        bias = self._bias("rz", self.direction.bias_ih, self.direction.bias_hh)
        last = [None if part is None else part[2 * self.size :] for part in self._biases()]
        bias_n, bias_q = (self._bias("n", part, None)["n"] for part in last)
        a_r, a_z, q = x_r + h_r + bias["r"], x_z + h_z + bias["z"], h_n + bias_q
        product = a_r.sigmoid() * q
        a_n = x_n + bias_n + product
        previous = before(self.direction)
        passed, gained = a_z.sigmoid() * previous, (-a_z).sigmoid() * a_n.tanh()
        old, new = self._sum("h", passed, gained, passed + gained)
        to_z, self.direct = self._product("h", old, a_z, previous)
        to_closed, to_n = self._product("h", new, -a_z, a_n)
        down = self._map("n", "h", to_n, a_n, bias_n, x_n, self.width + 1)
        through = product
        if self.options.spread:
            through = product + (bias_n + stabilized(a_n, self.options.epsilon)[1]) / (self.width + 1)
        to_r, to_q = self._product("h", down * through, a_r, q)
        self._map("q", "h", to_q, q, bias_q, None, self.size)
        if to_z is not None and to_closed is not None and to_r is not None:
            self._map("z", "h", to_z + to_closed, a_z, bias["z"], x_z, self.width + self.size)
            self._map("r", "h", to_r, a_r, bias["r"], x_r, self.width + self.size)

    def _rnn(self) -> None:
        """h_t = tanh or relu of one map of (x_t, h_{t-1})."""
        (from_x,), (from_h,) = preactivations(self.direction, "n")
        bias = self._bias("n", self.direction.bias_ih, self.direction.bias_hh)["n"]
        z = from_x + from_h + bias
        self._map("n", "h", torch.ones_like(z), z, bias, from_x, self.width + self.size)

    def _map(
        self, name: str, stream: str, arrives: Tensor, z: Tensor, bias: Tensor, from_x: Tensor | None, inputs: int
    ) -> Tensor:
        """The epsilon rule for z = Σ a w + b: relevance over denominator, which weights and inputs multiply.

        ``n`` of a GRU reads x alone (its product with r is one more input), ``q`` h alone, all other gates both.
        """
        denominator, epsilon = stabilized(z, self.options.epsilon)
        factor = arrives * self._inverse(stream, arrives, denominator, self.options.epsilon)
        reads_h = not (name == "n" and self.direction.cell == "gru")
        if self.options.spread:
            even = (bias + epsilon) / inputs
            if reads_h:
                _add(self.even_h, stream, factor, even)
            if from_x is not None:
                _add(self.even_x, stream, factor, even)
                _add(self.words, stream, factor, self.width * even)
        else:
            _add(self.biases, stream, factor, bias)
            _add(self.absorbed, stream, factor, epsilon)
        if from_x is not None:
            _add(self.words, stream, factor, from_x)
            self.onto_x[name] = (stream, factor)
        if reads_h:
            self.onto_h[name] = (stream, factor)
        return factor

    def _sum(self, stream: str, old: Tensor, new: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        """The shares of the two terms of an accumulation (Sec. 11.3.3) by the epsilon rule."""
        denominator, epsilon = stabilized(total, self.options.epsilon)
        factor = self._inverse(stream, torch.ones_like(total), denominator, self.options.epsilon)
        if self.options.spread:
            return (old + epsilon / 2) * factor, (new + epsilon / 2) * factor
        _add(self.absorbed, stream, factor, epsilon)
        return old * factor, new * factor

    def _product(self, stream: str, arrives: Tensor, gate: Tensor, signal: Tensor) -> tuple[Tensor | None, Tensor]:
        """Table 11.1: the parts of the gate (None: nothing) and the signal, by their values before activation."""
        if self.options.product == "all":
            return None, arrives
        if self.options.product == "half":
            return 0.5 * arrives, 0.5 * arrives
        if self.options.product == "abs":
            gate, signal = gate.abs(), signal.abs()
        denominator, lost = stabilized(gate + signal, self.options.stabilizer)
        factor = arrives * self._inverse(stream, arrives, denominator, self.options.stabilizer)
        _add(self.absorbed, stream, factor, lost)
        return gate * factor, signal * factor

    def _inverse(self, stream: str, arrives: Tensor, value: Tensor, least: float) -> Tensor:
        inverted, small = inverse(value, least)
        if small is not None and bool(small.any()):
            blocked = small & (arrives != 0)
            self.blocked[stream] = self.blocked[stream] | blocked if stream in self.blocked else blocked
        return inverted

    def _biases(self) -> tuple[Tensor | None, Tensor | None]:
        return self.direction.bias_ih, self.direction.bias_hh

    def _bias(self, names: str, bias_ih: Tensor | None, bias_hh: Tensor | None) -> dict[str, Tensor]:
        """The summed biases of the first gates, zero without biases."""
        total = self.direction.hidden.new_zeros(len(names) * self.size)
        for part in (bias_ih, bias_hh):
            total = total if part is None else total + part[: len(total)]
        return dict(zip(names, total.chunk(len(names)), strict=True))

    def weight(self, names: dict[str, tuple[str, Tensor]], matrix: Float[Tensor, "g n"]) -> Float[Tensor, "n rows"]:
        """The columns of ``matrix`` by which the named gates propagate relevance over denominator."""
        letters = GATES[self.direction.cell]
        rows = [letters.index("n" if name == "q" else name) * self.size for name in names]
        return torch.cat([matrix[row : row + self.size] for row in rows]).t().contiguous()


def _add(sums: ByStream, stream: str, factor: Tensor, value: Tensor) -> None:
    """Add factor * value to the stream's sum."""
    sums[stream] = torch.addcmul(sums[stream], factor, value) if stream in sums else factor * value


def _cut(direction: Direction) -> Direction:
    """The direction with zeros after the texts' ends."""
    step = torch.arange(direction.hidden.shape[1], device=direction.hidden.device)
    outside = (step >= direction.lengths.to(step.device)[:, None])[..., None]
    if not bool(outside.any()):
        return direction
    return replace(
        direction,
        inputs=direction.inputs.masked_fill(outside, 0.0),
        hidden=direction.hidden.masked_fill(outside, 0.0),
    )
