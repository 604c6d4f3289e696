"""Recurrent layers written out: gates and cell states of every step from what the library's kernel leaves.

The kernel gives all hidden states; the gates of all steps are then one matrix product over ``(x_t, h_{t-1})`` and
the cell states an elementwise scan, so no step is computed twice in a Python loop over matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from exegesis.core.errors import UnsupportedError
from exegesis.nn.product import linear
from exegesis.protocols.recurrent import Direction

GATES = {"lstm": "ifgo", "gru": "rzn", "rnn_tanh": "n", "rnn_relu": "n"}


def reading_order(
    values: Shaped[Tensor, "b t *rest"], lengths: Int[Tensor, " b"], reverse: bool
) -> Shaped[Tensor, "b t *rest"]:
    """Positions in the order in which a direction reads them; its own inverse. Padding stays on the right."""
    if not reverse:
        return values
    width = values.shape[1]
    step = torch.arange(width, device=values.device)
    turned = torch.where(step < lengths[:, None], lengths[:, None] - 1 - step, step)
    return values[torch.arange(len(values), device=values.device)[:, None], turned]


def before(direction: Direction) -> Float[Tensor, "b t h"]:
    """The hidden state before each step."""
    return torch.cat([direction.h0[:, None], direction.hidden[:, :-1]], 1)


def gates(direction: Direction, names: str) -> tuple[Float[Tensor, "b t h"], ...]:
    """Activations of the gates named by letters (LSTM i f g o, GRU r z n), after their sigmoid or tanh."""
    if direction.cell == "gru" and "n" in names:
        return _gru_gates(direction, names)
    letters, size = GATES[direction.cell], direction.hidden.shape[-1]

    def rows(value: Tensor) -> Tensor:
        parts = torch.split(value, size)
        return value if names == letters else torch.cat([parts[letters.index(letter)] for letter in names])

    weight = torch.cat([rows(direction.weight_ih), rows(direction.weight_hh)], 1)
    bias = None
    if direction.bias_ih is not None and direction.bias_hh is not None:
        bias = rows(direction.bias_ih) + rows(direction.bias_hh)
    plain = not set(names) & set("gn")
    width = direction.inputs.shape[-1]
    both = direction.inputs.new_empty(*direction.inputs.shape[:2], weight.shape[1])
    both[..., :width] = direction.inputs
    both[:, 0, width:] = direction.h0
    both[:, 1:, width:] = direction.hidden[:, :-1]
    summed = linear(both, weight, bias, sigmoid=plain)
    if plain:
        return summed.chunk(len(names), -1)
    found = dict(zip(names, summed.chunk(len(names), -1), strict=True))
    return tuple(_activate(found[letter], letter, direction.cell) for letter in names)


def _gru_gates(direction: Direction, names: str) -> tuple[Tensor, ...]:
    from_x = linear(direction.inputs, direction.weight_ih, direction.bias_ih).chunk(3, -1)
    from_h = linear(before(direction), direction.weight_hh, direction.bias_hh).chunk(3, -1)
    reset = (from_x[0] + from_h[0]).sigmoid()
    found = {"r": reset, "z": (from_x[1] + from_h[1]).sigmoid(), "n": (from_x[2] + reset * from_h[2]).tanh()}
    return tuple(found[letter] for letter in names)


def _activate(value: Tensor, letter: str, cell: str) -> Tensor:
    if cell == "rnn_relu":
        return value.relu()
    return value.tanh() if letter in "gn" else value.sigmoid()


def preactivations(
    direction: Direction, names: str
) -> tuple[tuple[Float[Tensor, "b t h"], ...], tuple[Float[Tensor, "b t h"], ...]]:
    """What the inputs, and what the states before, add to the first gates, without biases.

    ``names`` are the gates' letters, in PyTorch's order.
    """
    rows = len(names) * direction.hidden.shape[-1]
    from_x = linear(direction.inputs, direction.weight_ih[:rows], None)
    from_h = linear(before(direction), direction.weight_hh[:rows], None)
    return from_x.chunk(len(names), -1), from_h.chunk(len(names), -1)


def cells(direction: Direction) -> Float[Tensor, "b t h"]:
    """Cell states c_t of an LSTM at every step: c_t = f_t c_{t-1} + i_t g_t."""
    i, f, g = gates(direction, "ifg")
    return scan(f, i * g, _real(direction.c0))


def scan(
    factor: Float[Tensor, "b t h"], term: Float[Tensor, "b t h"], start: Float[Tensor, "b h"]
) -> Float[Tensor, "b t h"]:
    """y_t = factor_t y_{t-1} + term_t, for all t."""
    state, states = start, []
    for step in range(factor.shape[1]):
        state = torch.addcmul(term[:, step], factor[:, step], state)
        states.append(state)
    return torch.stack(states, 1) if states else term


def kind_of(module: nn.RNNBase) -> str:
    """The cell of a library module: lstm, gru, rnn_tanh or rnn_relu."""
    if isinstance(module, nn.RNN):
        return f"rnn_{module.nonlinearity}"
    return "lstm" if isinstance(module, nn.LSTM) else "gru"


def directions(
    module: nn.RNNBase,
    inputs: Float[Tensor, "b t d"],
    outputs: Float[Tensor, "b t w"],
    lengths: Int[Tensor, " b"],
    state: Sequence[Float[Tensor, "l b h"]] | None,
) -> tuple[tuple[Direction, ...], ...]:
    """All layers of a library module as Directions, from its padded inputs, its outputs and its initial state."""
    return stacked(kind_of(module), weights_in(module), inputs, outputs, lengths, state)


def weights_in(module: nn.RNNBase) -> list[list[list[Tensor | None]]]:
    """The weights that a library module holds now, as ``stacked`` takes them."""
    ends = ("", "_reverse") if module.bidirectional else ("",)
    return [
        [[_held(module, f"{kind}_l{layer}{end}") for kind in _WEIGHTS] for end in ends]
        for layer in range(module.num_layers)
    ]


def stacked(
    kind: str,
    weights: Sequence[Sequence[Sequence[Tensor | None]]],
    inputs: Float[Tensor, "b t d"],
    outputs: Float[Tensor, "b t w"],
    lengths: Int[Tensor, " b"],
    state: Sequence[Float[Tensor, "l b h"]] | None,
) -> tuple[tuple[Direction, ...], ...]:
    """The same from weights: W_x, W_h, b_x, b_h (None: no bias) of each direction of each layer, from below.

    Inputs of upper layers are not among the kernel's results; lower layers are run again, one direction at a time.
    """
    layers: list[tuple[Direction, ...]] = []
    for layer, ways in enumerate(weights):
        top = layer == len(weights) - 1
        found = []
        for number, (w_ih, w_hh, b_ih, b_hh) in enumerate(ways):
            row, size = layer * len(ways) + number, _real(w_hh).shape[1]
            read = reading_order(inputs, lengths, number == 1)
            first = inputs.new_zeros(len(inputs), size) if state is None else state[0][row]
            cell = None
            if kind == "lstm":
                cell = torch.zeros_like(first) if state is None else state[1][row]
            hidden = reading_order(outputs[..., number * size : (number + 1) * size], lengths, number == 1)
            one = Direction(kind, number == 1, _real(w_ih), _real(w_hh), b_ih, b_hh, read, hidden, first, cell, lengths)
            found.append(one if top else replace(one, hidden=continue_from(one, read, first, cell)))
        layers.append(tuple(found))
        if not top:
            inputs = torch.cat([reading_order(d.hidden, lengths, d.reverse) for d in found], -1)
    return tuple(layers)


_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def continue_from(
    direction: Direction, inputs: Float[Tensor, "b t d"], h0: Float[Tensor, "b h"], c0: Float[Tensor, "b h"] | None
) -> Float[Tensor, "b t h"]:
    """Hidden states of a direction's cell over other inputs from another state, through the library's kernel."""
    size, hidden = direction.inputs.shape[-1], direction.hidden.shape[-1]
    bias = direction.bias_ih is not None
    single: nn.RNNBase
    if direction.cell.startswith("rnn"):
        kind = direction.cell.removeprefix("rnn_")
        single = nn.RNN(size, hidden, nonlinearity=kind, bias=bias, batch_first=True, device="meta")
    elif direction.cell == "lstm":
        single = nn.LSTM(size, hidden, bias=bias, batch_first=True, device="meta")
    else:
        single = nn.GRU(size, hidden, bias=bias, batch_first=True, device="meta")
    for name in _WEIGHTS if bias else _WEIGHTS[:2]:
        weight = getattr(direction, name)
        setattr(single, f"{name}_l0", nn.Parameter(weight, requires_grad=False))
    first = h0[None].contiguous()
    with torch.no_grad():
        states: Tensor = single(inputs, first if c0 is None else (first, c0[None].contiguous()))[0]
    return states


def _held(module: nn.RNNBase, name: str) -> Tensor | None:
    """A weight by its name, cut off from gradients."""
    weight: Tensor | None = getattr(module, name, None)
    return None if weight is None else weight.detach()


def _real(value: Tensor | None) -> Tensor:
    assert value is not None, "an LSTM has a cell state, every layer has weights"
    return value


def at_end(arriving: Float[Tensor, "b h"], lengths: Int[Tensor, " b"], width: int) -> Float[Tensor, "b t h"]:
    """What arrives at a last state, at the step in reading order that made it."""
    found = arriving.new_zeros(len(arriving), width, arriving.shape[-1])
    found[torch.arange(len(arriving), device=arriving.device), lengths.to(arriving.device) - 1] = arriving
    return found


def weights_of(
    kind: str, flat: Sequence[Tensor], biased: bool, count: int, ways: int
) -> list[list[list[Tensor | None]]]:
    """Weights as the library's functions take them, layer by layer and direction by direction.

    Raises UnsupportedError for a layer with projections.
    """
    each = len(flat) // (count * ways)
    if flat[1].shape[1] != flat[0].shape[0] // len(GATES[kind]):
        raise UnsupportedError("an LSTM with projections (proj_size) has no states h = o tanh(c): drop proj_size")
    parts = [[part.detach() for part in flat[at : at + each]] for at in range(0, len(flat), each)]
    full: list[list[Tensor | None]] = [[*part] if biased else [*part, None, None] for part in parts]
    return [full[layer * ways : (layer + 1) * ways] for layer in range(count)]
