"""The three LSTM cells of Arras et al. 2019, Sec. 11.4 ("LSTM Architectures Motivated by LRP"), in plain operations.

| kind            | equations   | c_t                 | y_t                | gates read  |
|-----------------|-------------|---------------------|--------------------|-------------|
| `nondecreasing` | 11.7-11.11  | c_{t-1} + i_t ⊙ z_t | o_t ⊙ a_h tanh c_t | y_{t-1} only|
| `markov`        | 11.12-11.15 | c_{t-1} + i_t ⊙ z_t | a_h tanh c_t       | y_{t-1} only|
| `no-gates`      | 11.16-11.18 | c_{t-1} + z_t       | a_h tanh c_t       | -           |

with z_t = a_g σ(W_z x_t + b_z) > 0, which reads the word alone, i_t = σ(U_i y_{t-1} + b_i), o_t = σ(U_o y_{t-1} + b_o),
c_0 = 0 and y_0 = 0. Biases are negative (A2, A7, A8) at the start and stay so through ``constrain``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear

from exegesis.core.errors import UsageError, unknown
from exegesis.nn.halves import factors
from exegesis.nn.recurrent import reading_order

Kind = Literal["nondecreasing", "markov", "no-gates"]
GATES: Mapping[str, str] = {"nondecreasing": "io", "markov": "i", "no-gates": ""}  # the gates of each kind, by letter
BIAS = {"z": (-1.0, -5.0), "i": (-1.0, -4.0), "o": (-1.0, -4.0)}  # the typical values of A2 and A7, spread over units
HIGHEST = -0.01  # largest bias during training


@dataclass(frozen=True, eq=False)
class Trace:
    """Every value of a pass, ``[b, t, h]``.

    z is the cell input, i and o are the gates (None if the kind has none), c is the cell state, y the output.
    """

    z: Float[Tensor, "b t h"]
    i: Float[Tensor, "b t h"] | None
    o: Float[Tensor, "b t h"] | None
    c: Float[Tensor, "b t h"]
    y: Float[Tensor, "b t h"]


class VariantCell(nn.Module):
    """A cell for one direction of a layer; ``scales`` holds a_g and a_h (A2, A3)."""

    scales: Tensor

    def __init__(self, kind: Kind, size: int, hidden: int, *, a_g: float = 4.0, a_h: float = 4.0) -> None:
        super().__init__()
        if kind not in GATES:
            raise unknown("kind of LSTM", kind, GATES)
        if not (a_g > 0 and a_h > 0):
            raise UsageError(f"the scales a_g and a_h must be above 0 (A2, A3), not {a_g} and {a_h}")
        self.kind, self.hidden = kind, hidden
        bound = hidden**-0.5
        self.register_buffer("scales", torch.tensor([a_g, a_h]))
        self.weight_z = nn.Parameter(torch.empty(hidden, size).uniform_(-bound, bound))
        self.bias_z = _bias("z", hidden)
        for gate in GATES[kind]:
            self.register_parameter(f"weight_{gate}", nn.Parameter(torch.empty(hidden, hidden).uniform_(-bound, bound)))
            self.register_parameter(f"bias_{gate}", _bias(gate, hidden))

    def forward(
        self, inputs: Float[Tensor, "b t d"], kept: Float[Tensor, "b h"] | None = None
    ) -> Float[Tensor, "b t h"]:
        """Outputs y_t at every position, in the order of ``inputs``."""
        return (self.trace(inputs) if kept is None else self.trace(inputs, kept)).y

    def trace(self, inputs: Float[Tensor, "b t d"], kept: Float[Tensor, "b h"] | None = None) -> Trace:
        """The pass with all of its values; outputs are multiplied by ``kept``, where halves run (``nn.halves``).

        Zero times the first cell input is added to the initial state, so that it counts as depending on the text and
        the first step is computed like every other: its gates receive relevance too.
        """
        a_g, a_h = self.scales.tolist()
        z = a_g * torch.sigmoid(linear(inputs, self.weight_z, self.bias_z))
        c = y = 0.0 * z[:, 0] + inputs.new_zeros(len(inputs), self.hidden)
        values: dict[str, list[Tensor]] = {name: [] for name in (*GATES[self.kind], "c", "y")}
        for z_t in z.unbind(1):
            now = {gate: self.gate(gate, y) for gate in GATES[self.kind]}
            c = c + (now["i"] * z_t if "i" in now else z_t)
            y = torch.tanh(c)
            y = a_h * (now["o"] * y if "o" in now else y)
            y = y if kept is None else y * kept
            for name, value in (now | {"c": c, "y": y}).items():
                values[name].append(value)
        stacked = {name: torch.stack(steps, 1) for name, steps in values.items()}
        return Trace(z, stacked.get("i"), stacked.get("o"), stacked["c"], stacked["y"])

    def gate(self, name: str, y: Float[Tensor, "b h"]) -> Float[Tensor, "b h"]:
        """σ(U y_{t-1} + b) of the gate i or o (Eqs. 11.8, 11.10, 11.13)."""
        weight, bias = cast(Tensor, getattr(self, f"weight_{name}")), cast(Tensor, getattr(self, f"bias_{name}"))
        return torch.sigmoid(linear(y, weight, bias))

    @torch.no_grad()
    def constrain(self) -> None:
        """Keep biases below zero (A2, A7, A8), after a step of an optimizer."""
        for name in ("z", *GATES[self.kind]):
            cast(Tensor, getattr(self, f"bias_{name}")).clamp_(max=HIGHEST)


class VariantLSTM(nn.Module):
    """Layers of ``VariantCell``s in one or two directions, called with padded texts and their lengths.

    A reverse direction reads each text from its own last position; outputs are in the order of the text, those of the
    two directions side by side. After a text's end they mean nothing.
    """

    def __init__(
        self,
        kind: Kind,
        size: int,
        hidden: int,
        num_layers: int = 1,
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
        a_g: float = 4.0,
        a_h: float = 4.0,
    ) -> None:
        super().__init__()
        self.kind, self.num_layers, self.bidirectional = kind, num_layers, bidirectional
        ways = 2 if bidirectional else 1
        widths = [size, *[hidden * ways] * (num_layers - 1)]
        self.cells = nn.ModuleList(VariantCell(kind, n, hidden, a_g=a_g, a_h=a_h) for n in widths for _ in range(ways))
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b t w"]:
        lengths = lengths.to(inputs.device)
        for layer in range(self.num_layers):
            inputs = self.dropout(inputs) if layer else inputs
            inputs = self._layer(layer, inputs, lengths)
        return inputs

    def _layer(self, layer: int, inputs: Tensor, lengths: Tensor) -> Tensor:
        if not self.bidirectional:
            return self._run(layer, inputs)
        turned = reading_order(self._run(2 * layer + 1, reading_order(inputs, lengths, True)), lengths, True)
        return torch.cat([self._run(2 * layer, inputs), turned], -1)

    def _run(self, number: int, inputs: Tensor) -> Tensor:
        cell = cast(VariantCell, self.cells[number])
        kept = factors(f"cell {number}", cell.hidden, inputs)
        return cast(Tensor, cell(inputs) if kept is None else cell(inputs, kept))

    def constrain(self) -> None:
        """Keep the biases of all cells below zero (``VariantCell.constrain``)."""
        for cell in self.cells:
            cast(VariantCell, cell).constrain()


def _bias(name: str, hidden: int) -> nn.Parameter:
    first, last = BIAS[name]
    return nn.Parameter(torch.linspace(first, last, hidden))
